/**
 * The machine's physical memory: pages of a dump, copied on the first write, and RAM added above
 * them. A page that the dump does not hold stays a hole until somebody writes all of it. A page's
 * bytes never change once somebody else keeps them (a tracker, a fork, a disk): the writer gets a
 * copy.
 */

import { DumpError } from '../bytes/errors.ts';
import { zeroPageOf } from '../dump/content.ts';
import { joinRuns } from '../dump/runs.ts';
import type { AccessWatcher, MemoryImage, Page, PageRun, PageState } from '../dump/types.ts';
import { PageTracker, type Watch, type Writer } from './tracker.ts';

export interface SavedMemory {
  readonly addedPages: number;
  readonly pages: readonly (readonly [pfn: number, bytes: Uint8Array])[];
}

export class MachineMemory implements MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  /** Of who asks what a method depends on. */
  watcher: AccessWatcher | undefined;
  readonly #base: MemoryImage;
  readonly #written: Map<number, Uint8Array>;
  /** Written pages that nobody else keeps: they are written in place. */
  readonly #mutable = new Set<number>();
  readonly #trackers = new Set<PageTracker>();
  readonly #zeroPage: Uint8Array;
  /** One past the highest PFN of the machine that was. */
  readonly #topPfn: number;
  #addedPages: number;
  #generation = 0;

  /** `topPfn`: RAM may reach further than the pages that the dump holds. */
  constructor(base: MemoryImage, topPfn: number, saved?: SavedMemory) {
    this.name = base.name;
    this.pageSize = base.pageSize;
    this.#base = base;
    this.#topPfn = Math.max(base.endPfn, topPfn);
    this.#zeroPage = zeroPageOf(base.pageSize);
    this.#written = new Map(saved?.pages);
    this.#addedPages = saved?.addedPages ?? 0;
  }

  get endPfn(): number {
    return this.#topPfn + this.#addedPages;
  }

  /** Grows with every write: whoever caches what it read compares it. */
  get generation(): number {
    return this.#generation;
  }

  state(pfn: number): PageState {
    if (this.#written.has(pfn)) return 'stored';
    if (pfn < this.#base.endPfn) return this.#base.state(pfn);
    return this.#isAdded(pfn) ? 'zero' : 'missing';
  }

  readPage(pfn: number): Page {
    const own = this.#written.get(pfn);
    if (own !== undefined) return { state: 'stored', bytes: own };
    if (this.#isAdded(pfn)) return { state: 'zero', bytes: this.#zeroPage };
    if (pfn < this.#base.endPfn) return this.#base.readPage(pfn);
    return { state: 'missing', bytes: undefined };
  }

  /** As `readPage`; whatever is written later, these bytes never change. */
  stablePage(pfn: number): Page {
    this.#mutable.delete(pfn);
    return this.readPage(pfn);
  }

  runs(): Iterable<PageRun> {
    const overrides = [...this.#written.keys()].map((pfn) => [pfn, 'stored'] as const);
    return overlaidRuns(this.#baseRuns(), overrides);
  }

  /** RAM above the top of the machine, all zero. Gives its first PFN. */
  addRam(pages: number): number {
    const first = this.endPfn;
    this.#addedPages += pages;
    return first;
  }

  /**
   * Writes bytes at a physical address. A page without bytes can only be written whole: the rest of
   * it would be an invention (`excluded` or `absent`, naming the page).
   */
  write(physical: bigint, bytes: Uint8Array, by: Writer = 'CPU'): void {
    const size = this.pageSize;
    this.#generation++;
    let at = Number(physical);
    let done = 0;
    while (done < bytes.length) {
      const pfn = Math.floor(at / size);
      const start = at % size;
      const length = Math.min(size - start, bytes.length - done);
      const page = length === size ? this.#replaceable(pfn, by) : this.#writable(pfn, by);
      page.set(bytes.subarray(done, done + length), start);
      done += length;
      at += length;
    }
  }

  /** A page written whole, by an array that nobody changes any more: it is kept, not copied. */
  writePage(pfn: number, bytes: Uint8Array, by: Writer = 'CPU'): void {
    if (pfn < 0 || pfn >= this.endPfn) throw this.#hole(pfn, this.readPage(pfn));
    this.#generation++;
    this.#tell(pfn, this.readPage(pfn), by);
    this.#mutable.delete(pfn);
    this.#written.set(pfn, bytes);
  }

  /** Watches every page: `onFirstWrite` gets each page once, as it was before its first write. */
  track(
    onFirstWrite: (pfn: number, before: Page) => void,
    watch: Watch = 'every write',
  ): PageTracker {
    const tracker = new PageTracker(watch, onFirstWrite, (ended) => this.#trackers.delete(ended));
    this.#trackers.add(tracker);
    return tracker;
  }

  /** Refers to the pages and copies none. */
  save(): SavedMemory {
    this.#mutable.clear();
    return {
      addedPages: this.#addedPages,
      pages: [...this.#written].sort((a, b) => a[0] - b[0]),
    };
  }

  /** Memory that goes its own way from here on; both sides copy a page before they write to it. */
  fork(): MachineMemory {
    this.#mutable.clear();
    const pages = [...this.#written];
    return new MachineMemory(this.#base, this.#topPfn, { addedPages: this.#addedPages, pages });
  }

  /** The bytes of a page of which a part is written. */
  #writable(pfn: number, by: Writer): Uint8Array {
    const before = this.readPage(pfn);
    if (before.bytes === undefined) throw this.#hole(pfn, before);
    return this.#own(pfn, before, by);
  }

  /** The bytes of a page that is written whole: it may have been a hole. */
  #replaceable(pfn: number, by: Writer): Uint8Array {
    const before = this.readPage(pfn);
    if (pfn < 0 || pfn >= this.endPfn) throw this.#hole(pfn, before);
    return this.#own(pfn, before, by);
  }

  #own(pfn: number, before: Page, by: Writer): Uint8Array {
    this.#tell(pfn, before, by);
    const own = this.#written.get(pfn);
    if (own !== undefined && this.#mutable.has(pfn)) return own;
    const copy = before.bytes === undefined ? new Uint8Array(this.pageSize) : before.bytes.slice();
    this.#written.set(pfn, copy);
    this.#mutable.add(pfn);
    return copy;
  }

  /** Before the write. */
  #tell(pfn: number, before: Page, by: Writer): void {
    for (const tracker of this.#trackers) {
      if (tracker.note(pfn, before, by)) this.#mutable.delete(pfn);
    }
  }

  #hole(pfn: number, page: Page): DumpError {
    const where = { file: this.name, pfn, physical: BigInt(pfn) * BigInt(this.pageSize) };
    if (page.problem !== undefined) return page.problem;
    const code = page.state === 'excluded' ? 'excluded' : 'absent';
    return new DumpError(code, `page to write is ${page.state} in the machine's memory`, { where });
  }

  *#baseRuns(): Iterable<PageRun> {
    yield* this.#base.runs();
    yield { first: this.#base.endPfn, end: this.#topPfn, state: 'missing' };
    yield { first: this.#topPfn, end: this.endPfn, state: 'zero' };
  }

  #isAdded(pfn: number): boolean {
    return pfn >= this.#topPfn && pfn < this.endPfn;
  }
}

/** `runs` with the state of single pages replaced; again maximal runs of one state. */
export function overlaidRuns(
  runs: Iterable<PageRun>,
  overrides: readonly (readonly [pfn: number, state: PageState])[],
): Iterable<PageRun> {
  return joinRuns(
    split(
      runs,
      [...overrides].sort((a, b) => a[0] - b[0]),
    ),
  );
}

function* split(
  runs: Iterable<PageRun>,
  sorted: readonly (readonly [pfn: number, state: PageState])[],
): Generator<PageRun> {
  let next = 0;
  for (const run of runs) {
    let at = run.first;
    for (; next < sorted.length && sorted[next]![0] < run.end; next++) {
      const [pfn, state] = sorted[next]!;
      yield { first: at, end: pfn, state: run.state };
      yield { first: pfn, end: pfn + 1, state };
      at = pfn + 1;
    }
    yield { first: at, end: run.end, state: run.state };
  }
}
