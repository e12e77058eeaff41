/** `search`: where memory holds a value or a text. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, latin1Bytes } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { mappedPieces } from '../linux/mapped.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { atMostOne, type Missing, type Options, type Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { hexNumber, hexOrAddress, needWords } from './numbers.ts';
import { type Area, areaOf, memoryOf, type Piece } from './search-area.ts';
import {
  type Hit,
  hitAt,
  hitJson,
  hitLine,
  type Place,
  surroundedLines,
  surroundingsOf,
} from './search-hit.ts';
import { matcherOf, type Needle } from './search-match.ts';
import { type TaskEntry, taskHeader } from './tasks.ts';

/** More is no answer: a search for less common values is. */
const maxHits = 100_000;
const largestText = 4096;
/** Words on either side of a hit. */
const maxSurroundings = 4096;

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['text', 'words', 'halves']);
  atMostOne(options, ['text', 'surroundings']);
  needWords(words, 'search', 'a value, or a text after -c');
  const gaps = new Gaps();
  const area = areaOf(kernel, options, gaps);
  const count = surroundingsGiven(options);
  const needles = words.map((word) => needleOf(kernel, word, options));
  const memory = memoryOf(kernel, area, options, context);
  const search = new Search(kernel, area, memory);
  const around = (hit: Hit): ReturnType<typeof surroundingsOf> =>
    surroundingsOf(memory ?? kernel.physical, hit, count);
  return {
    json: () => ({
      space: area.space,
      part: area.part,
      start: jsonAddress(area.start),
      last: jsonAddress(area.end - 1n),
      hits: Array.from(search.run(needles), (hit) => {
        return hitJson(hit, count === 0 ? undefined : around(hit));
      }),
    }),
    *text() {
      let task: TaskEntry | undefined;
      for (const hit of search.run(needles)) {
        if (hit.task !== undefined && hit.task !== task) {
          if (task !== undefined && count === 0) yield '';
          yield taskHeader(hit.task);
        }
        task = hit.task;
        if (count === 0) yield hitLine(area.space, hit);
        else yield* surroundedLines(hit, around(hit));
      }
    },
    get counted() {
      return `${search.found} found in ${search.searched} pages`;
    },
    get missing() {
      return [...gaps.missing, ...search.missing];
    },
    errors: gaps.errors,
  };
};

/** 0 where none were asked for. */
function surroundingsGiven({ surroundings }: Options): number {
  if (surroundings === undefined) return 0;
  const count = Number(surroundings);
  if (Number.isInteger(count) && count > 0 && count <= maxSurroundings) return count;
  throw new DumpError('usage', `"${surroundings}" is no count of words`, {
    hint: `from 1 to ${maxSurroundings}`,
  });
}

function needleOf(kernel: Kernel, word: string, options: Options): Needle {
  if (options.text === true) {
    const text = latin1Bytes(word);
    if (text.length > 0 && text.length < largestText) return { kind: 'text', word, text };
    throw new DumpError('usage', `a text of ${text.length} characters cannot be searched`);
  }
  const width = options.halves === true ? 2 : options.words === true ? 4 : 8;
  const mask = typeof options.mask === 'string' ? hexNumber(options.mask) : 0n;
  // crash wants parentheses around what is to be calculated.
  const value = hexOrAddress(kernel, word.replace(/^\((.*)\)$/, '$1'));
  const limit = 1n << BigInt(width * 8);
  if (value >= limit || mask >= limit) {
    throw new DumpError('usage', `${word} is more than ${width * 8} bits`);
  }
  return { kind: 'word', word, value, mask, width };
}

/** Hits come as they are found: whoever reads them may stop. */
class Search {
  readonly #kernel: Kernel;
  readonly #area: Area;
  readonly #memory: AddressSpace | undefined;
  /** By why: pages that should be searched and are not in the dump. */
  readonly #lost = new Map<string, number>();
  #isCut = false;
  found = 0;
  /** Pages that were read. */
  searched = 0;

  constructor(kernel: Kernel, area: Area, memory: AddressSpace | undefined) {
    this.#kernel = kernel;
    this.#area = area;
    this.#memory = memory;
  }

