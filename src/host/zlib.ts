/** Node's zlib behind the interface that `src/codec` asks for. */

import { constants, createDeflate, createInflate, deflateSync } from 'node:zlib';
import type { Zlib } from '../codec/types.ts';

/** What is used of an Inflate; `inflateSync` calls the same of an object that it does not show. */
interface Inflater {
  destroy(): unknown;
  _processChunk(input: Uint8Array, flush: number): Buffer;
}

export const nodeZlib: Zlib = {
  inflate: (input, outputSize) => {
    // A chunk of the default size would keep 16 KB alive for each page; one that the page fills
    // makes zlib ask for a second, and a copy of both: a third more time.
    const options = { maxOutputLength: outputSize, chunkSize: Math.max(64, outputSize + 1) };
    const inflater = createInflate(options) as unknown as Inflater;
    // Damaged data makes Node destroy the stream, which keeps it until the event loop has a turn:
    // kilobytes a page, gigabytes where a whole dump is read in one go. Thus it is garbage at once.
    inflater.destroy = () => inflater;
    return plain(inflater._processChunk(input, constants.Z_FINISH));
  },
  deflate: (input, level) => {
    const key = level * 16 + windowBits(input.length);
    let deflate = deflaters.get(key);
    if (deflate === undefined) {
      deflate = keptDeflater(level, input.length);
      deflaters.set(key, deflate);
    }
    return deflate(input);
  },
};

/** By level and window. */
const deflaters = new Map<number, (input: Uint8Array) => Uint8Array>();

/** What is used of a Deflate that is kept. */
interface Deflater {
  _handle: { close(): void } | null;
  close(): void;
  reset(): void;
  removeAllListeners(event: string): unknown;
  _processChunk(input: Uint8Array, flush: number): Buffer;
}

/**
 * Packs page after page with one state of zlib, which to make anew costs a fifth of the time.
 * Undocumented, as above; minizlib, and by it npm itself, keeps its states in the same way.
 */
function keptDeflater(level: number, size: number): (input: Uint8Array) => Uint8Array {
  const options = { level, chunkSize: Math.max(64, size), windowBits: windowBits(size) };
  const deflater = createDeflate(options) as unknown as Deflater;
  const handle = deflater._handle;
  if (handle === null || typeof deflater._processChunk !== 'function') {
    return (input) => plain(deflateSync(input, options));
  }
  // At the end of each page Node would close both.
  handle.close = () => {};
  deflater.close = () => {};
  return (input) => {
    deflater._handle = handle;
    deflater.reset();
    const packed = deflater._processChunk(input, constants.Z_FINISH);
    // It listens for an error of each page, and goes on to.
    deflater.removeAllListeners('error');
    // A copy: the next page is packed into the same memory.
    return new Uint8Array(packed);
  };
}

/** No window larger than the input: zlib would allocate 64 KiB, and find nothing more there. */
function windowBits(size: number): number {
  return Math.min(15, Math.max(9, Math.ceil(Math.log2(size))));
}

/** Buffer's `slice` shares memory, Uint8Array's copies: nobody below is to meet the first. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
