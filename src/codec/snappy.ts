/**
 * Snappy's raw block format (a varint with the length, then elements; no framing, no checksum).
 * Unpacked by hysnappy's WebAssembly, whose instance is thrown away after a trap: the trap leaves
 * its stack pointer where it was. Packed by our own code: hysnappy never clears its hash table, so
 * that its output depends on what it packed before. Source: google/snappy, format_description.txt.
 */

import { snappyUncompressor } from 'hysnappy';
import { DumpError, reasonOf } from '../bytes/errors.ts';
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
    compress(input) {
      const packed = new Packed(input).finish();
      return packed.length < input.length ? packed : undefined;
    },
  };
}

const minMatch = 4;
/** Slots of the hash table by the bits that are left of a hash of four bytes. */
const hashBits = 12;
/** Elements have two bits for their kind; a copy reaches as far back as two bytes can say. */
const Kind = { literal: 0, nearCopy: 1, copy: 2 } as const;
const maxDistance = 65535;

/** One input, packed: greedy, the newest place with the same four bytes is the match. */
class Packed {
  readonly #input: Uint8Array;
  readonly #view: DataView;
  readonly #output: Uint8Array;
  /** Places in the input, from 1; 0: none. */
  readonly #places = new Uint32Array(2 ** hashBits);
  #length = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
    this.#view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    this.#output = new Uint8Array(input.length + Math.ceil(input.length / 6) + 32);
  }

  finish(): Uint8Array {
    const input = this.#input;
    const last = input.length - minMatch;
    let left = input.length;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) this.#byte((left & 0x7f) | 0x80);
    this.#byte(left);
    let literal = 0;
    // The longer nothing is found, the fewer places are looked at.
    for (let at = 0, misses = 32; at <= last; ) {
      const found = this.#match(at);
      if (found < 0) {
        at += misses++ >> 5;
        continue;
      }
      let end = at + minMatch;
      while (end < input.length && input[end] === input[found + end - at]) end++;
      this.#literal(literal, at);
      this.#copy(at - found, end - at);
      literal = end;
      at = end;
      misses = 32;
    }
    this.#literal(literal, input.length);
    return this.#output.slice(0, this.#length);
  }

  /** The newest place before `at` with the same four bytes; negative: none that is known. */
  #match(at: number): number {
    const four = this.#view.getUint32(at, true);
    const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - hashBits);
    const place = this.#places[slot]! - 1;
    this.#places[slot] = at + 1;
    const isNear = place >= 0 && at - place <= maxDistance;
    return isNear && this.#view.getUint32(place, true) === four ? place : -1;
  }

  #literal(start: number, end: number): void {
    if (start === end) return;
    const size = end - start - 1;
    if (size < 60) this.#byte((size << 2) | Kind.literal);
    else {
      const bytes = size < 0x100 ? 1 : size < 0x1_0000 ? 2 : size < 0x100_0000 ? 3 : 4;
      this.#byte(((59 + bytes) << 2) | Kind.literal);
      for (let byte = 0; byte < bytes; byte++) this.#byte(size >>> (8 * byte));
    }
    this.#output.set(this.#input.subarray(start, end), this.#length);
    this.#length += end - start;
  }

  #copy(distance: number, length: number): void {
    let left = length;
    // What is left is never too short for a copy of its own.
    for (; left > 64; left -= left >= 68 ? 64 : 60) this.#piece(distance, left >= 68 ? 64 : 60);
    this.#piece(distance, left);
  }

  #piece(distance: number, length: number): void {
    if (length < 12 && distance < 2048) {
      this.#byte(((distance >> 8) << 5) | ((length - minMatch) << 2) | Kind.nearCopy);
      this.#byte(distance);
      return;
    }
    this.#byte(((length - 1) << 2) | Kind.copy);
    this.#byte(distance);
    this.#byte(distance >> 8);
  }

  #byte(value: number): void {
    this.#output[this.#length++] = value;
  }
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