  get missing(): Missing[] {
    const lost = [...this.#lost].map(([why, count]) => ({ what: 'pages', count, why }));
    const why = `there are more than ${maxHits}: search a smaller area`;
    return this.#isCut ? [...lost, { what: 'places', count: null, why }] : lost;
  }

  /** Ends after `maxHits`. */
  *run(needles: readonly Needle[]): Generator<Hit> {
    this.#lost.clear();
    this.#isCut = false;
    this.found = 0;
    this.searched = 0;
    const matchers = needles.map((needle) => ({ needle, find: matcherOf(needle) }));
    const overlap = Math.max(...needles.map((needle) => overlapOf(needle)));
    let tail: Place | undefined;
    for (const page of this.#pages()) {
      const place = joined(tail, page, overlap);
      const hits: Hit[] = [];
      for (const { needle, find } of matchers) {
        for (const at of find(place.bytes, Number(place.address & 0xfffn))) {
          hits.push(hitAt(place, at, needle));
        }
      }
      hits.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
      for (const hit of hits) {
        this.found++;
        yield hit;
        if (this.found === maxHits) {
          this.#isCut = true;
          return;
        }
      }
      tail = page;
    }
  }

  *#pages(): Generator<Place> {
    for (const piece of this.#area.pieces) yield* this.#pagesOf(piece);
  }

  *#pagesOf(bounds: Piece): Generator<Place> {
    const memory = this.#memory;
    const { task } = bounds;
    if (memory === undefined) {
      yield* this.#physicalPages(bounds, 0n, task);
      return;
    }
    const lost = (error: DumpError): void => this.#lose(`page table: ${error.message}`);
    for (const piece of mappedPieces(memory.physical, memory.root, bounds, lost)) {
      const { physical, length, virtual } = piece;
      const end = physical + BigInt(length);
      yield* this.#physicalPages({ start: physical, end }, virtual - physical, task);
    }
  }

  /** The addresses of these pages are `shift` higher. */
  *#physicalPages(
    { start, end }: Piece,
    shift: bigint,
    task: TaskEntry | undefined,
  ): Generator<Place> {
    const { dump } = this.#kernel;
    const top = BigInt(dump.endPfn) * BigInt(dump.pageSize);
    const stop = end < top ? end : top;
    for (let at = start; at < stop; ) {
      const next = at - (at & 0xfffn) + 4096n;
      const pfn = Number(at >> 12n);
      const from = Number(at & 0xfffn);
      const to = next <= stop ? 4096 : Number(stop & 0xfffn);
      const bytes = this.#page(pfn);
      if (bytes !== undefined) {
        yield { address: at + shift, bytes: bytes.subarray(from, to), task };
      }
      at = next;
    }
  }

  #page(pfn: number): Uint8Array | undefined {
    const { dump } = this.#kernel;
    const state = dump.state(pfn);
    // Holes between RAM, and devices, are mapped as well: nothing is lost there.
    if (state === 'missing') return undefined;
    if (state === 'excluded') {
      this.#lose('left out by the filter that wrote the dump');
      return undefined;
    }
    const { bytes, problem } = dump.readPage(pfn);
    if (bytes === undefined) this.#lose(problem?.message ?? 'cannot be read');
    else this.searched++;
    return bytes;
  }

  #lose(why: string): void {
    this.#lost.set(why, (this.#lost.get(why) ?? 0) + 1);
  }
}

/** What of a page before may be the beginning of something found. */
function overlapOf(needle: Needle): number {
  return needle.kind === 'text' ? needle.text.length - 1 : 0;
}

/** The page behind the end of the one before it, where that is its neighbour. */
function joined(before: Place | undefined, page: Place, overlap: number): Place {
  if (overlap === 0 || before === undefined || before.task !== page.task) return page;
  if (before.address + BigInt(before.bytes.length) !== page.address) return page;
  const head = before.bytes.subarray(Math.max(0, before.bytes.length - overlap));
  const bytes = new Uint8Array(head.length + page.bytes.length);
  bytes.set(head);
  bytes.set(page.bytes, head.length);
  return { ...page, address: page.address - BigInt(head.length), bytes };
}
