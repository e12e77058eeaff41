/** Knows LiME by the magic and the version of its first range. */

import type { Source } from '../../bytes/source.ts';
import { limeMagic } from './layout.ts';

export function detect(source: Source): boolean {
  const start = source.read(0, 4);
  if (start.length < 4) return false;
  return new DataView(start.buffer, start.byteOffset).getUint32(0, true) === limeMagic;
}
