/**
 * A Dump over any format: the format's facts and pages behind one bounded page cache.
 *
 * The cache is two generations of half the pages each: a hit in the old one moves the page to the
 * young one; when that is full it becomes the old one. That is close to least recently used, and a
 * hit costs one look-up.
 */

import type { Source } from '../bytes/source.ts';
import type { DumpFacts, OpenedFile, PageReader } from './format.ts';
import type { Dump, Page, PageRun, PageState } from './types.ts';

const defaultCachePages = 4096;

/** The file, or the files of a split dump. */
type Owner = Source | Pick<Source, 'name' | 'close'>;

export class DumpFile implements Dump {
  readonly name: string;
  readonly #source: Owner;
  readonly #facts: DumpFacts;
  readonly #pages: PageReader;
  readonly #generation: number;
  #young = new Map<number, Page>();
  #old = new Map<number, Page>();

  constructor(source: Owner, opened: OpenedFile, cachePages = defaultCachePages) {
    this.name = source.name;
    this.#source = source;
    this.#facts = opened.facts;
    this.#pages = opened.pages;
    this.#generation = Math.ceil(cachePages / 2);
  }

  get file(): Source | undefined {
    return 'read' in this.#source ? this.#source : undefined;
  }

  get pageSize(): number {
    return this.#pages.pageSize;
  }

  get endPfn(): number {
    return this.#pages.endPfn;
  }

  get incomplete(): string | undefined {
    return this.#pages.incomplete;
  }

  lost(): Iterable<PageRun> {
    return this.#pages.lost?.() ?? [];
  }

  get format(): string {
    return this.#facts.format;
  }

  get description(): string {
    return this.#facts.description;
  }

  get architecture(): DumpFacts['architecture'] {
    return this.#facts.architecture;
  }

  get uts(): DumpFacts['uts'] {
    return this.#facts.uts;
  }

  get time(): number | undefined {
    return this.#facts.time;
  }

  get notes(): DumpFacts['notes'] {
    return this.#facts.notes;
  }

  get cpus(): DumpFacts['cpus'] {
    return this.#facts.cpus;
  }

  get vmcoreinfo(): string | undefined {
    return this.#facts.vmcoreinfo;
  }

  get physBase(): bigint | undefined {
    return this.#facts.physBase;
  }

  get panic(): DumpFacts['panic'] {
    return this.#facts.panic;
  }

  get level(): number | undefined {
    return this.#facts.level;
  }

  get inOtherParts(): DumpFacts['inOtherParts'] {
    return this.#facts.inOtherParts;
  }

  state(pfn: number): PageState {
    return this.#pages.state(pfn);
  }

  runs(): Iterable<PageRun> {
    return this.#pages.runs();
  }

  readPage(pfn: number): Page {
    let page = this.#young.get(pfn);
    if (page !== undefined) return page;
    page = this.#old.get(pfn) ?? this.#pages.load(pfn);
    // Pages that are not there cost nothing to ask for again.
    if (page.bytes === undefined) return page;
    if (this.#young.size >= this.#generation) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(pfn, page);
    return page;
  }

  glance(pfn: number): Page {
    return this.#pages.glance?.(pfn) ?? this.#pages.load(pfn);
  }

  close(): void {
    this.#source.close();
  }
}
