/** `rd`: memory as words, characters, text, or by the names of what it points to. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { hex } from './columns.ts';
import {
  type Answer,
  atMostOne,
  type Context,
  type Json,
  type Options,
  type Run,
} from './command.ts';
import { addressSpaceOf, contextTask } from './context.ts';
import { fileBytes } from './file-bytes.ts';
import { hexNumber, hexOrAddress } from './numbers.ts';
import { pointerNames } from './pointer-names.ts';
import { hexDigits, type Style, textLines, wordLines } from './rd-text.ts';

/** No more is read at once: of larger areas a file is made with other tools. */
const maxBytes = 16 * 1024 * 1024;
/** User and kernel addresses are set apart by their highest bit. */
const kernelHalf = 1n << 63n;
/** Text without a count ends here at the latest. */
const maxText = 64 * 1024;

/** What was asked for, before anything is read. */
interface Request {
  readonly kind: 'kernel' | 'user' | 'physical' | 'file';
  readonly start: bigint;
  readonly length: number;
  /** Bytes of a word. */
  readonly width: number;
}

export interface Found {
  readonly bytes: Uint8Array;
  /** Why there are not more. */
  readonly problem: DumpError | undefined;
}

type Read = (address: bigint, length: number) => Uint8Array;

/** What stands in memory, for commands that show it each in its own way. */
export interface MemoryAnswer {
  /** What is said of it in any form: all but the text. */
  readonly facts: Omit<Answer, 'text'>;
  readonly start: bigint;
  /** Bytes of a word. */
  readonly width: number;
  readonly bytes: Uint8Array;
}

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['signed', 'unsigned', 'ascii', 'symbols', 'slab']);
  if (typeof options.save === 'string') return saved(kernel, words, options, context);
  const { facts, start, width, bytes } = readMemory(kernel, words, options, context);
  const style = styleOf(kernel, options, width);
  const isText = options.ascii === true;
  return {
    ...facts,
    text: () => (isText ? textLines(start, bytes) : wordLines(start, bytes, style)),
  };
};

/** `-r`: the bytes go to a file; COUNT is one of bytes. */
function saved(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  context: Context,
): Answer {
  if (words.filter(isOperand).length < 2 && options.end === undefined) {
    throw new DumpError('usage', '--save needs to know how many bytes', {
      hint: 'rd -r FILE ADDRESS COUNT, or -e ADDRESS',
    });
  }
  const file = String(options.save);
  const { facts, start, bytes } = readMemory(kernel, words, { ...options, width: '8' }, context);
  return {
    ...facts,
    saves: { file, bytes },
    *text() {
      yield `${bytes.length} bytes copied from 0x${hex(start)} to ${file}`;
    },
  };
}

/** Reads what the words and options of `rd` mean. Throws where not even the first page is there. */
export function readMemory(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  context: Context,
): MemoryAnswer {
  atMostOne(options, ['physical', 'user', 'file']);
  if (options.machine === true) {
    throw new DumpError('unsupported', 'no dump of Xen, which has machine addresses, is read', {
      hint: '-p takes a physical address',
    });
  }
  const request = requestOf(kernel, words, options);
  const isText = options.ascii === true;
  const isOpen = isText && words.filter(isOperand).length < 2 && options.end === undefined;
  const found = readPages(readerOf(kernel, request, options, context), request);
  const { bytes, problem } = isOpen ? upToEnd(found) : found;
  const { start, width, length } = request;
  const facts: Omit<Answer, 'text'> = {
    json: () => ({ ...dataOf(request, bytes), text: isText ? shownText(bytes) : null }),
    counted: plural(bytes.length, 'byte'),
    missing:
      problem === undefined
        ? []
        : [{ what: 'bytes', count: length - bytes.length, why: problem.message }],
    errors: problem === undefined ? [] : [problem],
  };
  return { facts, start, width, bytes };
}

/** Text as far as it is text; what cannot be read behind its end does not matter. */
function upToEnd(found: Found): Found {
  const stop = found.bytes.findIndex((byte) => printableByte(byte) !== byte);
  return stop < 0 ? found : { bytes: found.bytes.subarray(0, stop), problem: undefined };
}

function kindOf(address: bigint, options: Options): Request['kind'] {
  if (options.file === true) return 'file';
  if (options.physical === true) return 'physical';
  const isUser = options.user || options.task !== undefined || address < kernelHalf;
  return isUser ? 'user' : 'kernel';
}

/** `-8`, `-16`, `-32`, `-64` come as words: an option of the command line has one letter. */
function isOperand(word: string): boolean {
  return !word.startsWith('-');
}

