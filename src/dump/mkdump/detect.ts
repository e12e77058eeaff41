/** Knows mkdump's container by its signature. */

import type { Source } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';
import { signature } from './layout.ts';

export function detect(source: Source): boolean {
  return latin1(source.read(0, signature.length)) === signature;
}
