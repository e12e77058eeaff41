/** crash's options -x and -d. */

import { atMostOne, type Context, type Option, type Options, type Radix } from './command.ts';

export const radixOptions: readonly Option[] = [
  { flags: '-x, --hex', description: 'integers in hexadecimal' },
  {
    flags: '-d, --decimal',
    description: 'integers in decimal, as without any option or `set radix`',
  },
];

export function radixOf(options: Options, context: Context): Radix {
  atMostOne(options, ['hex', 'decimal']);
  if (options.decimal === true) return 'decimal';
  return options.hex === true ? 'hexadecimal' : (context.radix ?? 'decimal');
}
