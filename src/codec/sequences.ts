/**
 * What LZO, snappy and deflate have in common: a page as a row of sequences, each some bytes as
 * they are and then a match, bytes that were there before. Greedy, the newest place with the same
 * four bytes is the match. The longer nothing was found, the fewer places are looked at, as LZO
 * does.
 *
 * One page at a time, in buffers that are made once: at 4 KiB, making and clearing them took longer
 * than the search. Constants of a module which are not exported are the fastest place for them by a
 * quarter (V8 has their addresses in the code), hence `found`.
 */

import { largestPage } from './types.ts';

const minMatch = 4;
const hashBits = 13;
/** Every byte is looked at; after 32 without a match every other one, and so on. */
const patienceBits = 5;
/** Places are kept in 31 bits. */
const lastPlace = 0x7fff_ffff;

const bytes = new Uint8Array(largestPage + minMatch);
const page = new DataView(bytes.buffer);
const sequences = new Int32Array((3 * largestPage) / minMatch);
/**
 * The newest place of each hash, counted over all pages: one that is smaller than the page's first
 * was left by an earlier page and is nothing. So the table need not be cleared for every page.
 */
const places = new Int32Array(1 << hashBits);
let firstPlace = 1;

/**
 * What a page is packed into: LZO's worst case is the largest, two bytes more for 19 literals and
 * one less for the match behind them. And the words that literals are copied by.
 */
const packed = new Uint8Array(largestPage + largestPage / 16 + 72);
const packedWords = new DataView(packed.buffer);
/** Longer ones are worth a call. */
const longRun = 256;

/** The buffers. Take them apart once, into constants of your module. */
export const found = {
  /**
   * The page. Behind its end are bytes of no meaning, at least 3, so that it can be read and
   * written by words.
   */
  bytes,
  page,
  /** Three numbers each: bytes as they are, then how far back the match is, then its length. */
  sequences,
  /** Room for the page as it is packed, with copies of its literals by `putBytes`. */
  packed,
  packedWords,
} as const;

/**
 * Takes the page apart; matches are at most `farthest` back. The result is how many numbers of
 * `sequences` are valid. The rest of the page, without a match, is in none of them.
 */
export function findSequences(input: Uint8Array, farthest: number): number {
  const size = input.length;
  if (firstPlace > lastPlace - size) {
    places.fill(0);
    firstPlace = 1;
  }
  bytes.set(input);
  const last = size - minMatch;
  const first = firstPlace;
  firstPlace += size;
  let count = 0;
  let literalsFrom = 0;
  for (let at = 0; at <= last; ) {
    const four = page.getInt32(at, true);
    const slot = Math.imul(four, 0x1824429d) >>> (32 - hashBits);
    const place = places[slot]! - first;
    places[slot] = at + first;
    if (place < 0 || page.getInt32(place, true) !== four || at - place > farthest) {
      at += 1 + ((at - literalsFrom) >> patienceBits);
      continue;
    }
    const length = matchLength(place, at, size);
    sequences[count] = at - literalsFrom;
    sequences[count + 1] = at - place;
    sequences[count + 2] = length;
    count += 3;
    at += length;
    literalsFrom = at;
  }
  return count;
}

/** Bytes that are the same at both places, of which the first four are known to be. */
function matchLength(place: number, at: number, size: number): number {
  let length = minMatch;
  for (; at + length < size; length += 4) {
    const difference = page.getInt32(at + length, true) ^ page.getInt32(place + length, true);
    if (difference === 0) continue;
    // The lowest bit that differs is in the first byte that does.
    length += (31 - Math.clz32(difference & -difference)) >> 3;
    break;
  }
  return Math.min(length, size - at);
}

/** From the page to `packed`; up to 3 bytes behind them are written, too. */
export function putBytes(from: number, length: number, to: number): void {
  if (length > longRun) {
    packed.set(new Uint8Array(page.buffer, from, length), to);
    return;
  }
  for (let done = 0; done < length; done += 4) {
    packedWords.setInt32(to + done, page.getInt32(from + done, true), true);
  }
}
