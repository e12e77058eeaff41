/**
 * Zstandard, one frame a page. Two decoders: @bokuweb/zstd-wasm with contexts that are kept, and
 * zstd-codec, which is slower and answers null instead of errors: the fallback where the first
 * cannot be loaded, and the witness that tests compare with.
 *
 * Both allocate what the frame header claims, so the claim is checked here first. Frames of kdump
 * carry no checksum: a flipped bit may decode to a wrong page without an error.
 */

import { DumpError, reasonOf } from '../bytes/errors.ts';
import type { Codec } from './types.ts';

/** The library's fastest ordinary level, as makedumpfile uses for pages. */
const level = 1;
const frameMagic = 0xfd2fb528;
const noDictionary = new Uint8Array(0);

interface Engine {
  decompress(input: Uint8Array, size: number): Uint8Array;
  compress(input: Uint8Array): Uint8Array;
}

/** What is used of zstd-codec; null stands for damage, or a frame without a size. */
interface ZstdCodecModule {
  readonly ZstdCodec: {
    run(callback: (binding: { Simple: new () => ZstdSimple }) => void): void;
  };
}
interface ZstdSimple {
  decompress(input: Uint8Array): Uint8Array | null;
  compress(input: Uint8Array, level: number): Uint8Array | null;
}

/** One for the process: a second init() would take the memory from under the first's contexts. */
let loaded: Promise<Codec> | undefined;

/** The first decoder, or the second where the first cannot be loaded. */
export function loadZstd(): Promise<Codec> {
  loaded ??= loadEither();
  return loaded;
}

async function loadEither(): Promise<Codec> {
  try {
    return codecOf(await loadWasm());
  } catch (first) {
    try {
      return await loadZstdWitness();
    } catch (second) {
      throw new DumpError('unsupported', 'no zstd decoder can be loaded', {
        cause: new AggregateError([first, second]),
        hint: 'reinstall tsdump: it needs @bokuweb/zstd-wasm or zstd-codec',
      });
    }
  }
}

/** The second, independent implementation. */
export async function loadZstdWitness(): Promise<Codec> {
  // @ts-expect-error: the package has no types
  const { ZstdCodec }: ZstdCodecModule = await import('zstd-codec');
  return new Promise((resolve) => {
    ZstdCodec.run(({ Simple }) => {
      const simple = new Simple();
      const orThrow = (result: Uint8Array | null): Uint8Array => {
        if (result === null) throw new Error('damaged frame');
        return result;
      };
      resolve(
        codecOf({
          decompress: (input) => orThrow(simple.decompress(input)).slice(),
          compress: (input) => orThrow(simple.compress(input, level)),
        }),
      );
    });
  });
}

async function loadWasm(): Promise<Engine> {
  const zstd = await import('@bokuweb/zstd-wasm');
  await zstd.init();
  const compressor = zstd.createCCtx();
  const decompressor = zstd.createDCtx();
  return {
    decompress: (input, size) =>
      zstd.decompressUsingDict(decompressor, input, noDictionary, { defaultHeapSize: size }),
    compress: (input) => zstd.compressUsingDict(compressor, input, noDictionary, level),
  };
}

function codecOf(engine: Engine): Codec {
  return {
    name: 'zstd',
    decompress(input, size) {
      checkClaim(input, size);
      let page: Uint8Array;
      try {
        page = engine.decompress(input, size);
      } catch (cause) {
        throw new DumpError('corrupt', `zstd data cannot be decompressed: ${reasonOf(cause)}`, {
          cause,
        });
      }
      if (page.length !== size) {
        throw new DumpError('corrupt', `zstd data of ${page.length} bytes, not ${size}`);
      }
      return page;
    },
    compress(input) {
      const packed = engine.compress(input);
      return packed.length < input.length ? packed : undefined;
    },
  };
}

/**
 * The frame header must be there and, where it states the content size, state `size`.
 * Source: RFC 8878, 3.1.1.1.
 */
function checkClaim(input: Uint8Array, size: number): void {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 6 || view.getUint32(0, true) !== frameMagic) {
    throw new DumpError('corrupt', 'zstd data does not start with a frame');
  }
  const descriptor = input[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (singleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const width = descriptor < 0x40 ? (singleSegment ? 1 : 0) : 2 ** (descriptor >> 6);
  if (width === 0) return;
  if (at + width > input.length) throw new DumpError('corrupt', 'zstd frame header is cut');
  let claim: number;
  if (width === 1) claim = input[at]!;
  else if (width === 2) claim = view.getUint16(at, true) + 256;
  else if (width === 4) claim = view.getUint32(at, true);
  else claim = Number(view.getBigUint64(at, true));
  if (claim !== size) {
    throw new DumpError('corrupt', `zstd frame says ${claim} bytes, the page has ${size}`);
  }
}
