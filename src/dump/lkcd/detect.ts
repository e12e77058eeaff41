/** Knows an LKCD file by its magic, in both byte orders: big endian is refused by name later. */

import type { Source } from '../../bytes/source.ts';
import { dumpMagic, liveMagic } from './layout.ts';

export function detect(source: Source): boolean {
  const bytes = source.read(0, 8);
  if (bytes.length < 8) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [view.getBigUint64(0, true), view.getBigUint64(0, false)].some(
    (magic) => magic === dumpMagic || magic === liveMagic,
  );
}
