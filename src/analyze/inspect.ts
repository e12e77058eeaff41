/**
 * Objects of kernel memory taken apart by their types: a tree of what stands there, of which text
 * and JSON are made. A part that the dump does not hold is a part of its own kind.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import {
  type CType,
  integerShape,
  sizeOf,
  targetOf,
  typeOfRef,
} from '../linux/expression/ctype.ts';
import { numberOf, type ReadMemory, type Value } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Member, Type } from '../linux/types.ts';
import type { Missing } from './command.ts';
import { Gaps } from './gaps.ts';

/** What stands somewhere. */
export type Shown =
  | { readonly kind: 'integer'; readonly number: bigint; readonly type: Type }
  | { readonly kind: 'enum'; readonly number: bigint; readonly name: string | undefined }
  | { readonly kind: 'pointer'; readonly number: bigint; readonly text: string }
  | { readonly kind: 'function'; readonly address: bigint }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly isText: boolean }
  | { readonly kind: 'array'; readonly elements: readonly Shown[] }
  | { readonly kind: 'struct'; readonly members: readonly ShownMember[] }
  | { readonly kind: 'missing' };

export interface ShownMember {
  /** Empty for a struct or union without a name. */
  readonly name: string;
  readonly value: Shown;
}

/** Structs in structs; a cycle of types is damage. */
const maxDepth = 64;
/** Of one array; the rest is said to be missing. */
const maxElements = 10_000;
/** In all: what asks for more follows a damaged type. */
const maxParts = 300_000;
const maxErrors = 100;
/** crash sets gdb's `print elements` so: characters of a string, elements of an array. */
export const shownElements = 256;
/** Below, addresses are a user's: what they lead to, the kernel's page tables do not say. */
const kernelSpace = 1n << 63n;

export class Inspector {
  readonly #gaps = new Gaps();
  readonly #kernel: Kernel;
  readonly #memory: ReadMemory;
  readonly #pointed: ReadMemory;
  #parts = 0;
  #readOnly: bigint[] | undefined;

