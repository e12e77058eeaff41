/** `search`: where memory holds a value or a text. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, latin1Bytes } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { mappedPieces } from '../linux/mapped.ts';
import { hex } from './columns.ts';
import { type Answer, atMostOne, type Json, type Missing, type Options } from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { hexNumber, hexOrAddress, needWords } from './numbers.ts';
import { matcherOf, type Needle } from './search-match.ts';

/** More is no answer: a search for less common values is. */
const maxHits = 100_000;
/** A text is shown with what follows it, up to so many characters in all. */
const textShown = 56;
const largestText = 4096;
const wholeSpace = 1n << 64n;
/** Where the lower half of the address space ends, by levels of page tables. */
const userEnd = { 4: 1n << 47n, 5: 1n << 56n } as const;

type Space = 'kernel' | 'user' | 'physical';

interface Area {
  readonly space: Space;
  readonly start: bigint;
  readonly end: bigint;
}

interface Hit {
  readonly address: bigint;
  readonly needle: Needle;
  /** The word that was found, with the bits that were masked; of a text what follows it. */
  readonly value: bigint;
  readonly text: string;
}

/** One page that is searched. */
interface Place {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  atMostOne(options, ['kernel', 'physical', 'user']);
  atMostOne(options, ['text', 'words', 'halves']);
  atMostOne(options, ['end', 'length']);
  needWords(words, 'search', 'a value, or a text after -c');
  const area = areaOf(kernel, options);
  const needles = words.map((word) => needleOf(kernel, word, options));
  const search = new Search(kernel, options, area);
  const hits = [...search.run(needles)];
  return {
    json: () => ({
      space: area.space,
      start: jsonAddress(area.start),
      last: jsonAddress(area.end - 1n),
      hits: hits.map(hitJson),
    }),
    *text() {
      for (const hit of hits) yield hitLine(area.space, hit);
    },
    counted: `${hits.length} found in ${search.searched} pages`,
    missing: search.missing,
  };
}

function areaOf(kernel: Kernel, options: Options): Area {
  const space = options.physical
    ? 'physical'
    : options.user || options.task !== undefined
      ? 'user'
      : 'kernel';
  const place = (word: string): bigint =>
    space === 'kernel' ? hexOrAddress(kernel, word) : hexNumber(word);
  const half = userEnd[kernel.memory.root.levels];
  const bounds: Readonly<Record<Space, readonly [bigint, bigint]>> = {
    kernel: [wholeSpace - half, wholeSpace],
    user: [0n, half],
    physical: [0n, BigInt(kernel.dump.endPfn) * BigInt(kernel.dump.pageSize)],
  };
  const [lowest, highest] = bounds[space];
  const start = typeof options.start === 'string' ? place(options.start) : lowest;
  let end = typeof options.end === 'string' ? place(options.end) : highest;
  if (typeof options.length === 'string') end = start + lengthOf(options.length);
  if (end > highest) end = highest;
  if (start >= lowest && start < end) return { space, start, end };
  throw new DumpError('usage', `no ${space} memory from ${hex(start)} to ${hex(end)}`, {
    hint: 'the option -u means user memory, -p physical memory',
  });
}

/** Decimal, or hexadecimal with 0x. */
function lengthOf(word: string): bigint {
  if (/^(\d{1,18}|0x[0-9a-f]{1,15})$/i.test(word)) return BigInt(word);
  throw new DumpError('usage', `"${word}" is no length in bytes`);
}

function needleOf(kernel: Kernel, word: string, options: Options): Needle {
  if (options.text === true) {
    const text = latin1Bytes(word);
    if (text.length > 0 && text.length < largestText) return { kind: 'text', word, text };
    throw new DumpError('usage', `a text of ${text.length} characters cannot be searched`);
  }
  const width = options.halves === true ? 2 : options.words === true ? 4 : 8;
  const mask = typeof options.mask === 'string' ? hexNumber(options.mask) : 0n;
  const value = hexOrAddress(kernel, word);
  const limit = 1n << BigInt(width * 8);
  if (value >= limit || mask >= limit) {
    throw new DumpError('usage', `${word} is more than ${width * 8} bits`);
  }
  return { kind: 'word', word, value, mask, width };
}

