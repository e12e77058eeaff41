/**
 * Snappy's raw block format (a varint with the length, then elements; no framing, no checksum), by
 * hysnappy's WebAssembly. Its instance is thrown away after a trap: the trap leaves its stack
 * pointer where it was.
 */

import { snappyCompressor, snappyUncompressor } from 'hysnappy';
import { DumpError, reasonOf } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

export function createSnappy(): Codec {
  let uncompress: ReturnType<typeof snappyUncompressor> | undefined;
  let compress: ReturnType<typeof snappyCompressor> | undefined;
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
      compress ??= snappyCompressor();
      const packed = compress(input);
      return packed.length < input.length ? packed : undefined;
    },
  };
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
