/** crash's options -x and -d. */

import { atMostOne, type Option, type Options } from './command.ts';
import type { Radix } from './layout.ts';

export const radixOptions: readonly Option[] = [
  { flags: '-x, --hex', description: 'integers in hexadecimal' },
  { flags: '-d, --decimal', description: 'integers in decimal, as without any option' },
];

export function radixOf(options: Options): Radix {
  atMostOne(options, ['hex', 'decimal']);
  return options.hex === true ? 'hexadecimal' : 'decimal';
}
