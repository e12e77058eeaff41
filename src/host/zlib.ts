/** Node's zlib behind the interface that `src/codec` asks for. */

import { deflateSync, inflateSync } from 'node:zlib';
import type { Zlib } from '../codec/types.ts';

export const nodeZlib: Zlib = {
  inflate: (input, outputSize) => plain(inflateSync(input, { maxOutputLength: outputSize })),
  deflate: (input, level) => plain(deflateSync(input, { level })),
};

/** Buffer's `slice` shares memory, Uint8Array's copies: nobody below is to meet the first. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
