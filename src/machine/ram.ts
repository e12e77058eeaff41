/**
 * Which physical addresses are RAM to the kernel: the "System RAM" entries of its resource tree,
 * /proc/iomem to its users. Source: include/linux/ioport.h, kernel/resource.c.
 */

import { DumpError } from '../bytes/errors.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { viewObject } from '../linux/objects.ts';
import type { TypeTable } from '../linux/types.ts';

export interface PhysicalRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Firmware describes at most some hundred ranges. */
const maxResources = 4096;

/** The ranges of System RAM, ascending. Throws DumpErrors where the tree cannot be read. */
export function systemRam(
  reader: { readonly memory: AddressSpace; readonly types: TypeTable },
  iomemResource: bigint,
): PhysicalRange[] {
  const ranges: PhysicalRange[] = [];
  let address = pointer(reader, iomemResource, 'child');
  for (let count = 0; address !== 0n; count++) {
    if (count > maxResources) {
      throw new DumpError('corrupt', `more than ${maxResources} resources in a row`, {
        where: { virtual: address },
      });
    }
    const resource = viewObject(reader, 'struct resource', address);
    const name = reader.memory.cstring(pointer(reader, address, 'name'), 32);
    if (name === 'System RAM') {
      ranges.push({ start: Number(resource.start), end: Number(resource.end) + 1 });
    }
    address = pointer(reader, address, 'sibling');
  }
  return ranges.sort((a, b) => a.start - b.start);
}

/** Where the resource tree cannot be read: whatever the image does not call missing. */
export function ramOfImage(image: MemoryImage): PhysicalRange[] {
  const ranges: { start: number; end: number }[] = [];
  for (const run of image.runs()) {
    if (run.state === 'missing') continue;
    const start = run.first * image.pageSize;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = run.end * image.pageSize;
    else ranges.push({ start, end: run.end * image.pageSize });
  }
  return ranges;
}

/** What is left of `ranges` without the bytes `start` to `end`. */
export function without(
  ranges: readonly PhysicalRange[],
  { start, end }: PhysicalRange,
): PhysicalRange[] {
  return ranges.flatMap((range) =>
    [
      { start: range.start, end: Math.min(range.end, start) },
      { start: Math.max(range.start, end), end: range.end },
    ].filter((rest) => rest.start < rest.end),
  );
}

/** The page frames that a range touches. */
export function pagesOf(range: PhysicalRange, pageSize: number): { first: number; end: number } {
  return { first: Math.floor(range.start / pageSize), end: Math.ceil(range.end / pageSize) };
}

function pointer(
  reader: { readonly memory: AddressSpace; readonly types: TypeTable },
  resource: bigint,
  member: string,
): bigint {
  const offset = reader.types.offsetOf('struct resource', member);
  return reader.memory.u64(resource + BigInt(offset));
}
