/** One page in, one page out. A codec is stateless for its caller and synchronous. */

export const compressionNames = ['none', 'rle', 'zlib', 'lzo', 'snappy', 'zstd'] as const;
export type CompressionName = (typeof compressionNames)[number];

/** The largest page of any dump format; codecs have buffers of this size. */
export const largestPage = 0x1_0000;

export interface Codec {
  readonly name: CompressionName;
  /**
   * The page of exactly `size` bytes that `input` packs; the caller does not write to it. Anything
   * else (too much, too little, damaged input) throws a DumpError `corrupt`.
   */
  decompress(input: Uint8Array, size: number): Uint8Array;
  /** The compressed page, or undefined where that would not be smaller than `input`. */
  compress(input: Uint8Array): Uint8Array | undefined;
}

/** What the host lends: zlib streams (RFC 1950). Node's own, or fflate in a browser. */
export interface Zlib {
  /** Throws for more than `most` bytes, and for what is damaged or cut. */
  inflate(input: Uint8Array, most: number): Uint8Array;
  /** Undefined where that would not be smaller than `input`. */
  deflate(input: Uint8Array, level: number): Uint8Array | undefined;
}

/** The codecs that were made ready. `get` of another one is an `unsupported` DumpError. */
export interface Codecs {
  get(name: CompressionName): Codec;
  /**
   * Loads what `get(name)` needs (WebAssembly starts asynchronously). Opening a dump does this for
   * the codecs that its header may use.
   */
  prepare(name: CompressionName): Promise<void>;
}
