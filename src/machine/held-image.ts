/**
 * A dump whose decoded pages are kept: a page is the same array each time it is asked for, so that
 * machines, disks and caches can refer to it instead of copying it.
 */

import { lowerBound } from '../bytes/ranges.ts';
import { isZeroPage, zeroPageOf } from '../dump/content.ts';
import { DumpOver } from '../dump/dump-over.ts';
import type { Dump, Page, PageRun, PageState } from '../dump/types.ts';
import { SharedDump } from './shared-image.ts';

/** Above this, pages are decoded anew: still right, only slower. */
const defaultLimit = 512 * 1024 * 1024;

/** `dump` itself is neither changed nor closed; one that is held already is given back. */
export function heldDump(dump: Dump, limitBytes = defaultLimit): Dump {
  return dump instanceof HeldDump || dump instanceof SharedDump
    ? dump
    : new HeldDump(dump, limitBytes);
}

class HeldDump extends DumpOver {
  readonly #limitBytes: number;
  readonly #held = new HeldPages();
  readonly #zeroPage: Uint8Array;
  #bytesHeld = 0;
  #runs: readonly PageRun[] | undefined;
  #states: StateIndex | undefined;

  constructor(dump: Dump, limitBytes: number) {
    super(dump);
    this.#limitBytes = limitBytes;
    this.#zeroPage = zeroPageOf(dump.pageSize);
  }

  override state(pfn: number): PageState {
    this.#states ??= new StateIndex(this.runs());
    return this.#states.at(pfn);
  }

  override runs(): readonly PageRun[] {
    this.#runs ??= [...super.runs()];
    return this.#runs;
  }

  override readPage(pfn: number): Page {
    const known = this.#held.get(pfn);
    if (known !== undefined) return known;
    const page = super.readPage(pfn);
    if (page.bytes === undefined) return page;
    if (isZeroPage(page.bytes)) {
      const zero = { ...page, bytes: this.#zeroPage };
      this.#held.set(pfn, zero);
      return zero;
    }
    const size = page.bytes.length;
    if (this.#bytesHeld + size > this.#limitBytes) return page;
    this.#held.set(pfn, page);
    this.#bytesHeld += size;
    return page;
  }
}

/** Pages of one block; a PFN can be larger than any array is long. */
const blockPages = 1024;

class HeldPages {
  readonly #blocks = new Map<number, (Page | undefined)[]>();

  get(pfn: number): Page | undefined {
    return this.#blocks.get(Math.floor(pfn / blockPages))?.[pfn % blockPages];
  }

  set(pfn: number, page: Page): void {
    const number = Math.floor(pfn / blockPages);
    let block = this.#blocks.get(number);
    if (block === undefined) {
      block = new Array<Page | undefined>(blockPages);
      this.#blocks.set(number, block);
    }
    block[pfn % blockPages] = page;
  }
}

/** The states by their runs: a reader looks into its index for each page. */
class StateIndex {
  readonly #runs: readonly PageRun[];
  readonly #ends: Float64Array;
  /** Most questions are about the next page. */
  #last = 0;

  constructor(runs: readonly PageRun[]) {
    this.#runs = runs;
    this.#ends = Float64Array.from(runs, ({ end }) => end);
  }

  at(pfn: number): PageState {
    const last = this.#runs[this.#last];
    if (last === undefined || pfn < last.first || pfn >= last.end) {
      this.#last = lowerBound(this.#ends, pfn + 1);
    }
    const run = this.#runs[this.#last];
    return run === undefined || pfn < run.first ? 'missing' : run.state;
  }
}
