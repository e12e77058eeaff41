/** Knows a diskdump file by its signature, a dump partition by its first two blocks. */

import type { Source } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';
import { diskdumpSignature } from '../disk-dump.ts';
import { partitionSignature, swapMark } from './layout.ts';

/** Both machines have pages of 4 KiB. */
export const partitionBlockSize = 4096;

export function formOf(source: Source): 'file' | 'partition' | undefined {
  const at = (offset: number, length: number): string => latin1(source.read(offset, length));
  if (at(0, diskdumpSignature.length) === diskdumpSignature) return 'file';
  if (at(0, partitionSignature.length) === partitionSignature) return 'partition';
  const isSwap = at(swapMark.offset, swapMark.text.length) === swapMark.text;
  const header = at(partitionBlockSize, diskdumpSignature.length);
  return isSwap && header === diskdumpSignature ? 'partition' : undefined;
}

export function detect(source: Source): boolean {
  return formOf(source) !== undefined;
}
