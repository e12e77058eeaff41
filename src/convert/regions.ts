/** Raw regions of memory, each in a file of its own with its physical address, as one file. */

import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import type { MemoryRange } from '../dump/types.ts';

export interface Region {
  readonly source: Source;
  /** Physical address of the first byte. */
  readonly start: bigint;
}

export interface JoinedRegions {
  /** The regions one after another, ascending. Closing it closes all of them. */
  readonly source: Source;
  readonly ranges: readonly MemoryRange[];
}

/** x86-64's physical addresses have 52 bits. */
const physicalLimit = 1n << 52n;

/** Throws `mismatch` for regions that hold the same memory, `usage` for an address that is none. */
export function joinRegions(regions: readonly Region[]): JoinedRegions {
  const sorted = [...regions].sort((a, b) => (a.start < b.start ? -1 : 1));
  const ranges: MemoryRange[] = [];
  const offsets: number[] = [];
  let size = 0;
  for (const { source, start } of sorted) {
    const end = start + BigInt(source.size);
    const where = { file: source.name, physical: start };
    if (end > physicalLimit) throw new DumpError('usage', 'no memory has this address', { where });
    if (start < (ranges.at(-1)?.end ?? 0n)) {
      throw new DumpError('mismatch', 'holds memory that the region below holds', {
        where,
        hint: 'give each region once, with its own address',
      });
    }
    ranges.push({ start, end });
    offsets.push(size);
    size += source.size;
  }
  const source: Source = {
    name: sorted.map((region) => region.source.name).join(' '),
    size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      for (const [index, region] of sorted.entries()) {
        const at = offsets[index]!;
        const from = Math.max(offset, at);
        const to = Math.min(offset + bytes.length, at + region.source.size);
        if (from < to) bytes.set(region.source.read(from - at, to - from), from - offset);
      }
      return bytes;
    },
    close() {
      for (const region of sorted) region.source.close();
    },
  };
  return { source, ranges };
}
