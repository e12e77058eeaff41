/** Handing out the pages of a reserved region, cleared, around those that lie where they lie. */

import { assert } from '../bytes/errors.ts';
import { basePageSize } from '../linux/paging.ts';
import type { MachineMemory } from './memory.ts';
import type { Segment } from './purgatory.ts';
import type { PhysicalRange } from './ram.ts';

export class RegionPages {
  readonly region: PhysicalRange;
  readonly #memory: MachineMemory;
  readonly #kept: PhysicalRange[] = [];
  #next: number;

  constructor(memory: MachineMemory, region: PhysicalRange) {
    this.region = region;
    this.#memory = memory;
    this.#next = region.start;
  }

  /** Pages at a given place, cleared. */
  keep(start: number, size: number): void {
    this.#kept.push({ start, end: start + size });
    this.#memory.write(BigInt(start), new Uint8Array(size));
  }

  /** Cleared pages in one piece, at a multiple of `align` bytes; their physical address. */
  take(size: number, align = basePageSize): number {
    const length = Math.ceil(size / basePageSize) * basePageSize;
    let start = Math.ceil(this.#next / align) * align;
    for (;;) {
      const hit = this.#kept.find((range) => range.start < start + length && range.end > start);
      if (hit === undefined) break;
      start = Math.ceil(hit.end / align) * align;
    }
    assert(start + length <= this.region.end, 'a region has room for what it is taken for');
    this.#next = start + length;
    this.#memory.write(BigInt(start), new Uint8Array(length));
    return start;
  }

  /** Pages with these bytes, zeros to the end of the last one. */
  fill(bytes: Uint8Array): Segment {
    const start = this.take(bytes.length);
    this.#memory.write(BigInt(start), bytes);
    return { start, size: Math.ceil(bytes.length / basePageSize) * basePageSize };
  }
}
