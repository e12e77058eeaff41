/**
 * The names of kallsyms, put together from tokens. Each begins where the one before it ends, so a
 * lost page would cost all that follow, but for the markers: they say where every 256th begins.
 * Source: scripts/kallsyms.c.
 */

import { DumpError } from '../bytes/errors.ts';
import type { KallsymsTables } from './kallsyms-tables.ts';
import type { AddressSpace } from './memory.ts';
import { type Hole, readSparse, touchesHole } from './sparse.ts';

const maxNamesBytes = 64 * 1024 * 1024;
const maxTokenBytes = 256;
const symbolsPerMarker = 256;
/** A name takes its length and one token at least, and no kernel's mean length is above this. */
const markerStep = { least: 2 * symbolsPerMarker, most: 130 * symbolsPerMarker };
const alignment = 8;
/** What stands for a name that the dump does not have; `?` is the nm letter of what is unknown. */
export const lostName = '(lost)';
const lostText = Uint8Array.from(`?${lostName}`, (character) => character.charCodeAt(0));

export interface Names {
  /** Of each symbol its nm letter and its name, and NUL. */
  readonly text: Uint8Array;
  /** Where each name starts, behind the letter. */
  readonly starts: Uint32Array;
  readonly lost: number;
  /** Why some are lost. */
  readonly problem: DumpError | undefined;
}

/** Throws where not a single name can be had. */
export function readNames(memory: AddressSpace, tables: KallsymsTables): Names {
  const tokens = readTokens(memory, tables);
  // The token table always stands behind the names (markers between them), in the order of before
  // v6.4 and in today's; so it bounds how far names may reach.
  const length = Number(tables.tokenTable - tables.names);
  if (length <= 0 || length > maxNamesBytes) {
    throw new DumpError('corrupt', `the token table is ${length} bytes behind the names`);
  }
  const { bytes, holes, problem } = readSparse(memory, tables.names, length);
  const expander = new Expander(bytes, holes, tokens, tables.count);
  const markers = findMarkers(bytes, holes, tables.count);
  const groups = Math.ceil(tables.count / symbolsPerMarker);
  let at: number | undefined = 0;
  for (let group = 0; group < groups; group++) {
    const begin: number | undefined = markers?.[group] ?? at;
    at = begin === undefined ? expander.skip(group) : expander.group(group, begin, markers);
  }
  const names = expander.finish();
  if (names.lost === 0) return { ...names, problem: undefined };
  const failure = problem ?? expander.failure;
  if (names.lost === tables.count || (markers === undefined && problem === undefined)) {
    throw failure;
  }
  return { ...names, problem: failure };
}

function readTokens(memory: AddressSpace, tables: KallsymsTables): Uint8Array[] {
  const index = memory.view(tables.tokenIndex, 512);
  const last = index.getUint16(510, true);
  const table = memory.read(tables.tokenTable, last + maxTokenBytes);
  return Array.from({ length: 256 }, (_, token) => {
    const start = index.getUint16(token * 2, true);
    const end = table.indexOf(0, start);
    if (end < 0) throw new DumpError('corrupt', `token ${token} has no end`);
    return table.slice(start, end);
  });
}

/** Where each group begins; undefined where that is in a hole. */
type Markers = readonly (number | undefined)[];

/**
 * The table of markers, which ends where the token table begins, or where seqs_of_names (v6.2 and
 * v6.3) does: three bytes a symbol. A marker has 8 bytes before v4.20. Undefined where nothing
 * there ascends as markers do.
 */
