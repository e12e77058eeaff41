/** Everything that page tables map, in order of virtual addresses, a piece at a time. */

import { DumpError, within } from '../bytes/errors.ts';
import { basePageSize, entryTarget, type PageTableRoot } from './paging.ts';
import type { PhysicalMemory } from './physical.ts';

export interface MappedPiece {
  readonly virtual: bigint;
  readonly physical: bigint;
  /** Bytes: 4 KB, 2 MB or 1 GB, or what of it lies within the bounds. */
  readonly length: number;
}

export interface AddressBounds {
  readonly start: bigint;
  /** One past the last byte; at most 2^64. */
  readonly end: bigint;
}

/** Entries of a table. */
const entries = 512n;

/**
 * The mappings from `start` to `end`. `lost` hears of tables that cannot be read; what they map is
 * left out. Lazy: it has read no further than what was taken from it.
 */
export function mappedPieces(
  physical: PhysicalMemory,
  root: PageTableRoot,
  bounds: AddressBounds,
  lost: (error: DumpError) => void,
): Iterable<MappedPiece> {
  const walk = new Walk(physical, root, bounds, lost);
  const half = 1n << BigInt(12 + 9 * root.levels - 1);
  // The upper half of the table has the addresses that begin with ones.
  const base = bounds.start >= half ? -2n * half + (1n << 64n) : 0n;
  return walk.table(root.physical, root.levels, base);
}

class Walk {
  readonly #physical: PhysicalMemory;
  readonly #root: PageTableRoot;
  readonly #bounds: AddressBounds;
  readonly #lost: (error: DumpError) => void;
  /** Tables still to be read. Damaged ones may lead in circles; sound ones are page frames. */
  #tablesLeft: number;

  constructor(
    physical: PhysicalMemory,
    root: PageTableRoot,
    bounds: AddressBounds,
    lost: (error: DumpError) => void,
  ) {
    this.#physical = physical;
    this.#root = root;
    this.#bounds = bounds;
    this.#lost = lost;
    this.#tablesLeft = 4096 + physical.image.endPfn;
  }

  /** What the table maps, of which the first byte has the address `base`. */
  *table(at: bigint, level: number, base: bigint): Generator<MappedPiece> {
    const view = this.#read(at, base);
    if (view === undefined) return;
    const { start, end } = this.#bounds;
    const size = BigInt(basePageSize) * entries ** BigInt(level - 1);
    const skipped = start > base ? (start - base) / size : 0n;
    for (let index = skipped; index < entries && base + index * size < end; index++) {
      const entry = view.getBigUint64(Number(index) * 8, true);
      const target = entryTarget(entry, level, this.#root);
      if (target === undefined) continue;
      const virtual = base + index * size;
      if (target.isPage) yield this.#piece(virtual, target.physical & ~(size - 1n), size);
      else yield* this.table(target.physical, level - 1, virtual);
      if (this.#tablesLeft < 0) return;
    }
  }

  #piece(virtual: bigint, physical: bigint, size: bigint): MappedPiece {
    const { start, end } = this.#bounds;
    const first = virtual > start ? virtual : start;
    const last = virtual + size < end ? virtual + size : end;
    return { virtual: first, physical: physical + (first - virtual), length: Number(last - first) };
  }

  #read(at: bigint, virtual: bigint): DataView | undefined {
    this.#tablesLeft--;
    if (this.#tablesLeft < 0) {
      this.#lost(new DumpError('corrupt', 'page tables without an end', { where: { virtual } }));
      return undefined;
    }
    try {
      const bytes = within('', { virtual }, () => this.#physical.read(at, basePageSize));
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      this.#lost(error);
      return undefined;
    }
  }
}
