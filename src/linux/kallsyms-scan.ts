/**
 * Finds kallsyms in the kernel's image by the looks of its tables, for kernels that do not say
 * where they are (before v6.0) and dumps that have lost what they said.
 *
 * The token index is 256 ascending 16-bit offsets behind the 256 texts that they point to: nothing
 * else in a kernel looks so. The other tables stand around it in one of three orders:
 *
 * - before v4.6: addresses, num_syms, names, markers, token_table, token_index
 * - v4.6 (2213e9a66bb8 "kallsyms: add support for relative offsets"): offsets, relative_base, and
 *   the rest the same; v6.2 put seqs_of_names between markers and token_table
 * - v6.4 (404bad70fcf7 "scripts/kallsyms: change the output order"): num_syms, names, markers,
 *   token_table, token_index, offsets, relative_base
 *
 * A marker says where every 256th name begins; it has 8 bytes before v4.20 (80ffbaa5b1bd).
 * Source: scripts/kallsyms.c.
 */

import { attempt } from '../bytes/errors.ts';
import { Kallsyms } from './kallsyms.ts';
import type { KallsymsTables } from './kallsyms-tables.ts';
import { type Extent, imageChunks, imageExtents, readWhatIsThere } from './kernel-image.ts';
import type { AddressSpace } from './memory.ts';

const tokens = 256;
const indexBytes = tokens * 2;
/** Tokens are a few characters; the longest ones of real kernels have about 20. */
const maxTokenTable = 8192;
/** Tables begin at multiples of 8 bytes. */
const alignment = 8;
const symbolsPerMarker = 256;
/** A name takes its length and one token at least, and no kernel's mean length is above this. */
const markerStep = { least: 2 * symbolsPerMarker, most: 130 * symbolsPerMarker };
const maxMarkers = 16_384;
/** seqs_of_names, which may stand between the markers and the tokens, has 3 bytes a symbol. */
const maxBetween = 2 * 1024 * 1024;
const maxNames = 64 * 1024 * 1024;