function findMarkers(
  bytes: Uint8Array,
  holes: readonly Hole[],
  count: number,
): Markers | undefined {
  const groups = Math.ceil(count / symbolsPerMarker);
  const sequences = aligned(count * 3);
  for (const behind of [0, sequences]) {
    for (const width of [4, 8]) {
      const start = bytes.length - behind - aligned(groups * width);
      if (start < count) continue;
      const found = markersAt(bytes, holes, start, { groups, width });
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function aligned(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function markersAt(
  bytes: Uint8Array,
  holes: readonly Hole[],
  start: number,
  { groups, width }: { readonly groups: number; readonly width: number },
): Markers | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const markers: (number | undefined)[] = [];
  let known = 0;
  let last = { group: 0, offset: 0 };
  for (let group = 0; group < groups; group++) {
    const at = start + group * width;
    if (touchesHole(holes, at, at + width)) {
      markers.push(undefined);
      continue;
    }
    const offset = view.getUint32(at, true);
    const steps = group - last.group;
    const step = offset - last.offset;
    const isStep = step >= steps * markerStep.least && step <= steps * markerStep.most;
    const isPlain = width === 4 || view.getUint32(at + 4, true) === 0;
    if (!isStep || !isPlain || offset >= start) return undefined;
    markers.push(offset);
    last = { group, offset };
    known++;
  }
  return known * 2 > groups ? markers : undefined;
}

class Expander {
  /** The first name that makes no sense. */
  failure = new DumpError('corrupt', 'the names of kallsyms make no sense');
  readonly #bytes: Uint8Array;
  readonly #holes: readonly Hole[];
  readonly #tokens: readonly Uint8Array[];
  readonly #count: number;
  readonly #starts: Uint32Array;
  #text: Uint8Array;
  #end = 0;
  #lost = 0;

  constructor(
    bytes: Uint8Array,
    holes: readonly Hole[],
    tokens: readonly Uint8Array[],
    count: number,
  ) {
    this.#bytes = bytes;
    this.#holes = holes;
    this.#tokens = tokens;
    this.#count = count;
    this.#starts = new Uint32Array(count);
    this.#text = new Uint8Array(count * 32);
  }

  finish(): { readonly text: Uint8Array; readonly starts: Uint32Array; readonly lost: number } {
    return { text: this.#text.slice(0, this.#end), starts: this.#starts, lost: this.#lost };
  }

  /** Nothing is known of the group. */
  skip(group: number): undefined {
    this.#lose(group * symbolsPerMarker, this.#last(group));
    return undefined;
  }

  /** Where the next group begins; undefined where this one does not lead there. */
  group(group: number, begin: number, markers: Markers | undefined): number | undefined {
    const first = group * symbolsPerMarker;
    const last = this.#last(group);
    const before = this.#end;
    const next = markers?.[group + 1];
    const hole = this.#holes.find(({ end }) => end > begin);
    const limit = Math.min(hole?.start ?? this.#bytes.length, next ?? this.#bytes.length);
    const { symbol, at } = this.#expand({ first, last }, begin, limit);
    if (symbol === last && (next === undefined || at === next)) return at;
    if (hole !== undefined && limit === hole.start) {
      this.#lose(symbol, last);
      return undefined;
    }
    // Other bytes stand there than names: nobody knows since when.
    const message = `name ${symbol} of ${this.#count} does not lead to the next`;
    this.failure = new DumpError('corrupt', message);
    this.#end = before;
    this.#lose(first, last);
    return undefined;
  }

  /** How far the names from `from` make sense. All in one loop: most of a first answer is here. */
  #expand(
    { first, last }: { readonly first: number; readonly last: number },
    from: number,
    limit: number,
  ): { readonly symbol: number; readonly at: number } {
    const names = this.#bytes;
    const tokens = this.#tokens;
    const starts = this.#starts;
    let text = this.#text;
    let end = this.#end;
    let at = from;
    let symbol = first;
    for (; symbol < last && at + 2 <= limit; symbol++) {
      let start = at;
      let length = names[start++]!;
      // Two bytes since v6.1 (73bbb94466fd "kallsyms: support "big" kernel symbols").
      if (length >= 0x80) length = (length & 0x7f) | (names[start++]! << 7);
      const stop = start + length;
      if (length === 0 || stop > limit) break;
      if (end + length * maxTokenBytes > text.length) {
        text = grown(text, end, length * maxTokenBytes);
      }
      starts[symbol] = end + 1;
      for (let index = start; index < stop; index++) {
        const token = tokens[names[index]!]!;
        // Most tokens are one to four bytes: a loop beats set().
        for (let byte = 0; byte < token.length; byte++) text[end++] = token[byte]!;
      }
      text[end++] = 0;
      at = stop;
    }
    this.#text = text;
    this.#end = end;
    return { symbol, at };
  }

  #last(group: number): number {
    return Math.min((group + 1) * symbolsPerMarker, this.#count);
  }

  #lose(from: number, to: number): void {
    for (let symbol = from; symbol < to; symbol++) {
      const room = lostText.length + 1;
      if (this.#end + room > this.#text.length) this.#text = grown(this.#text, this.#end, room);
      this.#starts[symbol] = this.#end + 1;
      this.#text.set(lostText, this.#end);
      this.#end += lostText.length;
      this.#text[this.#end++] = 0;
    }
    this.#lost += to - from;
  }
}

/** The first `end` bytes, and room for more. */
function grown(text: Uint8Array, end: number, more: number): Uint8Array {
  const larger = new Uint8Array(text.length * 2 + more);
  larger.set(text.subarray(0, end));
  return larger;
}
