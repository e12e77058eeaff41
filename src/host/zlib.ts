/** Node's zlib behind the interface that `src/codec` asks for. */

import { deflateSync, inflateSync } from 'node:zlib';
import type { Zlib } from '../codec/types.ts';

export const nodeZlib: Zlib = {
  // A chunk of the default size would keep 16 KB alive for each page; one that the page fills makes
  // zlib ask for a second, and a copy of both: a third more time.
  inflate: (input, outputSize) =>
    plain(
      inflateSync(input, { maxOutputLength: outputSize, chunkSize: Math.max(64, outputSize + 1) }),
    ),
  deflate: (input, level) =>
    plain(
      deflateSync(input, {
        level,
        chunkSize: Math.max(64, input.length),
        windowBits: windowBits(input.length),
      }),
    ),
};

/** No window larger than the input: zlib would allocate 64 KiB, and find nothing more there. */
function windowBits(size: number): number {
  return Math.min(15, Math.max(9, Math.ceil(Math.log2(size))));
}

/** Buffer's `slice` shares memory, Uint8Array's copies: nobody below is to meet the first. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
