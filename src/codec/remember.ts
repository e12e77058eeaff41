/**
 * Codecs that remember: a page is encoded once, and what was encoded from it decodes to that very
 * page. Many runs over one memory then cost what differs between them. Pages and encodings are
 * known by identity, never by a hash: an array that was made elsewhere is simply not remembered.
 */

import type { Codec, Codecs, CompressionName } from './types.ts';

/** The pages given to `compress` must never change. */
export function rememberingCodecs(codecs: Codecs): Codecs {
  const remembering = new Map<CompressionName, Codec>();
  /** Pages that are stored as they are. */
  const raw = new WeakSet<Uint8Array>();
  return {
    prepare: (name) => codecs.prepare(name),
    get(name) {
      let codec = remembering.get(name);
      if (codec === undefined) {
        codec = rememberingCodec(codecs.get(name), raw);
        remembering.set(name, codec);
      }
      return codec;
    },
  };
}

function rememberingCodec(codec: Codec, raw: WeakSet<Uint8Array>): Codec {
  const encodings = new WeakMap<Uint8Array, { readonly encoding: Uint8Array | undefined }>();
  const pages = new WeakMap<Uint8Array, Uint8Array>();
  return {
    name: codec.name,
    compress(page) {
      const known = encodings.get(page);
      if (known !== undefined) return known.encoding;
      const encoding = codec.compress(page);
      encodings.set(page, { encoding });
      if (encoding === undefined) raw.add(page);
      else pages.set(encoding, page);
      return encoding;
    },
    decompress(input, size) {
      const page = codec.name === 'none' && raw.has(input) ? input : pages.get(input);
      return page?.length === size ? page : codec.decompress(input, size);
    },
  };
}
