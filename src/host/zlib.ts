/**
 * Node's zlib behind the interface that `src/codec` asks for: page after page by states that are
 * kept, into memory that is kept. Node documents no call for that; it is what its own synchronous
 * calls do inside, without the stream around it, which takes a tenth of the time. Where the parts
 * are not as expected, the documented calls do the work.
 */

import {
  constants,
  createDeflate,
  createInflate,
  deflateSync,
  inflateSync,
  type Zlib as ZlibStream,
} from 'node:zlib';
import { largestPage, type Zlib } from '../codec/types.ts';

/** What is used of a stream. */
interface Parts {
  readonly _handle: {
    onerror: (message: string, errno: number, code: string) => void;
    reset(): void;
    writeSync(flush: number, ...inputThenOutput: [...Piece, ...Piece]): void;
  } | null;
  /** After each call: room left of the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
}
type Piece = [bytes: Uint8Array, offset: number, length: number];

/** Bytes made of the whole input, in `output`; where they do not fit, as many as `room`. */
type Run = (input: Uint8Array, room: number) => number;

/** One byte more tells a page from what is too long. */
let output = new Uint8Array(largestPage + 1);
let inflater: Run | undefined;
/** By level and window. */
const deflaters = new Map<number, Run>();

export const nodeZlib: Zlib = {
  inflate(input, size) {
    inflater ??=
      keptState(createInflate()) ??
      ((bytes, room) => put(inflateSync(bytes, { maxOutputLength: room })));
    if (size >= output.length) output = new Uint8Array(size + 1);
    const length = inflater(input, size + 1);
    if (length > size) throw new Error(`it is larger than ${size} bytes`);
    return output.slice(0, length);
  },
  deflate(input, level) {
    const size = input.length;
    const window = windowBits(size);
    const key = level * 16 + window;
    let deflater = deflaters.get(key);
    if (deflater === undefined) {
      const options = { level, windowBits: window };
      deflater = keptState(createDeflate(options)) ?? ((bytes) => put(deflateSync(bytes, options)));
      deflaters.set(key, deflater);
    }
    if (size > output.length) output = new Uint8Array(size);
    const length = deflater(input, size);
    return length < size ? output.slice(0, length) : undefined;
  },
};

/** Undefined where Node has it otherwise. */
function keptState(stream: ZlibStream): Run | undefined {
  const { _handle: handle, _writeState: left } = stream as unknown as Partial<Parts>;
  if (typeof handle?.writeSync !== 'function' || left?.length !== 2) return undefined;
  let problem: Error | undefined;
  handle.onerror = (message) => {
    problem = new Error(message);
  };
  return (input, room) => {
    handle.reset();
    problem = undefined;
    handle.writeSync(constants.Z_FINISH, input, 0, input.length, output, 0, room);
    if (problem !== undefined) throw problem;
    return room - left[0]!;
  };
}

function put(bytes: Uint8Array): number {
  if (bytes.length <= output.length) output.set(bytes);
  return bytes.length;
}

/** No window larger than the input: zlib would allocate 64 KiB, and find nothing more there. */
function windowBits(size: number): number {
  return Math.min(15, Math.max(9, Math.ceil(Math.log2(size))));
}