class Search {
  readonly #kernel: Kernel;
  readonly #options: Options;
  readonly #area: Area;
  /** By why: pages that should be searched and are not in the dump. */
  readonly #lost = new Map<string, number>();
  #isCut = false;
  /** Pages that were read. */
  searched = 0;

  constructor(kernel: Kernel, options: Options, area: Area) {
    this.#kernel = kernel;
    this.#options = options;
    this.#area = area;
  }

  get missing(): Missing[] {
    const lost = [...this.#lost].map(([why, count]) => ({ what: 'pages', count, why }));
    const why = `there are more than ${maxHits}: search a smaller area`;
    return this.#isCut ? [...lost, { what: 'places', count: null, why }] : lost;
  }

  /** Ends after `maxHits`. */
  *run(needles: readonly Needle[]): Generator<Hit> {
    const matchers = needles.map((needle) => ({ needle, find: matcherOf(needle) }));
    const overlap = Math.max(...needles.map((needle) => overlapOf(needle)));
    let count = 0;
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
        yield hit;
        count++;
        if (count === maxHits) {
          this.#isCut = true;
          return;
        }
      }
      tail = page;
    }
  }

  *#pages(): Generator<Place> {
    if (this.#area.space === 'physical') {
      yield* this.#physicalPages(this.#area.start, this.#area.end, 0n);
      return;
    }
    const { task } = this.#options;
    const memory =
      this.#area.space === 'kernel'
        ? this.#kernel.memory
        : addressSpaceOf(
            this.#kernel,
            contextTask(this.#kernel, typeof task === 'string' ? task : undefined),
          );
    const lost = (error: DumpError): void => this.#lose(`page table: ${error.message}`);
    for (const piece of mappedPieces(memory.physical, memory.root, this.#area, lost)) {
      const { physical, length, virtual } = piece;
      yield* this.#physicalPages(physical, physical + BigInt(length), virtual - physical);
    }
  }

  /** Pages from `start` to `end`; their addresses are `shift` higher. */
  *#physicalPages(start: bigint, end: bigint, shift: bigint): Generator<Place> {
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
        yield { address: at + shift, bytes: bytes.subarray(from, to) };
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
  if (overlap === 0 || before === undefined) return page;
  if (before.address + BigInt(before.bytes.length) !== page.address) return page;
  const head = before.bytes.subarray(Math.max(0, before.bytes.length - overlap));
  const bytes = new Uint8Array(head.length + page.bytes.length);
  bytes.set(head);
  bytes.set(page.bytes, head.length);
  return { address: page.address - BigInt(head.length), bytes };
}

function hitAt({ address, bytes }: Place, at: number, needle: Needle): Hit {
  const place = { address: address + BigInt(at), needle };
  if (needle.kind === 'text') {
    const shown = bytes.subarray(at, at + textShown);
    const text = String.fromCharCode(...shown.map((byte) => (isPlain(byte) ? byte : 0x2e)));
    return { ...place, value: 0n, text };
  }
  let value = 0n;
  for (let byte = needle.width - 1; byte >= 0; byte--) {
    value = (value << 8n) | BigInt(bytes[at + byte]!);
  }
  return { ...place, value, text: '' };
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}

/** As in crash, a value that was given by name is followed by the name. */
function hitLine(space: Space, { address, needle, value, text }: Hit): string {
  const place = space === 'kernel' ? hex(address).padStart(16, '0') : hex(address);
  if (needle.kind === 'text') return `${place}: ${text}`;
  const isName = !/^(0x)?[0-9a-f]+$/i.test(needle.word);
  return `${place}: ${hex(value)} ${isName ? `(${needle.word})` : ''}`;
}

function hitJson({ address, needle, value, text }: Hit): Json {
  const isText = needle.kind === 'text';
  return {
    address: jsonAddress(address),
    searched: needle.word,
    value: isText ? null : jsonAddress(value),
    text: isText ? text : null,
  };
}
