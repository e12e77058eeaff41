/**
 * Every page of a dump by its state. Without reading contents nothing is known of damage: `decode`
 * reads each stored page, and one that cannot be decoded is `damaged`.
 *
 * PFNs that the file knows nothing of (holes between memory) are in no run and in no count. LKCD
 * has no list of the pages that should be there: of such a file nobody can say what is missing.
 */

import type { DumpError } from '../bytes/errors.ts';
import type { Dump, PageRun, PageState } from '../dump/types.ts';

export interface PageCounts {
  readonly stored: number;
  readonly zero: number;
  readonly excluded: number;
  readonly missing: number;
  readonly damaged: number;
}

export interface Census {
  readonly counts: PageCounts;
  /** Ascending; PFNs in none of them are no memory of the dump. */
  readonly runs: readonly PageRun[];
  /** Runs beyond those that are kept. */
  readonly moreRuns: number;
  /** How many pages were decoded: none, or all that are stored. */
  readonly decoded: number;
  /** Why pages are damaged or, though their descriptor is there, missing: the first ones. */
  readonly problems: readonly DumpError[];
}

export interface CensusOptions {
  /** `decode`: read every stored page. `index`: believe the file's own index. */
  readonly depth: 'decode' | 'index';
  readonly progress?: (done: number) => void;
}

/** A dump of single pages has as many runs as pages. */
const maxRuns = 64 * 1024;
const maxProblems = 100;

export function censusOf(dump: Dump, { depth, progress }: CensusOptions): Census {
  const collector = new Collector();
  const lost = new LostPages(dump.lost?.() ?? []);
  let decoded = 0;
  for (const { first, end, state } of dump.runs()) {
    if (state === 'missing') {
      for (const run of lost.within(first, end)) collector.add(run.first, run.end, 'missing');
    } else if (state !== 'stored' || depth === 'index') {
      collector.add(first, end, state);
    } else {
      for (let pfn = first; pfn < end; pfn++) {
        const page = dump.readPage(pfn);
        collector.add(pfn, pfn + 1, page.state, page.problem);
        decoded++;
        if (decoded % 256 === 0) progress?.(decoded);
      }
    }
  }
  return { ...collector.finish(), decoded };
}

/** How many pages the index calls stored: what a census has to decode. */
export function storedPages(dump: Dump): number {
  let pages = 0;
  for (const { first, end, state } of dump.runs()) if (state === 'stored') pages += end - first;
  return pages;
}

/** All pages of a census. */
export function pagesOf({ stored, zero, excluded, missing, damaged }: PageCounts): number {
  return stored + zero + excluded + missing + damaged;
}

class Collector {
  readonly #counts = { stored: 0, zero: 0, excluded: 0, missing: 0, damaged: 0 };
  readonly #runs: PageRun[] = [];
  readonly #problems: DumpError[] = [];
  #moreRuns = 0;
  #last: { first: number; end: number; state: PageState } | undefined;

  add(first: number, end: number, state: PageState, problem?: DumpError): void {
    this.#counts[state] += end - first;
    if (problem !== undefined && this.#problems.length < maxProblems) this.#problems.push(problem);
    if (this.#last?.state === state && this.#last.end === first) {
      this.#last.end = end;
      return;
    }
    this.#push();
    this.#last = { first, end, state };
  }

  finish(): Omit<Census, 'decoded'> {
    this.#push();
    return {
      counts: this.#counts,
      runs: this.#runs,
      moreRuns: this.#moreRuns,
      problems: this.#problems,
    };
  }

  #push(): void {
    if (this.#last === undefined) return;
    if (this.#runs.length < maxRuns) this.#runs.push(this.#last);
    else this.#moreRuns++;
  }
}

/** Lost pages in ascending order, asked for in ascending order. */
class LostPages {
  readonly #runs: Iterator<PageRun>;
  #next: PageRun | undefined;

  constructor(runs: Iterable<PageRun>) {
    this.#runs = runs[Symbol.iterator]();
    this.#step();
  }

  *within(first: number, end: number): Generator<{ first: number; end: number }> {
    while (this.#next !== undefined && this.#next.first < end) {
      const from = Math.max(first, this.#next.first);
      const to = Math.min(end, this.#next.end);
      if (to > from) yield { first: from, end: to };
      if (this.#next.end > end) return;
      this.#step();
    }
  }

  #step(): void {
    const { done, value } = this.#runs.next();
    this.#next = done === true ? undefined : value;
  }
}