/** The tables of the kernel that is mapped in `memory`; undefined where none prove themselves. */
export function scanKallsyms(memory: AddressSpace): Kallsyms | undefined {
  const extents = imageExtents(memory);
  for (const extent of extents) {
    for (const { address, bytes } of imageChunks(memory, extent)) {
      for (const at of tokenIndexes(bytes)) {
        const place = { extent, tokenIndex: address + BigInt(at) };
        const found = around(memory, place).find((kallsyms) => isOwn(kallsyms, extents));
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}

/** Where a token index may stand in `bytes`: 0, then ascending in steps of short words. */
function* tokenIndexes(bytes: Uint8Array): Generator<number> {
  // A copy where the bytes do not begin at an even address of their buffer.
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const words = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length >> 1);
  for (let at = 0; at + tokens <= words.length; at += alignment / 2) {
    if (words[at] !== 0 || words[at + 1] === 0) continue;
    let token = 1;
    while (token < tokens && isStep(words[at + token]! - words[at + token - 1]!)) token++;
    if (token === tokens) yield at * 2;
  }
}

function isStep(distance: number): boolean {
  return distance > 0 && distance <= 64;
}

interface Place {
  readonly extent: Extent;
  readonly tokenIndex: bigint;
}

/** What the tables around a token index may be, if they are all there. */
function around(memory: AddressSpace, { extent, tokenIndex }: Place): Kallsyms[] {
  const tokenTable = attempt(() => findTokenTable(memory, tokenIndex));
  if (tokenTable === undefined) return [];
  for (const markers of markerTables(memory, extent, tokenTable)) {
    const names = findNames(memory, extent, markers);
    if (names === undefined) continue;
    const known = { ...names, tokenTable, tokenIndex };
    return [...addressTables(memory, known)].flatMap(
      (tables) => attempt(() => new Kallsyms(memory, tables)) ?? [],
    );
  }
  return [];
}

/** Ends with the last token, at most a few bytes of padding before the index. */
function findTokenTable(memory: AddressSpace, tokenIndex: bigint): bigint | undefined {
  const index = memory.view(tokenIndex, indexBytes);
  const last = index.getUint16(indexBytes - 2, true);
  if (last + 64 > maxTokenTable) return undefined;
  const before = memory.read(tokenIndex - BigInt(maxTokenTable), maxTokenTable);
  const isEnd = (at: number) => before[at] === 0;
  for (let length = last + 2; length <= last + 64; length++) {
    const start = maxTokenTable - length;
    if ((Number(tokenIndex & 7n) + maxTokenTable - length) % 4 !== 0) continue;
    let token = 1;
    while (token < tokens && isEnd(start + index.getUint16(token * 2, true) - 1)) token++;
    const end = before.indexOf(0, start + last);
    const isPadded = end >= 0 && before.subarray(end).every((byte) => byte === 0);
    if (token === tokens && isPadded && before.length - end <= alignment) {
      return tokenIndex - BigInt(length);
    }
  }
  return undefined;
}

interface Markers {
  readonly address: bigint;
  readonly offsets: readonly number[];
}

/** The tables of markers before `tokenTable`, the nearest first: ascending from 0. */
function* markerTables(
  memory: AddressSpace,
  extent: Extent,
  tokenTable: bigint,
): Generator<Markers> {
  const reach = Number(tokenTable - extent.start);
  const length = Math.min(maxBetween, reach - (reach % alignment));
  const start = tokenTable - BigInt(length);
  const view = viewOf(readWhatIsThere(memory, start, length));
  for (let at = length - (length % 4) - 8; at >= 0; at -= 4) {
    if (view.getUint32(at, true) !== 0) continue;
    for (const width of [4, 8]) {
      const offsets = ascending(view, at, width);
      if (offsets.length > 1) yield { address: start + BigInt(at), offsets };
    }
  }
}

function ascending(view: DataView, from: number, width: number): number[] {
  const offsets = [0];
  for (let at = from + width; offsets.length < maxMarkers; at += width) {
    if (at + width > view.byteLength) break;
    if (width === 8 && view.getUint32(at + 4, true) !== 0) break;
    const offset = view.getUint32(at, true);
    const step = offset - offsets.at(-1)!;
    if (step < markerStep.least || step > markerStep.most || offset > maxNames) break;
    offsets.push(offset);
  }
  return offsets;
}

/**
 * The names end where the markers begin, and their number stands before them: it must fit the
 * markers, and the lengths of the names must lead from marker to marker.
 */
function findNames(
  memory: AddressSpace,
  extent: Extent,
  { address, offsets }: Markers,
): { names: bigint; count: number } | undefined {
  const whole = offsets.at(-1)!;
  const least = (offsets.length - 1) * symbolsPerMarker;
  const latest = address - BigInt(whole);
  const room = latest - BigInt(markerStep.most) - 8n;
  const start = room > extent.start ? room : extent.start;
  const length = Number(latest - start);
  if (length <= 0) return undefined;
  const view = viewOf(readWhatIsThere(memory, start, length + whole));
  const first = length - ((length + Number(start & 7n)) % 4);
  for (let at = first; at >= 8; at -= 4) {
    for (const before of [8, 4]) {
      const count = view.getUint32(at - before, true);
      if (count <= least || count > least + symbolsPerMarker) continue;
      if (leadsToMarkers(view, at, offsets)) return { names: start + BigInt(at), count };
    }
  }
  return undefined;
}

function leadsToMarkers(view: DataView, names: number, offsets: readonly number[]): boolean {
  let at = names;
  for (const offset of offsets.slice(1)) {
    for (let symbol = 0; symbol < symbolsPerMarker; symbol++) {
      if (at + 2 > view.byteLength) return false;
      const length = view.getUint8(at++);
      // Two bytes since v6.1, as in Kallsyms.
      at += length < 0x80 ? length : (length & 0x7f) + (view.getUint8(at) << 7) + 1;
    }
    if (at !== names + offset) return false;
  }
  return true;
}

type NameTables = Pick<KallsymsTables, 'names' | 'count' | 'tokenTable' | 'tokenIndex'>;

/** The three places and forms in which the addresses of the names may stand. */
function* addressTables(memory: AddressSpace, known: NameTables): Generator<KallsymsTables> {
  const { names, count, tokenIndex } = known;
  const offsetsLength = BigInt(Math.ceil((count * 4) / alignment) * alignment);
  const none = { offsets: undefined, relativeBase: undefined, addresses: undefined };
  const relative = function* (offsets: bigint, base: bigint): Generator<KallsymsTables> {
    const relativeBase = attempt(() => memory.u64(base));
    if (relativeBase === undefined || relativeBase < 0xffff_ffff_8000_0000n) return;
    yield { ...known, ...none, offsets, relativeBase };
  };
  const behind = tokenIndex + BigInt(indexBytes);
  yield* relative(behind, behind + offsetsLength);
  const number = names - BigInt(alignment);
  const base = number - 8n;
  yield* relative(base - offsetsLength, base);
  yield { ...known, ...none, addresses: number - BigInt(count) * 8n };
}

/** The table proves itself where it is sorted and knows the image that it was found in. */
function isOwn(kallsyms: Kallsyms, extents: readonly Extent[]): boolean {
  const [text] = kallsyms.find('_stext');
  if (text === undefined) return false;
  const address = kallsyms.address(text);
  const isHere = extents.some(({ start, end }) => address >= start && address < end);
  return isHere && kallsyms.isSorted();
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
