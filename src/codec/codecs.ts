/** All codecs by name. Those that are WebAssembly are loaded before their first use. */

import { DumpError } from '../bytes/errors.ts';
import { lzo } from './lzo.ts';
import { none } from './none.ts';
import { rle } from './rle.ts';
import type { Codec, Codecs, CompressionName, Zlib } from './types.ts';
import { createZlib } from './zlib.ts';

export function createCodecs(zlib: Zlib): Codecs {
  const ready = new Map<CompressionName, Codec>();
  for (const codec of [none, rle, createZlib(zlib), lzo]) {
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
      if (ready.has(name)) return;
      if (name === 'snappy') ready.set(name, (await import('./snappy.ts')).createSnappy());
      if (name === 'zstd') ready.set(name, await (await import('./zstd.ts')).loadZstd());
    },
  };
}
