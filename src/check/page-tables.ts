/** Which page tables of an address space can be read; the pages that they map are not looked at. */

import { DumpError } from '../bytes/errors.ts';
import { basePageSize, entryTarget, type PageTableRoot } from '../linux/paging.ts';
import type { PhysicalMemory } from '../linux/physical.ts';

/** Entries of the top table: the lower half maps a process, the upper one the kernel. */
export type Half = 'process' | 'kernel';

const entries = 512;

export class TableWalk {
  readonly #physical: PhysicalMemory;
  readonly #lost: (error: DumpError) => void;
  /** Tables are shared: KASAN's by the million. */
  readonly #seen = new Set<bigint>();
  readonly #limit: number;
  readable = 0;
  lost = 0;

  constructor(physical: PhysicalMemory, lost: (error: DumpError) => void) {
    this.#physical = physical;
    this.#lost = lost;
    // Sound tables are page frames of their own; damaged ones may lead anywhere.
    this.#limit = 4096 + physical.image.endPfn;
  }

  walk(root: PageTableRoot, half: Half): void {
    this.#table(root.physical, root.levels, root, half);
  }

  #table(at: bigint, level: number, root: PageTableRoot, half: Half | 'all'): void {
    if (this.#seen.size >= this.#limit) return;
    const view = this.#read(at);
    if (view === undefined || level === 1) return;
    const first = half === 'kernel' ? entries / 2 : 0;
    const end = half === 'process' ? entries / 2 : entries;
    for (let index = first; index < end; index++) {
      const target = entryTarget(view.getBigUint64(index * 8, true), level, root);
      if (target === undefined || target.isPage || this.#seen.has(target.physical)) continue;
      this.#seen.add(target.physical);
      this.#table(target.physical, level - 1, root, 'all');
    }
  }

  #read(at: bigint): DataView | undefined {
    try {
      const bytes = this.#physical.read(at, basePageSize);
      this.readable++;
      // The walk goes on to other pages while this one is looked at.
      return new DataView(bytes.slice().buffer);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      this.lost++;
      this.#lost(error);
      return undefined;
    }
  }
}
