/** Knows an ELF file by its magic, vmlinux and 32-bit cores too: they are refused by name later. */

import type { Source } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';
import { magic } from './layout.ts';

export function detect(source: Source): boolean {
  return latin1(source.read(0, magic.length)) === magic;
}
