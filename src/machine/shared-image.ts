/**
 * Images that threads share: decoded pages in shared memory, once each however many images have
 * them, and the rest of a dump as plain data. What is handed to another thread (structured clone)
 * refers to the same memory.
 */

import { DumpError } from '../bytes/errors.ts';
import { isZeroPage, zeroPageOf } from '../dump/content.ts';
import { DumpOver } from '../dump/dump-over.ts';
import { joinRuns } from '../dump/runs.ts';
import type { Dump, Page, PageRun, PageState } from '../dump/types.ts';

/** Plain data. */
export interface SharedImage {
  readonly facts: SharedFacts;
  /** By PFN: where its bytes are among the shared pages, or a state without bytes. */
  readonly places: Int32Array;
  /** Pages at a fractional edge of RAM. */
  readonly edges: readonly (readonly [pfn: number, present: NonNullable<Page['present']>])[];
}

type SharedFacts = Pick<
  Dump,
  | 'name'
  | 'pageSize'
  | 'endPfn'
  | 'format'
  | 'description'
  | 'architecture'
  | 'uts'
  | 'time'
  | 'notes'
  | 'cpus'
  | 'vmcoreinfo'
  | 'physBase'
  | 'panic'
  | 'level'
  | 'incomplete'
>;

/** In `places`, for pages without bytes of their own. */
const without: readonly PageState[] = ['zero', 'missing', 'excluded', 'damaged'];
const placeOfState = new Map(without.map((state, index) => [state, -1 - index]));

/** Pages to a block of shared memory. */
const blockPages = 1024;

/** Where the first thread puts its pages. */
export class PageShop {
  readonly blocks: Uint8Array[] = [];
  readonly #known = new Map<Uint8Array, number>();
  #pages = 0;

  /** The dump's pages must be the same arrays each time: those of several images are kept once. */
  share(dump: Dump): SharedImage {
    const places = new Int32Array(new SharedArrayBuffer(4 * dump.endPfn));
    const edges: [number, NonNullable<Page['present']>][] = [];
    for (let pfn = 0; pfn < dump.endPfn; pfn++) {
      const page = dump.readPage(pfn);
      places[pfn] = this.#placeOf(page);
      if (page.present !== undefined) edges.push([pfn, page.present]);
    }
    const { name, pageSize, endPfn, format, description, architecture, uts, time } = dump;
    const { notes, cpus, vmcoreinfo, physBase, panic, level, incomplete } = dump;
    return {
      facts: {
        ...{ name, pageSize, endPfn, format, description, architecture, uts, time },
        ...{ notes, cpus, vmcoreinfo, physBase, panic, level, incomplete },
      },
      places,
      edges,
    };
  }

  /** The same bytes in shared memory. */
  page(bytes: Uint8Array): Uint8Array {
    return viewOf(this.blocks, this.#add(bytes), bytes.length);
  }

  #placeOf({ state, bytes }: Page): number {
    if (bytes === undefined) return placeOfState.get(state)!;
    return isZeroPage(bytes) ? placeOfState.get('zero')! : this.#add(bytes);
  }

  #add(bytes: Uint8Array): number {
    const known = this.#known.get(bytes);
    if (known !== undefined) return known;
    const place = this.#pages++;
    const block = Math.floor(place / blockPages);
    this.blocks[block] ??= new Uint8Array(new SharedArrayBuffer(blockPages * bytes.length));
    viewOf(this.blocks, place, bytes.length).set(bytes);
    this.#known.set(bytes, place);
    return place;
  }
}

function viewOf(blocks: readonly Uint8Array[], place: number, pageSize: number): Uint8Array {
  const start = (place % blockPages) * pageSize;
  return blocks[Math.floor(place / blockPages)]!.subarray(start, start + pageSize);
}

/** The pages as one thread sees them: the same array each time, in all images. */
export class SharedPages {
  readonly #blocks: readonly Uint8Array[];
  readonly #pages: Page[] = [];

  constructor(blocks: readonly Uint8Array[]) {
    this.#blocks = blocks;
  }

  at(place: number, pageSize: number): Page {
    let page = this.#pages[place];
    if (page === undefined) {
      page = { state: 'stored', bytes: viewOf(this.#blocks, place, pageSize) };
      this.#pages[place] = page;
    }
    return page;
  }
}

/** Its pages are the same arrays each time, and never change. */
export class SharedDump extends DumpOver {
  readonly #pages: SharedPages;
  readonly #image: SharedImage;
  readonly #edges: ReadonlyMap<number, Page>;
  #runs: readonly PageRun[] | undefined;

  constructor(image: SharedImage, pages: SharedPages) {
    super({ ...image.facts, ...nobody });
    this.#image = image;
    this.#pages = pages;
    const { places, facts } = image;
    this.#edges = new Map(
      image.edges.map(([pfn, present]) => {
        return [pfn, { ...pages.at(places[pfn]!, facts.pageSize), present }];
      }),
    );
  }

  override state(pfn: number): PageState {
    const place = this.#image.places[pfn];
    if (place === undefined) return 'missing';
    return place < 0 ? without[-1 - place]! : 'stored';
  }

  override readPage(pfn: number): Page {
    const place = this.#image.places[pfn];
    if (place !== undefined && place >= 0) {
      return this.#edges.get(pfn) ?? this.#pages.at(place, this.pageSize);
    }
    const state = this.state(pfn);
    if (state === 'zero') return { state, bytes: zeroPageOf(this.pageSize) };
    if (state !== 'damaged') return { state, bytes: undefined };
    const problem = new DumpError('corrupt', 'the page cannot be decoded', { where: { pfn } });
    return { state, bytes: undefined, problem };
  }

  override runs(): readonly PageRun[] {
    this.#runs ??= [...joinRuns(this.#each())];
    return this.#runs;
  }

  *#each(): Generator<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
    }
  }
}

/** What a dump is besides its facts is the shared one's own. */
const nobody: Pick<Dump, 'state' | 'readPage' | 'runs' | 'close'> = {
  state: () => 'missing',
  readPage: () => ({ state: 'missing', bytes: undefined }),
  runs: () => [],
  close: () => {},
};
