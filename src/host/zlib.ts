/** Node's zlib behind the interface that `src/codec` asks for. */

import { deflateSync, inflateSync } from 'node:zlib';
import type { Zlib } from '../codec/types.ts';

export const nodeZlib: Zlib = {
  // A chunk of the default size would keep 16 KB alive for each page.
  inflate: (input, outputSize) =>
    plain(inflateSync(input, { maxOutputLength: outputSize, chunkSize: Math.max(64, outputSize) })),
  deflate: (input, level) =>
    plain(deflateSync(input, { level, chunkSize: Math.max(64, input.length) })),
};

/** Buffer's `slice` shares memory, Uint8Array's copies: nobody below is to meet the first. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
