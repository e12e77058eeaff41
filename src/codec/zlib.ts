/** RFC 1950 streams, one a page; the work is done by the host's zlib. */

import { DumpError, reasonOf } from '../bytes/errors.ts';
import type { Codec, Zlib } from './types.ts';

/** makedumpfile compresses at Z_BEST_SPEED; pages of 4 KiB gain little from more. */
const level = 1;

export function createZlib(zlib: Zlib): Codec {
  return {
    name: 'zlib',
    decompress(input, size) {
      let inflated: Uint8Array;
      try {
        inflated = zlib.inflate(input, size);
      } catch (cause) {
        throw new DumpError('corrupt', `zlib data cannot be inflated: ${reasonOf(cause)}`, {
          cause,
        });
      }
      if (inflated.length !== size) {
        throw new DumpError(
          'corrupt',
          `zlib data inflates to ${inflated.length} bytes, not ${size}`,
        );
      }
      return inflated;
    },
    compress: (input) => zlib.deflate(input, level),
  };
}
