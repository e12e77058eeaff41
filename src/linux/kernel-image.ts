/**
 * Where the kernel's own image is mapped: text, read-only data and data, one behind the other in
 * the top 2 GB of the address space.
 * Source: Documentation/arch/x86/x86_64/mm.rst; arch/x86/include/asm/page_64_types.h.
 */

import { attempt } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { basePageSize } from './paging.ts';
import { readSparse } from './sparse.ts';

/** __START_KERNEL_map: where the kernel's text is mapped when KASLR is off. */
export const kernelMap = 0xffff_ffff_8000_0000n;
/** Where _text is linked: KASLR adds KERNELOFFSET. */
export const linkAddress = 0xffff_ffff_8100_0000n;
/** KERNEL_IMAGE_SIZE with CONFIG_RANDOMIZE_BASE; without it modules begin half-way. */
const imageRoom = 0x4000_0000n;
const largePage = 0x20_0000n;

/** Virtual addresses that are mapped without a hole. */
export interface Extent {
  readonly start: bigint;
  readonly end: bigint;
}

/** What is mapped where kernel images lie, ascending. */
export function imageExtents(memory: AddressSpace): Extent[] {
  const extents: Extent[] = [];
  let start: bigint | undefined;
  const end = kernelMap + imageRoom;
  for (let at = kernelMap; at < end; ) {
    const found = attempt(() => memory.translate(at));
    if (found !== undefined) {
      start ??= at;
      at += BigInt(found.pageSize) - (at & BigInt(found.pageSize - 1));
      continue;
    }
    if (start !== undefined) extents.push({ start, end: at });
    start = undefined;
    // A mapped page may stand behind unmapped ones only where the table has entries for pages.
    at += at % largePage === 0n && !isSplit(memory, at) ? largePage : BigInt(basePageSize);
  }
  if (start !== undefined) extents.push({ start, end });
  return extents;
}

/** Are there small pages in the 2 MB from `at`? The second, middle and last stand for all. */
function isSplit(memory: AddressSpace, at: bigint): boolean {
  const probes = [0x1000n, 0x10_0000n, largePage - 0x1000n];
  return probes.some((probe) => attempt(() => memory.translate(at + probe)) !== undefined);
}

const chunkBytes = 1024 * 1024;

export interface Chunk {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/**
 * The bytes of an extent in pieces, each overlapping the one before by `overlap` bytes (at most a
 * page) so that nothing of that length is cut. A page that is not in the dump reads as zeros.
 */
export function* imageChunks(memory: AddressSpace, extent: Extent): Generator<Chunk> {
  const overlap = BigInt(basePageSize);
  for (let at = extent.start; at < extent.end; at += BigInt(chunkBytes) - overlap) {
    const left = extent.end - at;
    const length = left < BigInt(chunkBytes) ? Number(left) : chunkBytes;
    yield { address: at, bytes: readWhatIsThere(memory, at, length) };
    if (length < chunkBytes) return;
  }
}

/** Bytes of which some may be missing: those are zeros. For searching only, never for answers. */
export function readWhatIsThere(memory: AddressSpace, address: bigint, length: number): Uint8Array {
  return readSparse(memory, address, length).bytes;
}
