/**
 * Copy on write: all pages are write-protected at the instant; the first write through page tables
 * to one of them faults, and the fault handler, which cannot sleep, keeps what the page held in a
 * queue of bounded size. Devices write past the page tables: what DMA changes is not kept.
 */

import type { Page } from '../../dump/types.ts';
import type { MachineMemory } from '../../machine/memory.ts';
import type { PageTracker } from '../../machine/tracker.ts';

export class CopyQueue {
  readonly #limit: number;
  readonly #tracker: PageTracker;
  readonly #copies = new Map<number, Page>();
  /** One past the last page that is on its way to the disk. */
  #sweptTo = 0;
  #highest = 0;
  #isFull = false;

  /** Protects every page. `limit`: pages. */
  constructor(memory: MachineMemory, limit: number) {
    this.#limit = limit;
    this.#tracker = memory.track((pfn, before) => this.#keep(pfn, before), 'through page tables');
  }

  /** A page was written and there was no room for what it held. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The most pages that were kept at a time. */
  get highest(): number {
    return this.#highest;
  }

  /** What a page held, where it was written since; pages are asked for in ascending order. */
  take(pfn: number): Page | undefined {
    const kept = this.#copies.get(pfn);
    this.#copies.delete(pfn);
    this.#sweptTo = pfn + 1;
    return kept;
  }

  end(): void {
    this.#tracker.end();
  }

  #keep(pfn: number, before: Page): void {
    // Behind the sweep a page is protected no more.
    if (pfn < this.#sweptTo || this.#isFull) return;
    this.#isFull = this.#copies.size >= this.#limit;
    if (this.#isFull) return;
    this.#copies.set(pfn, before);
    this.#highest = Math.max(this.#highest, this.#copies.size);
  }
}
