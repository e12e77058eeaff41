/**
 * The one page tracker: every page is write-protected when it starts, the first write to each is
 * noted. Devices write past the page tables: protection sees them only where the machine itself
 * looks on. A snapshot keeps what the page held; an incremental checkpoint only remembers the PFN.
 */

import type { Page } from '../dump/types.ts';

/** Who writes to memory: a CPU through page tables, or a device past them. */
export type Writer = 'CPU' | 'device';
export type Watch = 'every write' | 'through page tables';

export class PageTracker {
  /** PFNs written since the tracker started. */
  readonly written = new Set<number>();
  readonly #watch: Watch;
  readonly #onFirstWrite: (pfn: number, before: Page) => void;
  readonly #onEnd: (tracker: PageTracker) => void;

  constructor(
    watch: Watch,
    onFirstWrite: (pfn: number, before: Page) => void,
    onEnd: (tracker: PageTracker) => void,
  ) {
    this.#watch = watch;
    this.#onFirstWrite = onFirstWrite;
    this.#onEnd = onEnd;
  }

  /** Called by the memory before it changes a page; true where this is the page's first time. */
  note(pfn: number, before: Page, by: Writer): boolean {
    if (this.written.has(pfn)) return false;
    if (by === 'device' && this.#watch !== 'every write') return false;
    this.written.add(pfn);
    this.#onFirstWrite(pfn, before);
    return true;
  }

  end(): void {
    this.#onEnd(this);
  }
}
