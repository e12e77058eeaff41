/**
 * LZO1X: what `makedumpfile -l` writes (lzo1x_1, no header, no checksum). Written from the
 * description of the stream in the kernel's Documentation/staging/lzo.rst.
 *
 * An instruction's meaning depends on its first byte and, below 16, on how many literals were
 * copied just before it: none, 1 to 3 (they came in the low bits of a match), or 4 and more.
 */

import { DumpError } from '../bytes/errors.ts';
import { findSequences, found } from './sequences.ts';
import { type Codec, largestPage } from './types.ts';

const nearDistance = 2048;
const middleDistance = 16384;
const farDistance = 49151;
/** A match instruction carries the number of literals after it in two bits. */
const inlineLiterals = 3;

export const lzo: Codec = { name: 'lzo', decompress, compress };

/** Where the next byte of the input is. */
interface Cursor {
  readonly input: Uint8Array;
  from: number;
}

function decompress(input: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size);
  const cursor: Cursor = { input, from: 0 };
  let to = 0;
  let literals = 0;
  if (input.length > 0 && input[0]! > 17) {
    cursor.from = 1;
    const length = input[0]! - 17;
    to = copyLiterals(cursor, output, to, length);
    literals = Math.min(length, 4);
  }
  for (;;) {
    const code = nextByte(cursor);
    let length: number;
    let distance: number;
    let tail = code & 3;
    if (code < 16) {
      if (literals === 0) {
        length = code > 0 ? code + 3 : longLength(cursor, 15) + 3;
        to = copyLiterals(cursor, output, to, length);
        literals = 4;
        continue;
      }
      const afterRun = literals === 4;
      length = afterRun ? 3 : 2;
      distance = (nextByte(cursor) << 2) + (code >> 2) + (afterRun ? nearDistance + 1 : 1);
    } else if (code < 32) {
      length = ((code & 7) > 0 ? code & 7 : longLength(cursor, 7)) + 2;
      const low = nextByte(cursor);
      distance = middleDistance + ((code & 8) << 11) + (low >> 2) + (nextByte(cursor) << 6);
      tail = low & 3;
      if (distance === middleDistance) break;
    } else if (code < 64) {
      length = ((code & 31) > 0 ? code & 31 : longLength(cursor, 31)) + 2;
      const low = nextByte(cursor);
      distance = (low >> 2) + (nextByte(cursor) << 6) + 1;
      tail = low & 3;
    } else {
      length = code < 128 ? 3 + ((code >> 5) & 1) : 5 + ((code >> 5) & 3);
      distance = (nextByte(cursor) << 3) + ((code >> 2) & 7) + 1;
    }
    to = copyMatch(output, to, distance, length);
    to = copyLiterals(cursor, output, to, tail);
    literals = tail;
  }
  if (to !== output.length) {
    throw new DumpError('corrupt', `LZO data ends after ${to} of ${output.length} bytes`);
  }
  if (cursor.from !== input.length) {
    throw new DumpError('corrupt', `LZO data ends ${input.length - cursor.from} bytes early`);
  }
  return output;
}

function nextByte(cursor: Cursor): number {
  const byte = cursor.input[cursor.from++];
  if (byte === undefined) throw new DumpError('corrupt', 'LZO data is cut');
  return byte;
}

/** A length that does not fit its bits: `base`, 255 for every zero byte, and a last byte. */
function longLength(cursor: Cursor, base: number): number {
  let length = base;
  for (;;) {
    const byte = nextByte(cursor);
    if (byte > 0) return length + byte;
    length += 255;
  }
}

function copyLiterals(cursor: Cursor, output: Uint8Array, at: number, length: number): number {
  const { input, from } = cursor;
  if (from + length > input.length) throw new DumpError('corrupt', 'LZO data is cut in literals');
  if (at + length > output.length) throw pastPage(output);
  for (let index = 0; index < length; index++) output[at + index] = input[from + index]!;
  cursor.from = from + length;
  return at + length;
}

function copyMatch(output: Uint8Array, at: number, distance: number, length: number): number {
  if (distance > at) {
    throw new DumpError('corrupt', `LZO data refers to ${distance - at} bytes before the page`);
  }
  if (at + length > output.length) throw pastPage(output);
  // Byte by byte: a match may overlap what it writes.
  const end = at + length;
  for (let to = at; to < end; to++) output[to] = output[to - distance]!;
  return end;
}

function pastPage(output: Uint8Array): DumpError {
  return new DumpError('corrupt', `LZO data runs past the page of ${output.length} bytes`);
}

const { page, sequences } = found;
/**
 * What a page is packed into: one long literal run at worst, whose length takes a byte for every
 * 255; and behind it the words that literals are copied by.
 */
const packed = new Uint8Array(largestPage + Math.ceil(largestPage / 255) + 20);
const packedWords = new DataView(packed.buffer);
/** Longer ones are worth a call. */
const longRun = 256;

function compress(input: Uint8Array): Uint8Array | undefined {
  const count = findSequences(input, farDistance);
  let from = 0;
  let to = 0;
  // Where the last match instruction keeps its literal count.
  let tailAt = -1;
  for (let index = 0; index < count; index += 3) {
    const run = sequences[index]!;
    const distance = sequences[index + 1]!;
    const length = sequences[index + 2]!;
    to = putLiterals(from, run, to, tailAt);
    from += run + length;
    if (distance <= nearDistance && length <= 8) {
      tailAt = to;
      packed[to] = ((length - 1) << 5) | (((distance - 1) & 7) << 2);
      packed[to + 1] = (distance - 1) >> 3;
      to += 2;
    } else {
      to = putLongMatch(distance, length, to);
      tailAt = to - 2;
    }
  }
  to = putLiterals(from, input.length - from, to, tailAt);
  packed[to] = 0x11;
  packed[to + 1] = 0;
  packed[to + 2] = 0;
  to += 3;
  return to < input.length ? packed.slice(0, to) : undefined;
}

/** `tailAt` is negative before the first match. The result, as below, is the place behind. */
function putLiterals(from: number, length: number, at: number, tailAt: number): number {
  if (length === 0) return at;
  let to = at;
  if (tailAt < 0 && length <= 238) {
    packed[to++] = length + 17;
  } else if (tailAt >= 0 && length <= inlineLiterals) {
    packed[tailAt] = packed[tailAt]! | length;
  } else if (length <= 18) {
    packed[to++] = length - 3;
  } else {
    packed[to++] = 0;
    to = putLongLength(length - 18, to);
  }
  if (length > longRun) {
    packed.set(new Uint8Array(page.buffer, from, length), to);
  } else {
    for (let done = 0; done < length; done += 4) {
      packedWords.setInt32(to + done, page.getInt32(from + done, true), true);
    }
  }
  return to + length;
}

function putLongMatch(distance: number, length: number, at: number): number {
  const far = distance > middleDistance;
  const offset = far ? distance - middleDistance : distance - 1;
  const code = far ? 0x10 | ((offset >> 14) << 3) : 0x20;
  const limit = far ? 7 : 31;
  let to = at;
  if (length - 2 <= limit) {
    packed[to++] = code | (length - 2);
  } else {
    packed[to++] = code;
    to = putLongLength(length - 2 - limit, to);
  }
  packed[to] = (offset & 0x3f) << 2;
  packed[to + 1] = offset >> 6;
  return to + 2;
}

function putLongLength(rest: number, at: number): number {
  let to = at;
  let left = rest;
  for (; left > 255; left -= 255) packed[to++] = 0;
  packed[to++] = left;
  return to;
}