function requestOf(kernel: Kernel, words: readonly string[], options: Options): Request {
  const [place, countWord, ...rest] = words.filter(isOperand);
  if (place === undefined || rest.length > 0) {
    throw new DumpError('usage', 'rd needs an address, and takes a count', { hint: 'help rd' });
  }
  const width = options.ascii === true ? 1 : widthOf(words, options);
  const offset = typeof options.offset === 'string' ? hexNumber(options.offset) : 0n;
  const address = hexOrAddress(kernel, place) + offset;
  const kind = kindOf(address, options);
  const { end } = options;
  if (typeof end === 'string') {
    const length = hexOrAddress(kernel, end) - address;
    return { kind, start: address, length: checkedLength(length), width };
  }
  const unlimited = options.ascii === true ? maxText : 1;
  const count = countWord === undefined ? BigInt(unlimited) : countOf(countWord);
  const length = checkedLength(count * BigInt(width));
  const isReverse = options.reverse === true;
  const start = isReverse ? address - BigInt(length - width) : address;
  return { kind, start: BigInt.asUintN(64, start), length, width };
}

function widthOf(words: readonly string[], options: Options): number {
  const given = words.filter((word) => !isOperand(word)).map((word) => word.slice(1));
  const { width } = options;
  const [bits = '64'] = typeof width === 'string' ? [width] : given;
  if (['8', '16', '32', '64'].includes(bits)) return Number(bits) / 8;
  throw new DumpError('usage', `no words have ${bits} bits`, { hint: '8, 16, 32 or 64' });
}

/** Decimal, or hexadecimal with 0x. */
function countOf(word: string): bigint {
  if (/^(\d{1,12}|0x[0-9a-f]{1,10})$/i.test(word)) return BigInt(word);
  throw new DumpError('usage', `"${word}" is no count`);
}

function checkedLength(length: bigint): number {
  if (length > 0n && length <= maxBytes) return Number(length);
  throw new DumpError('usage', `${length} bytes cannot be shown`, {
    hint: `from one byte to ${maxBytes}`,
  });
}

function readerOf(kernel: Kernel, { kind }: Request, options: Options, context: Context): Read {
  if (kind === 'physical') return (address, length) => kernel.physical.read(address, length);
  if (kind === 'file') {
    const file = fileBytes(kernel);
    return (offset, length) => file.read(offset, length);
  }
  const memory =
    kind === 'kernel'
      ? kernel.memory
      : addressSpaceOf(kernel, contextTask(kernel, context, options.task));
  return (address, length) => memory.read(address, length);
}

/** What is there up to the first page that is not. Throws where that is the first one. */
export function readPages(
  read: Read,
  { start, length }: { readonly start: bigint; readonly length: number },
): Found {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = start + BigInt(done);
    const piece = Math.min(length - done, 4096 - Number(at & 0xfffn));
    try {
      bytes.set(read(BigInt.asUintN(64, at), piece), done);
    } catch (error) {
      if (!(error instanceof DumpError) || done === 0) throw error;
      return { bytes: bytes.subarray(0, done), problem: error };
    }
    done += piece;
  }
  return { bytes, problem: undefined };
}

function styleOf(kernel: Kernel, options: Options, width: number): Style {
  const isNamed = options.symbols || options.slab;
  if (isNamed && width !== 8) {
    throw new DumpError('usage', 'only words of 64 bits are addresses', { hint: 'rd -s ADDRESS' });
  }
  if (options.network === true && width !== 2 && width !== 4) {
    throw new DumpError('usage', '--network takes words of 16 or 32 bits');
  }
  const slab = options.slab === 'twice' ? 'address' : options.slab ? 'name' : 'none';
  return {
    width,
    base: options.signed ? 'signed' : options.unsigned ? 'unsigned' : 'hex',
    order: options.network === true ? 'network' : 'memory',
    characters: options.plain === true ? 'none' : 'shown',
    nameOf: isNamed ? pointerNames(kernel, slab) : undefined,
  };
}

function dataOf({ kind, start, width }: Request, bytes: Uint8Array): { [key: string]: Json } {
  return {
    kind,
    address: jsonAddress(start),
    width: width * 8,
    length: bytes.length,
    bytes: hexDigits(bytes),
  };
}

/** Of text there are at most a few pages, or as much as was asked for by a count. */
function shownText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(printableByte(byte));
  return text;
}

function printableByte(byte: number): number {
  return byte >= 0x20 && byte <= 0x7e ? byte : 0x2e;
}