  /** Objects lie in `memory`, and what they point to in `pointed`. */
  constructor(kernel: Kernel, memory: ReadMemory = kernel.memory, pointed: ReadMemory = memory) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.#pointed = pointed;
  }

  /** Parts that are not in the dump, and what cuts an answer short. */
  get missing(): readonly Missing[] {
    return this.#gaps.missing;
  }

  /** The first failures behind them: a large object may have one for each of its parts. */
  get errors(): readonly DumpError[] {
    return this.#gaps.errors.slice(0, maxErrors);
  }

  /** Throws the first error where not a single part can be read. */
  value(value: Value): Shown {
    const before = this.#gaps.errors.length;
    const shown = 'number' in value ? this.#scalar(value.type, value.number) : this.#at(value, 0);
    const [first] = this.#gaps.errors.slice(before);
    if (first !== undefined && !hasPart(shown)) throw first;
    return shown;
  }

  #at({ type, address, bits }: Extract<Value, { address: bigint }>, depth: number): Shown {
    const { types } = this.#kernel;
    if (depth > maxDepth || ++this.#parts > maxParts) {
      throw new DumpError('corrupt', `a type of more than ${maxDepth} levels or too many parts`);
    }
    if (integerShape(types, type) !== undefined) {
      const number = this.#gaps.attempt('members', () => {
        return numberOf({ types, memory: this.#memory }, { type, address, bits });
      });
      return number === undefined ? { kind: 'missing' } : this.#scalar(type, number);
    }
    const known = types.resolve(type.base);
    if (known.kind === 'struct') {
      const members = types.fields(type.base).map((field) => ({
        name: field.name,
        value: this.#field(field, address, depth + 1),
      }));
      return { kind: 'struct', members };
    }
    return known.kind === 'array'
      ? this.#array(type, known.length, address, depth)
      : { kind: 'function', address };
  }

  #field({ type, offset, bits }: Member, base: bigint, depth: number): Shown {
    const address = BigInt.asUintN(64, base + BigInt(offset));
    return this.#at({ type: typeOfRef(type), address, bits }, depth);
  }

  #array(type: CType, length: number, address: bigint, depth: number): Shown {
    const { types } = this.#kernel;
    const element = targetOf(types, type)!;
    const known = types.resolve(element.base);
    // As gdb, an array without elements is the address where they would begin.
    if (length === 0) return this.#pointer(element, address);
    const shown = Math.min(length, maxElements);
    if (shown < length) {
      const why = `only the first ${maxElements} of an array are shown`;
      this.#gaps.add('array elements', new DumpError('unsupported', why));
    }
    if (known.kind === 'int' && known.size === 1 && !known.bool) {
      const bytes = this.#gaps.attempt('members', () => this.#memory.read(address, shown));
      if (bytes === undefined) return { kind: 'missing' };
      return { kind: 'bytes', bytes: bytes.slice(), isText: known.char };
    }
    const step = BigInt(sizeOf(types, element));
    const elements = Array.from({ length: shown }, (_, index) => {
      const at = BigInt.asUintN(64, address + BigInt(index) * step);
      return this.#at({ type: element, address: at }, depth + 1);
    });
    return { kind: 'array', elements };
  }

  #scalar(type: CType, number: bigint): Shown {
    const { types } = this.#kernel;
    const target = targetOf(types, type);
    if (target !== undefined) return this.#pointer(target, BigInt.asUintN(64, number));
    const known = types.resolve(type.base);
    if (known.kind !== 'enum') return { kind: 'integer', number, type: known };
    return { kind: 'enum', number, name: this.#enumName(type, number) };
  }

  /** `A`, `(A | B)` for values that are bits, undefined for what no enumerator says. */
  #enumName(type: CType, number: bigint): string | undefined {
    const values = this.#kernel.types.enumeratorsOf(type.base);
    const exact = values.find(({ value }) => value === number);
    if (exact !== undefined) return exact.name;
    if (number <= 0n) return undefined;
    let all = 0n;
    for (const { value } of values) {
      const isBits = value >= 0n && (all & value) === 0n;
      if (!isBits) return undefined;
      all |= value;
    }
    const names = values.filter(({ value }) => value !== 0n && (number & value) === value);
    const parts = names.map(({ name }) => name);
    if (parts.length === 0) return `(unknown: 0x${number.toString(16)})`;
    const rest = number & ~all;
    if (rest !== 0n) parts.push(`unknown: 0x${rest.toString(16)}`);
    return `(${parts.join(' | ')})`;
  }

  /** Pointers to bytes lead to text, as in gdb. */
  #pointer(target: CType, number: bigint): Shown {
    const { types, symbols } = this.#kernel;
    const known = target.stars > 0 ? undefined : types.resolve(target.base);
    const place = number < kernelSpace ? undefined : symbols.at(number);
    const offset = place === undefined || place.offset === 0 ? '' : `+${place.offset}`;
    const parts = [`0x${number.toString(16)}`];
    const isText = known?.kind === 'int' && known.size === 1 && !known.bool && number !== 0n;
    // String literals have no symbols: the one before them says nothing.
    const isString = isText && offset !== '' && this.#isReadOnly(number);
    if (place !== undefined && !isString) parts.push(`<${place.symbol.name}${offset}>`);
    if (isText) {
      const none = `<error: Cannot access memory at address 0x${number.toString(16)}>`;
      parts.push(this.textAt(number) ?? none);
    }
    return { kind: 'pointer', number, text: parts.join(' ') };
  }

  #isReadOnly(address: bigint): boolean {
    this.#readOnly ??= ['__start_rodata', '__end_rodata'].map(
      (name) => this.#kernel.symbols.inKernel(name)?.address ?? 0n,
    );
    return address >= this.#readOnly[0]! && address < this.#readOnly[1]!;
  }

  /** The quoted text at an address, its first characters; undefined where it cannot be read. */
  textAt(address: bigint): string | undefined {
    const read = (): string => {
      const bytes = this.#textBytes(address);
      const end = bytes.indexOf(0);
      const text = quote(end < 0 ? bytes : bytes.subarray(0, end));
      return end < 0 ? `${text}...` : text;
    };
    const isKernel = address >= kernelSpace;
    return isKernel ? this.#gaps.attempt('strings', read) : attempt(read);
  }

  /** As many bytes as may be text; the page behind the NUL need not be there. */
  #textBytes(address: bigint): Uint8Array {
    const inPage = 4096 - Number(address & 0xfffn);
    const head = this.#pointed.read(address, Math.min(inPage, shownElements));
    if (head.includes(0) || head.length === shownElements) return head;
    return this.#pointed.read(address, shownElements);
  }
}

function hasPart(shown: Shown): boolean {
  switch (shown.kind) {
    case 'missing':
      return false;
    case 'array':
      return shown.elements.some(hasPart);
    case 'struct':
      return shown.members.some(({ value }) => hasPart(value));
    default:
      return true;
  }
}

const letters: Readonly<Record<number, string>> = {
  7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 27: '\\033', 92: '\\\\',
}; // biome-ignore format: one list

/** In gdb's spelling: octal escapes; a digit behind one is an escape too. */
function escaped(bytes: Uint8Array, quoteMark: '"' | "'"): string {
  let text = '';
  let afterOctal = false;
  for (const byte of bytes) {
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const known = letters[byte];
    const isPlain: boolean = byte >= 0x20 && byte < 0x7f && !(afterOctal && isDigit);
    if (known !== undefined) text += known;
    else if (String.fromCharCode(byte) === quoteMark) text += `\\${quoteMark}`;
    else if (isPlain) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(8).padStart(3, '0')}`;
    afterOctal = known === undefined && !isPlain;
  }
  return text;
}

export function quote(bytes: Uint8Array): string {
  return `"${escaped(bytes, '"')}"`;
}

export function quoteCharacter(byte: number): string {
  return `'${escaped(Uint8Array.of(byte), "'")}'`;
}
