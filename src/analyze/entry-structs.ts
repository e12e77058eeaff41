/** What `list` and `tree` show of each entry: whole structs, or some of their members. */

import { attempt, DumpError } from '../bytes/errors.ts';
import { printable } from '../bytes/text.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Member, TypeRef, TypeTable } from '../linux/types.ts';
import type { Json, Missing, Options, Radix } from './command.ts';
import { Gaps } from './gaps.ts';
import { Inspector, quote, type Shown } from './inspect.ts';
import { type Asked, askedLines, askFor, readAsked } from './members.ts';
import { isUnion, memberPaths, structureNamed } from './struct.ts';
import { notThere, valueJson, valueText } from './value-text.ts';

/** Of a string, as crash. */
const maxText = 1500;

/** One `-s`. */
interface Wanted {
  /** `struct module`. */
  readonly title: string;
  readonly ref: TypeRef;
  /** Empty: all of it. */
  readonly asked: readonly Asked[];
}

/** Reads entries. What the dump does not have is counted, and the rest shown. */
export class EntryStructs {
  readonly #kernel: Kernel;
  readonly #wanted: readonly Wanted[];
  readonly #isRaw: boolean;
  readonly #radix: Radix;
  #inspector: Inspector;
  #gaps = new Gaps();

  /** Throws `absent` for a type or a member that the kernel does not have. */
  constructor(kernel: Kernel, options: Options, radix: Radix) {
    this.#kernel = kernel;
    const { struct, raw } = options;
    if (struct !== undefined && raw !== undefined) {
      throw new DumpError('usage', '--struct and --raw do not go together', { hint: 'ask twice' });
    }
    this.#isRaw = raw !== undefined;
    const given = raw ?? struct;
    const words = typeof given === 'string' ? given.split(' ') : [];
    this.#wanted = words.map((word) => wantedBy(kernel.types, word));
    this.#radix = radix;
    this.#inspector = new Inspector(kernel);
  }

  get isEmpty(): boolean {
    return this.#wanted.length === 0;
  }

  get missing(): readonly Missing[] {
    return [...this.#gaps.missing, ...this.#inspector.missing];
  }

  get errors(): readonly DumpError[] {
    return [...this.#gaps.errors, ...this.#inspector.errors];
  }

  /** To be called before entries are read, for the sake of the count. */
  begin(): void {
    this.#inspector = new Inspector(this.#kernel);
    this.#gaps = new Gaps();
  }

  *lines(address: bigint): Generator<string> {
    for (const { title, ref, asked } of this.#wanted) {
      if (asked.length === 0) {
        const whole = this.#whole(ref, address);
        const text = whole === undefined ? notThere : valueText(whole, this.#radix, 0);
        yield `${title} ${text}`;
      }
      for (const one of asked) yield* this.#memberLines(ref, one, address);
    }
  }

  json(address: bigint): Json {
    return this.#wanted.map(({ title, ref, asked }) => {
      if (asked.length === 0) {
        const whole = this.#whole(ref, address);
        return { type: title, value: whole === undefined ? null : valueJson(whole) };
      }
      const parts = asked.map((one): [string, Json] => {
        const found = attempt(() => this.#read(one, address));
        return [one.path, found === undefined ? null : valueJson(found.shown)];
      });
      return { type: title, value: Object.fromEntries(parts) };
    });
  }

  #whole(ref: TypeRef, address: bigint): Shown | undefined {
    const value = { type: typeOfRef(ref), address };
    return attempt(() => this.#inspector.value(value));
  }

  #read(one: Asked, address: bigint): Asked & { readonly shown: Shown } {
    return readAsked(this.#inspector, [one], address)[0]!;
  }

  *#memberLines(ref: TypeRef, one: Asked, address: bigint): Generator<string> {
    // The inspector counts what it does not find.
    const raw = this.#isRaw ? this.#rawText(one, address) : undefined;
    const found = raw ?? attempt(() => this.#read(one, address));
    if (found === undefined) yield `  ${one.path} = ${notThere}`;
    else if (typeof found === 'string') yield `  ${one.path} = ${found}`;
    else yield* askedLines(this.#kernel.types, ref, [found], this.#radix);
  }

  /** crash's -S; undefined for what is no number and no text. */
  #rawText({ member }: Asked, address: bigint): string | undefined {
    const { types, memory, symbols } = this.#kernel;
    const { size } = types.resolve(member.type);
    const at = BigInt.asUintN(64, address + BigInt(member.offset));
    const text = textKind(types, member);
    const isNumber = [1, 2, 4, 8].includes(size) && member.bits === undefined;
    if (text !== 'array' && !isNumber) return undefined;
    const bytes = this.#gaps.attempt('members', () => memory.read(at, size));
    if (bytes === undefined) return notThere;
    if (text === 'array') return quote(upToNul(bytes));
    const number = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const isPointer = types.resolve(member.type).kind === 'pointer';
    const isHex = isPointer || this.#radix === 'hexadecimal';
    const digits = isHex ? `0x${number.toString(16)}` : String(number);
    if (text === 'pointer') return `${digits}  ${this.#textAt(number)}`;
    const place = size === 8 ? symbols.at(number) : undefined;
    const isText = place?.offset === 0 && /^[tTwW]$/.test(place.symbol.type);
    return isText ? `${digits} <${place.symbol.name}>` : digits;
  }

  #textAt(address: bigint): string {
    if (address === 0n) return '""';
    const read = (): string => `"${printable(this.#kernel.memory.cstring(address, maxText))}"`;
    return this.#gaps.attempt('strings', read) ?? notThere;
  }
}

function wantedBy(types: TypeTable, word: string): Wanted {
  const [name = '', ...paths] = memberPaths(word);
  const ref = structureNamed(types, name);
  const title = `${isUnion(types, ref) ? 'union' : 'struct'} ${name}`;
  return { title, ref, asked: askFor(types, ref, paths) };
}

function textKind(types: TypeTable, { type }: Member): 'array' | 'pointer' | undefined {
  const known = types.resolve(type);
  if (known.kind !== 'array' && known.kind !== 'pointer') return undefined;
  const target = types.resolve(known.kind === 'array' ? known.element : known.target);
  return target.kind === 'int' && target.name === 'char' ? known.kind : undefined;
}

function upToNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
