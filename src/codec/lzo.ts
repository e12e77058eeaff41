/**
 * LZO1X: what `makedumpfile -l` writes (lzo1x_1, no header, no checksum). Written from the
 * description of the stream in the kernel's Documentation/staging/lzo.rst.
 *
 * An instruction's meaning depends on its first byte and, below 16, on how many literals were
 * copied just before it: none, 1 to 3 (they came in the low bits of a match), or 4 and more.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

const nearDistance = 2048;
const middleDistance = 16384;
const farDistance = 49151;
/** A match instruction carries the number of literals after it in two bits. */
const inlineLiterals = 3;

const hashBits = 13;
/** Position + 1 of the last occurrence of each hash; emptied before every page. */
const positions = new Int32Array(1 << hashBits);

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

/** Bytes written so far, and where the last match instruction keeps its literal count. */
interface Packed {
  readonly bytes: Uint8Array;
  to: number;
  tailAt: number;
}

function compress(input: Uint8Array): Uint8Array | undefined {
  // The worst case is one long literal run: its length takes a byte for every 255.
  const packed: Packed = {
    bytes: new Uint8Array(input.length + Math.ceil(input.length / 255) + 16),
    to: 0,
    tailAt: -1,
  };
  positions.fill(0);
  let literalsFrom = 0;
  let at = 0;
  while (at + 4 <= input.length) {
    const slot = hash4(input, at);
    const candidate = positions[slot]! - 1;
    positions[slot] = at + 1;
    const length =
      candidate >= 0 && at - candidate <= farDistance ? matchLength(input, candidate, at) : 0;
    if (length < 4) {
      at++;
      continue;
    }
    putLiterals(packed, input, literalsFrom, at);
    putMatch(packed, at - candidate, length);
    at += length;
    literalsFrom = at;
  }
  putLiterals(packed, input, literalsFrom, input.length);
  packed.bytes.set([0x11, 0, 0], packed.to);
  packed.to += 3;
  return packed.to < input.length ? packed.bytes.slice(0, packed.to) : undefined;
}

function hash4(input: Uint8Array, at: number): number {
  const word = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24);
  return Math.imul(word, 0x9e3779b1) >>> (32 - hashBits);
}

function matchLength(input: Uint8Array, candidate: number, at: number): number {
  let length = 0;
  while (at + length < input.length && input[candidate + length] === input[at + length]) length++;
  return length;
}

function putLiterals(packed: Packed, input: Uint8Array, from: number, end: number): void {
  const { bytes } = packed;
  const length = end - from;
  if (length === 0) return;
  if (packed.tailAt < 0 && length <= 238) {
    bytes[packed.to++] = length + 17;
  } else if (length <= inlineLiterals) {
    bytes[packed.tailAt] = bytes[packed.tailAt]! | length;
  } else if (length <= 18) {
    bytes[packed.to++] = length - 3;
  } else {
    bytes[packed.to++] = 0;
    putLongLength(packed, length - 18);
  }
  bytes.set(input.subarray(from, end), packed.to);
  packed.to += length;
}

function putMatch(packed: Packed, distance: number, length: number): void {
  const { bytes } = packed;
  if (distance <= nearDistance && length <= 8) {
    packed.tailAt = packed.to;
    const bits = ((distance - 1) & 7) << 2;
    bytes[packed.to++] =
      length <= 4 ? 0x40 | ((length - 3) << 5) | bits : 0x80 | ((length - 5) << 5) | bits;
    bytes[packed.to++] = (distance - 1) >> 3;
    return;
  }
  const far = distance > middleDistance;
  const offset = far ? distance - middleDistance : distance - 1;
  const code = far ? 0x10 | ((offset >> 14) << 3) : 0x20;
  const limit = far ? 7 : 31;
  if (length - 2 <= limit) {
    bytes[packed.to++] = code | (length - 2);
  } else {
    bytes[packed.to++] = code;
    putLongLength(packed, length - 2 - limit);
  }
  packed.tailAt = packed.to;
  bytes[packed.to++] = (offset & 0x3f) << 2;
  bytes[packed.to++] = (offset >> 6) & 0xff;
}

function putLongLength(packed: Packed, rest: number): void {
  let left = rest;
  for (; left > 255; left -= 255) packed.bytes[packed.to++] = 0;
  packed.bytes[packed.to++] = left;
}
