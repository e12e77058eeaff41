/**
 * LZO1X: what `makedumpfile -l` writes (lzo1x_1, no header, no checksum). Written from the
 * description of the stream in the kernel's Documentation/staging/lzo.rst.
 *
 * An instruction's meaning depends on its first byte and, below 16, on how many literals were
 * copied just before it: none, 1 to 3 (they came in the low bits of a match), or 4 and more.
 */

import { DumpError } from '../bytes/errors.ts';
import { findSequences, found, putBytes } from './sequences.ts';
import { type Codec, largestPage } from './types.ts';

const nearDistance = 2048;
const middleDistance = 16384;
const farDistance = 49151;
/** A match instruction carries the number of literals after it in two bits. */
const inlineLiterals = 3;

const { bytes, page, sequences, packed, packedWords } = found;

export const lzo: Codec = { name: 'lzo', decompress, compress };

/** Bytes of the shortest rest of a stream: the instruction that ends it. */
const endLength = 3;

function decompress(input: Uint8Array, size: number): Uint8Array {
  if (size > largestPage) throw new DumpError('corrupt', `a page of ${size} bytes`);
  // It is read by words, too.
  if (input.length > packed.length - 4) {
    throw new DumpError('corrupt', `LZO data of ${input.length} bytes for a page of ${size}`);
  }
  packed.set(input);
  unpack(input.length, size);
  return bytes.slice(0, size);
}

/** From `packed` to `bytes`. */
function unpack(inputEnd: number, size: number): void {
  let from = 0;
  let to = 0;
  let literals = 0;
  if (inputEnd > 0 && packed[0]! > 17) {
    literals = packed[0]! - 17;
    from = 1;
    to = takeLiterals(from, inputEnd, literals, to, size);
    from += literals;
    if (literals > 4) literals = 4;
  }
  for (;;) {
    if (from + endLength > inputEnd) throw cut();
    const code = packed[from++]!;
    let length: number;
    let distance: number;
    let tail = code & 3;
    if (code >= 64) {
      length = code < 128 ? 3 + ((code >> 5) & 1) : 5 + ((code >> 5) & 3);
      distance = (packed[from++]! << 3) + ((code >> 2) & 7) + 1;
    } else if (code >= 16) {
      const mask = code >= 32 ? 31 : 7;
      length = code & mask;
      if (length === 0) {
        const zeros = zerosFrom(from, inputEnd);
        length = mask + 255 * zeros + packed[from + zeros]!;
        from += zeros + 1;
        if (from + 2 > inputEnd) throw cut();
      }
      length += 2;
      const low = packed[from]!;
      distance = (low >> 2) + (packed[from + 1]! << 6) + 1;
      from += 2;
      tail = low & 3;
      if (code < 32) {
        distance += middleDistance - 1 + ((code & 8) << 11);
        if (distance === middleDistance) break;
      }
    } else if (literals === 0) {
      length = code + 3;
      if (code === 0) {
        const zeros = zerosFrom(from, inputEnd);
        length = 18 + 255 * zeros + packed[from + zeros]!;
        from += zeros + 1;
      }
      to = takeLiterals(from, inputEnd, length, to, size);
      from += length;
      literals = 4;
      continue;
    } else {
      const afterRun = literals === 4;
      length = afterRun ? 3 : 2;
      distance = (packed[from++]! << 2) + (code >> 2) + (afterRun ? nearDistance + 1 : 1);
    }
    to = takeMatch(distance, length, to, size);
    if (tail > 0) {
      to = takeLiterals(from, inputEnd, tail, to, size);
      from += tail;
    }
    literals = tail;
  }
  if (to !== size) throw new DumpError('corrupt', `LZO data ends after ${to} of ${size} bytes`);
  if (from !== inputEnd) {
    throw new DumpError('corrupt', `LZO data ends ${inputEnd - from} bytes early`);
  }
}

/** How many zero bytes there are before the next that is none: each says 255 more. */
function zerosFrom(from: number, end: number): number {
  let at = from;
  while (at < end && packed[at] === 0) at++;
  if (at >= end) throw cut();
  return at - from;
}

/** The result, as below, is the place behind. */
function takeLiterals(from: number, end: number, length: number, to: number, size: number): number {
  if (from + length > end) throw new DumpError('corrupt', 'LZO data is cut in literals');
  if (to + length > size) throw pastPage(size);
  for (let done = 0; done < length; done += 4) {
    page.setInt32(to + done, packedWords.getInt32(from + done, true), true);
  }
  return to + length;
}

function takeMatch(distance: number, length: number, to: number, size: number): number {
  if (distance > to) {
    throw new DumpError('corrupt', `LZO data refers to ${distance - to} bytes before the page`);
  }
  if (to + length > size) throw pastPage(size);
  const from = to - distance;
  if (distance >= 4) {
    for (let done = 0; done < length; done += 4) {
      page.setInt32(to + done, page.getInt32(from + done, true), true);
    }
  } else {
    // A match may overlap what it writes.
    for (let done = 0; done < length; done++) bytes[to + done] = bytes[from + done]!;
  }
  return to + length;
}

function cut(): DumpError {
  return new DumpError('corrupt', 'LZO data is cut');
}

function pastPage(size: number): DumpError {
  return new DumpError('corrupt', `LZO data runs past the page of ${size} bytes`);
}

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
  putBytes(from, length, to);
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
