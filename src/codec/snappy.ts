/**
 * Snappy's raw block format (a varint with the length, then elements; no framing, no checksum).
 * Unpacked by hysnappy's WebAssembly, whose instance is thrown away after a trap: the trap leaves
 * its stack pointer where it was. Packed by our own code: hysnappy never clears its hash table, so
 * that its output depends on what it packed before. Source: google/snappy, format_description.txt.
 */

import { snappyUncompressor } from 'hysnappy';
import { DumpError, reasonOf } from '../bytes/errors.ts';
import { findSequences, found, putBytes } from './sequences.ts';
import type { Codec } from './types.ts';

export function createSnappy(): Codec {
  let uncompress: ReturnType<typeof snappyUncompressor> | undefined;
  return {
    name: 'snappy',
    decompress(input, size) {
      const length = declaredLength(input);
      if (length !== size) {
        throw new DumpError('corrupt', `snappy data of ${length} bytes, not ${size}`);
      }
      uncompress ??= snappyUncompressor();
      try {
        return uncompress(input, size);
      } catch (cause) {
        uncompress = undefined;
        throw new DumpError('corrupt', `snappy data cannot be decompressed: ${reasonOf(cause)}`, {
          cause,
        });
      }
    },
    compress,
  };
}

/** Elements have two bits for their kind; a copy reaches as far back as two bytes can say. */
const Kind = { literal: 0, nearCopy: 1, copy: 2 } as const;
const farthest = 65535;

const { sequences, packed } = found;

function compress(input: Uint8Array): Uint8Array | undefined {
  const count = findSequences(input, farthest);
  let to = 0;
  let left = input.length;
  for (; left >= 0x80; left >>= 7) packed[to++] = (left & 0x7f) | 0x80;
  packed[to++] = left;
  let from = 0;
  for (let index = 0; index < count; index += 3) {
    const literals = sequences[index]!;
    const length = sequences[index + 2]!;
    to = putLiterals(from, literals, to);
    to = putCopy(sequences[index + 1]!, length, to);
    from += literals + length;
  }
  to = putLiterals(from, input.length - from, to);
  return to < input.length ? packed.slice(0, to) : undefined;
}

/** The result, as below, is the place behind. */
function putLiterals(from: number, length: number, at: number): number {
  if (length === 0) return at;
  let to = at;
  const size = length - 1;
  if (size < 60) {
    packed[to++] = (size << 2) | Kind.literal;
  } else {
    // The length in one byte, or in two.
    packed[to++] = ((size < 0x100 ? 60 : 61) << 2) | Kind.literal;
    packed[to++] = size;
    if (size >= 0x100) packed[to++] = size >> 8;
  }
  putBytes(from, length, to);
  return to + length;
}

function putCopy(distance: number, length: number, at: number): number {
  let to = at;
  let left = length;
  // What is left is never too short for a copy of its own.
  for (; left > 64; left -= left >= 68 ? 64 : 60) {
    to = putPiece(distance, left >= 68 ? 64 : 60, to);
  }
  return putPiece(distance, left, to);
}

function putPiece(distance: number, length: number, at: number): number {
  if (length < 12 && distance < 2048) {
    packed[at] = ((distance >> 8) << 5) | ((length - 4) << 2) | Kind.nearCopy;
    packed[at + 1] = distance;
    return at + 2;
  }
  packed[at] = ((length - 1) << 2) | Kind.copy;
  packed[at + 1] = distance;
  packed[at + 2] = distance >> 8;
  return at + 3;
}

/** The varint at the start; at most 5 bytes. */
function declaredLength(input: Uint8Array): number {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = input[index];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return length;
  }
  throw new DumpError('corrupt', 'snappy data has no length at its start');
}
