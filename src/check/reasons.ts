/**
 * Why parts of a kernel cannot be read, counted by cause: a page that a filter left out (and what
 * it took the page for), one that is missing, one that is damaged, a pointer that leads nowhere.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { Dump, PageRun } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { pageLayout } from '../linux/page-layout.ts';
import { classRuns, PageClass } from '../linux/pages.ts';

/** A cause, and how often it was met. */
export interface Reason {
  readonly why: string;
  readonly count: number;
}

/** Of what a filter took a page for, by the page's own struct page. */
export type ClassName =
  | 'cache'
  | 'private-cache'
  | 'user'
  | 'free'
  | 'unusable'
  | 'other'
  /** Its struct page cannot be read. */
  | 'unknown';

export type ClassOf = (pfn: number) => ClassName;

/** Where struct pages cannot be read. */
export const unknownClass: ClassOf = () => 'unknown';

const classNames: ReadonlyMap<number, ClassName> = new Map([
  [PageClass.cache, 'cache'],
  [PageClass.privateCache, 'private-cache'],
  [PageClass.user, 'user'],
  [PageClass.free, 'free'],
  [PageClass.unusable, 'unusable'],
  [PageClass.unknown, 'unknown'],
]);

/** A byte for each PFN, and two million struct pages a second: 256 GB of memory. */
const maxPfns = 2 ** 26;

/** The class of each page of the runs. Throws nothing. */
export function classesOf(dump: Dump, kernel: Kernel, runs: readonly PageRun[]): ClassOf {
  if (dump.endPfn > maxPfns) return unknownClass;
  const classes = attempt(() => {
    const byPfn = new Uint8Array(dump.endPfn);
    for (const { first, end, pageClass } of classRuns(kernel.memory, pageLayout(kernel), runs)) {
      byPfn.fill(pageClass, first, end);
    }
    return byPfn;
  });
  if (classes === undefined) return unknownClass;
  return (pfn) => classNames.get(classes[pfn] ?? -1) ?? 'other';
}

const excludedAs: Readonly<Record<ClassName, string>> = {
  cache: 'left out as page cache',
  'private-cache': 'left out as private page cache',
  user: 'left out as user memory',
  free: 'left out as free memory',
  unusable: 'left out as unusable memory',
  unknown: 'left out by the filter',
  other: 'left out, as zeros or for a reason that struct page does not show',
};

export function explain(error: DumpError, classOf: ClassOf): string {
  const { pfn } = error.where;
  if (error.code === 'excluded') {
    return excludedAs[pfn === undefined ? 'unknown' : classOf(pfn)];
  }
  if (pfn === undefined) return `nothing is mapped there: ${error.message}`;
  if (error.code === 'corrupt') return 'its page is damaged';
  return error.code === 'truncated' ? 'its page is behind the cut' : 'its page is missing';
}

/** Counts reasons; the most frequent comes first. */
export class Reasons {
  readonly #counts = new Map<string, number>();
  readonly #classOf: ClassOf;

  constructor(classOf: ClassOf) {
    this.#classOf = classOf;
  }

  add(error: DumpError, count = 1): void {
    this.say(explain(error, this.#classOf), count);
  }

  say(why: string, count = 1): void {
    // The message of an entry that maps nothing has the entry's value.
    const cause = why.replace(/: not mapped: .*/, '');
    this.#counts.set(cause, (this.#counts.get(cause) ?? 0) + count);
  }

  get list(): readonly Reason[] {
    const all = [...this.#counts].map(([why, count]) => ({ why, count }));
    return all.sort((one, other) => other.count - one.count);
  }

  /** What `read` gives; where it fails the reason is counted. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      this.add(error);
      return undefined;
    }
  }
}
