/** All codecs by name. Only zstd has to be loaded before use. */

import { DumpError } from '../bytes/errors.ts';
import { lzo } from './lzo.ts';
import { none } from './none.ts';
import { rle } from './rle.ts';
import { createSnappy } from './snappy.ts';
import type { Codec, Codecs, CompressionName, Zlib } from './types.ts';
import { createZlib } from './zlib.ts';
import { loadZstd } from './zstd.ts';

export function createCodecs(zlib: Zlib): Codecs {
  const ready = new Map<CompressionName, Codec>();
  for (const codec of [none, rle, createZlib(zlib), lzo, createSnappy()]) {
    ready.set(codec.name, codec);
  }
  return {
    get(name) {
      const codec = ready.get(name);
      if (codec !== undefined) return codec;
      throw new DumpError('unsupported', `the ${name} codec is not loaded`, {
        hint: `await codecs.prepare('${name}') first`,
      });
    },
    async prepare(name) {
      if (name === 'zstd') ready.set(name, await loadZstd());
    },
  };
}
