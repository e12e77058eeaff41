/**
 * What was worked out from a dump, remembered together with every page that it was worked out from.
 * Asked of a dump in which those pages and the facts of the header are the same, the answer is the
 * same: thousands of runs over one memory then pay only for what their damage touches.
 */

import { sameBytes } from '../bytes/compare.ts';
import { DumpOver } from '../dump/dump-over.ts';
import type { Dump, MemoryImage, Page, PageRun, PageState } from '../dump/types.ts';

interface Entry<T> {
  readonly facts: string;
  readonly pages: readonly (readonly [pfn: number, bytes: Uint8Array | undefined])[];
  readonly value: T;
}

/** A damaged memory is seldom met twice; the sound one, and what a method makes of it, always. */
const maxEntries = 32;

export class Remembered<T> {
  readonly #compute: (dump: Dump) => T;
  readonly #facts: (dump: Dump) => unknown;
  /** Least recently used first. */
  #entries: Entry<T>[] = [];

  /**
   * `compute` reads nothing but pages of the dump that it is given and what `facts` names of it.
   * The dumps' pages must be arrays that never change.
   */
  constructor(compute: (dump: Dump) => T, facts: (dump: Dump) => unknown) {
    this.#compute = compute;
    this.#facts = facts;
  }

  of(dump: Dump): T {
    const facts = JSON.stringify(this.#facts(dump), plain);
    const at = this.#entries.findLastIndex(
      (entry) => entry.facts === facts && isSame(entry.pages, dump),
    );
    const known = this.#entries[at];
    if (known !== undefined) {
      this.#entries.splice(at, 1);
      this.#entries.push(known);
      return known.value;
    }
    const reading = new RecordedDump(dump);
    const value = this.#compute(reading);
    const pages = [...reading.pages];
    this.#entries.push({ facts, pages, value });
    if (this.#entries.length > maxEntries) this.#entries.shift();
    return value;
  }
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function isSame(pages: Entry<unknown>['pages'], image: MemoryImage): boolean {
  return pages.every(([pfn, bytes]) => {
    const found = pfn < image.endPfn ? image.readPage(pfn).bytes : undefined;
    return (
      found === bytes || (found !== undefined && bytes !== undefined && sameBytes(found, bytes))
    );
  });
}

/** The same dump; which pages were asked for is written down. */
class RecordedDump extends DumpOver {
  readonly pages = new Map<number, Uint8Array | undefined>();

  override readPage(pfn: number): Page {
    const page = super.readPage(pfn);
    this.pages.set(pfn, page.bytes);
    return page;
  }

  override state(pfn: number): PageState {
    this.readPage(pfn);
    return super.state(pfn);
  }

  /** Whoever goes through all pages depends on all of them. */
  override runs(): Iterable<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) this.readPage(pfn);
    return super.runs();
  }
}
