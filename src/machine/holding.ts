/**
 * What stands on a partition before a machine writes to it, made block by block when somebody reads
 * it: real bytes for checks that look at some of them. Source: diskdump's formatter (layout.ts of
 * the format), mm/swapfile.c, fs/ext4/ext4.h (struct ext4_super_block).
 */

import { latin1Bytes } from '../bytes/text.ts';
import { type FormatRelease, formattedBlock, swapMark } from '../dump/diskdump/layout.ts';

/** `diskdump ...`: formatted for that release of it. */
export type Holding = 'nothing' | 'swap' | 'file system' | `diskdump ${FormatRelease}`;

const blockSize = 4096;
/** The superblock's place, and that of its magic number in it. */
const superblock = { offset: 1024, magicAt: 0x38, magic: [0x53, 0xef] } as const;

/** `offset`: from the start of the partition. A new array. */
export function standing(
  holding: Exclude<Holding, 'nothing'>,
  offset: number,
  length: number,
): Uint8Array {
  const bytes = new Uint8Array(length);
  const end = offset + length;
  for (let block = Math.floor(offset / blockSize); block * blockSize < end; block++) {
    const from = Math.max(offset, block * blockSize);
    const to = Math.min(end, (block + 1) * blockSize);
    const content = blockOf(holding, block);
    bytes.set(content.subarray(from - block * blockSize, to - block * blockSize), from - offset);
  }
  return bytes;
}

function blockOf(holding: Exclude<Holding, 'nothing'>, block: number): Uint8Array {
  if (holding === 'diskdump 1.0') return formattedBlock(block, blockSize, '1.0');
  if (holding === 'diskdump 2004-05') return formattedBlock(block, blockSize, '2004-05');
  const bytes = new Uint8Array(blockSize);
  if (holding === 'swap') {
    if (block === 0) bytes.set(latin1Bytes(swapMark.text), swapMark.offset);
    return bytes;
  }
  // Files of somebody: any bytes that are not zeros and differ from block to block.
  for (let at = 0; at < blockSize; at++) bytes[at] = (at * 7 + block * 13 + (at >> 8)) & 0xff;
  if (block === 0) bytes.set(superblock.magic, superblock.offset + superblock.magicAt);
  return bytes;
}
