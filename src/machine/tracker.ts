/**
 * The one page tracker: every page is write-protected when it starts, the first write to each is
 * noted. A snapshot keeps what the page held; an incremental checkpoint only remembers the PFN.
 */

import type { Page } from '../dump/types.ts';

export class PageTracker {
  /** PFNs written since the tracker started. */
  readonly written = new Set<number>();
  readonly #onFirstWrite: (pfn: number, before: Page) => void;
  readonly #onEnd: (tracker: PageTracker) => void;

  constructor(
    onFirstWrite: (pfn: number, before: Page) => void,
    onEnd: (tracker: PageTracker) => void,
  ) {
    this.#onFirstWrite = onFirstWrite;
    this.#onEnd = onEnd;
  }

  /** Called by the memory before it changes a page; true where this is the page's first time. */
  note(pfn: number, before: Page): boolean {
    if (this.written.has(pfn)) return false;
    this.written.add(pfn);
    this.#onFirstWrite(pfn, before);
    return true;
  }

  end(): void {
    this.#onEnd(this);
  }
}
