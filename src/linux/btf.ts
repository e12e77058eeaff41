/**
 * BTF, the type information that a kernel carries in its own memory: one blob for vmlinux, one more
 * for each module, whose type ids and string offsets go on where vmlinux's end ("split BTF").
 * Source: Documentation/bpf/btf.rst; include/uapi/linux/btf.h.
 *
 * A blob is indexed on opening (where each type starts); names and members are decoded on demand.
 * Where some of its pages are lost, the other types keep their numbers.
 */

import { DumpError, within } from '../bytes/errors.ts';
import { struct, u8, u16, u32 } from '../bytes/struct.ts';
import { cstring } from '../bytes/text.ts';
import { indexTypes } from './btf-index.ts';
import { BtfKind, tagKeywords } from './btf-kind.ts';
import { NameIndex } from './name-index.ts';
import { type Hole, touchesHole } from './sparse.ts';

export { BtfKind };

export const BtfHeader = struct(
  'btf_header',
  {
    magic: u16('0xeb9f.'),
    version: u8('1.'),
    flags: u8('0.'),
    hdr_len: u32('Length of this header; the two offsets count from its end.'),
    type_off: u32('Type section.'),
    type_len: u32('Its length.'),
    str_off: u32('String section.'),
    str_len: u32('Its length.'),
  },
  { size: 24 },
);

export const btfMagic = 0xeb9f;

const namedKinds: ReadonlySet<number> = new Set([
  BtfKind.int,
  BtfKind.struct,
  BtfKind.union,
  BtfKind.enum,
  BtfKind.typedef,
  BtfKind.enum64,
]);

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  /** Width of a bit-field, 0 for an ordinary member. */
  readonly bitSize: number;
}

/** What the dump does not have of a blob. */
export interface AbsentBytes {
  readonly holes: readonly Hole[];
  /** Why the first is one. */
  readonly problem: DumpError | undefined;
  /** Bytes from the start of a page of memory to the blob. */
  readonly phase: number;
}

const nothingAbsent: AbsentBytes = { holes: [], problem: undefined, phase: 0 };

export interface LostTypes {
  /** Undefined where nobody can know how many. */
  readonly types: number | undefined;
  readonly problem: DumpError;
}

/** What stands for the name of a type or a member that the dump does not have. */
const lostName = '(lost)';

/** One blob. Ids below `firstId` and strings below `firstString` belong to `base`. */
export class Btf {
  readonly name: string;
  readonly base: Btf | undefined;
  readonly firstId: number;
  readonly #firstString: number;
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  /** Of the strings. */
  readonly #holes: readonly Hole[];
  /** Byte offset of type `firstId + index` in the blob; 0 for one that is lost. */
  readonly #offsets: Uint32Array;
  /** The last types are lost: nobody knows how many there were. */
  readonly isOpen: boolean;
  /** What the dump does not have of it; undefined where that is nothing. */
  readonly lost: LostTypes | undefined;
  #byName: { readonly index: NameIndex; readonly ids: Uint32Array } | undefined;

  /** `absent`: what of the bytes is not there. Throws `corrupt`. */
  constructor(name: string, bytes: Uint8Array, base?: Btf, absent: AbsentBytes = nothingAbsent) {
    this.name = name;
    this.base = base;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < BtfHeader.size) throw this.#corrupt('no room for a header');
    const { holes, problem, phase } = absent;
    if (problem !== undefined && touchesHole(holes, 0, BtfHeader.size)) throw problem;
    const header = BtfHeader.read(bytes);
    if (header.magic !== btfMagic || header.version !== 1) {
      throw this.#corrupt(`magic 0x${header.magic.toString(16)}, version ${header.version}`);
    }
    const types = header.hdr_len + header.type_off;
    const strings = header.hdr_len + header.str_off;
    if (types + header.type_len > bytes.length || strings + header.str_len > bytes.length) {
      throw this.#corrupt('a section ends behind the blob');
    }
    this.#strings = bytes.subarray(strings, strings + header.str_len);
    if (base?.isOpen === true) throw this.#corrupt('its numbers go on where others are lost');
    this.firstId = base === undefined ? 1 : base.endId;
    this.#firstString = base === undefined ? 0 : base.#firstString + base.#strings.length;
    this.#holes = holes
      .filter((hole) => hole.end > strings && hole.start < strings + header.str_len)
      .map(({ start, end }) => ({ start: start - strings, end: end - strings }));
    const { offsets, lost, isOpen } = within(`BTF of ${name}`, {}, () =>
      indexTypes({
        ...{ view: this.#view, start: types, end: types + header.type_len },
        ...{ stringsLength: this.#firstString + this.#strings.length, firstId: this.firstId },
        ...{ holes, phase },
      }),
    );
    this.#offsets = offsets;
    this.isOpen = isOpen;
    const isWhole = lost === 0 && !isOpen && this.#holes.length === 0;
    const why = problem ?? this.#corrupt('some of its types make no sense');
    // Of names that are lost nobody knows whose they are.
    const count = isOpen || this.#holes.length > 0 ? undefined : lost;
    this.lost = isWhole ? undefined : { types: count, problem: why };
  }

  /** One past the highest type id. */
  get endId(): number {
    return this.firstId + this.#offsets.length;
  }

  /** Ids of its types, but for those that are lost. */
  *#ids(): Generator<number> {
    for (const [index, at] of this.#offsets.entries()) if (at > 0) yield this.firstId + index;
  }

  /** False for a type that is lost with its page. */
  isThere(id: number): boolean {
    if (id < this.firstId) return this.base === undefined || this.base.isThere(id);
    return (this.#offsets[id - this.firstId] ?? 0) !== 0;
  }

  kind(id: number): number {
    return (this.#info(id) >>> 24) & 0x1f;
  }

  typeName(id: number): string {
    const at = this.#at(id);
    return at < 0 ? this.#lower(id).typeName(id) : this.#string(this.#view.getUint32(at, true));
  }

  /** The third word of a type: its size for sized kinds, the type it refers to for the others. */
  sizeOrType(id: number): number {
    const at = this.#at(id);
    return at < 0 ? this.#lower(id).sizeOrType(id) : this.#view.getUint32(at + 8, true);
  }

  /** Number of members, values or parameters. */
  length(id: number): number {
    return this.#info(id) & 0xffff;
  }

  /** kind_flag: a signed enum, a union behind a forward declaration. */
  flag(id: number): boolean {
    return this.#info(id) >>> 31 === 1;
  }

  integer(id: number): { bits: number; signed: boolean; char: boolean; bool: boolean } {
    const word = this.#extra(id, 0);
    const encoding = (word >>> 24) & 0xf;
    return {
      bits: word & 0xff,
      signed: (encoding & 1) !== 0,
      char: (encoding & 2) !== 0,
      bool: (encoding & 4) !== 0,
    };
  }

  array(id: number): { type: number; length: number } {
    return { type: this.#extra(id, 0), length: this.#extra(id, 2) };
  }

  members(id: number): BtfMember[] {
    const bitFields = this.flag(id);
    return Array.from({ length: this.length(id) }, (_, index) => {
      const offset = this.#extra(id, index * 3 + 2);
      return {
        name: this.#string(this.#extra(id, index * 3)),
        type: this.#extra(id, index * 3 + 1),
        bitOffset: bitFields ? offset & 0xffffff : offset,
        bitSize: bitFields ? offset >>> 24 : 0,
      };
    });
  }

  /** Enumerators of an enum or enum64. */
  values(id: number): { name: string; value: bigint }[] {
    const wide = this.kind(id) === BtfKind.enum64;
    const signed = this.flag(id);
    const words = wide ? 3 : 2;
    return Array.from({ length: this.length(id) }, (_, index) => {
      const low = BigInt(this.#extra(id, index * words + 1));
      const raw = wide ? low | (BigInt(this.#extra(id, index * words + 2)) << 32n) : low;
      const bits = wide ? 64 : 32;
      return {
        name: this.#string(this.#extra(id, index * words)),
        value: signed ? BigInt.asIntN(bits, raw) : raw,
      };
    });
  }

  /** What a function prototype takes; a last one without type or name stands for `...`. */
  parameters(id: number): { name: string; type: number }[] {
    return Array.from({ length: this.length(id) }, (_, index) => ({
      name: this.#string(this.#extra(id, index * 2)),
      type: this.#extra(id, index * 2 + 1),
    }));
  }

  /** The function or (per-CPU) variable of that name in this blob. They are not indexed. */
  declared(name: string): number | undefined {
    for (const id of this.#ids()) {
      const kind = this.kind(id);
      if (kind !== BtfKind.function && kind !== BtfKind.variable) continue;
      if (this.typeName(id) === name) return id;
    }
    return undefined;
  }

  /** Ids of every enum of this blob, with a name or without. */
  *enums(): Generator<number> {
    for (const id of this.#ids()) {
      const kind = this.kind(id);
      if (kind === BtfKind.enum || kind === BtfKind.enum64) yield id;
    }
  }

  /** Ids of everything that `named` knows by a name, and has one. */
  *all(): Generator<number> {
    for (const id of this.#ids()) {
      if (namedKinds.has(this.kind(id)) && this.typeName(id) !== '') yield id;
    }
  }

  /** `struct list_head`, `enum {...}`; undefined for a type that C writes without a tag. */
  tagged(id: number): string | undefined {
    const keyword = tagKeywords[this.kind(id)];
    return keyword === undefined ? undefined : `${keyword} ${this.typeName(id) || '{...}'}`;
  }

  /** Names that `named` knows; one may come more than once. */
  *names(): Generator<string> {
    for (const id of this.all()) yield this.typeName(id);
  }

  /**
   * Ids of this blob (not of its base) with that name, in order: structs, unions, enums, typedefs
   * and base types. Functions, half of all types, have names too and are not asked for by name.
   */
  named(name: string): readonly number[] {
    this.#byName ??= this.#nameIndex();
    const { index, ids } = this.#byName;
    return index.find(name).map((entry) => ids[entry]!);
  }

  #nameIndex(): { index: NameIndex; ids: Uint32Array } {
    const ids = new Uint32Array(this.#offsets.length);
    const starts = new Uint32Array(this.#offsets.length);
    let named = 0;
    for (const id of this.#ids()) {
      if (!namedKinds.has(this.kind(id))) continue;
      const start = this.#view.getUint32(this.#at(id), true);
      // Half a name is another's.
      if (start === 0 || this.#isCut(start)) continue;
      ids[named] = id;
      starts[named++] = start;
    }
    const index = new NameIndex(this.#allStrings(), starts.subarray(0, named));
    return { index, ids };
  }

  /** Strings of the base and of this blob in one: what name offsets count in. */
  #allStrings(): Uint8Array {
    if (this.base === undefined) return this.#strings;
    const lower = this.base.#allStrings();
    const all = new Uint8Array(lower.length + this.#strings.length);
    all.set(lower);
    all.set(this.#strings, lower.length);
    return all;
  }

  #string(offset: number): string {
    if (offset < this.#firstString) {
      if (this.base === undefined) throw this.#corrupt(`string at ${offset}`);
      return this.base.#string(offset);
    }
    const at = offset - this.#firstString;
    if (at >= this.#strings.length) throw this.#corrupt(`string at ${offset} is outside`);
    if (this.#isCut(offset)) return lostName;
    const end = this.#strings.indexOf(0, at);
    return cstring(this.#strings.subarray(at, end < 0 ? undefined : end));
  }

  /** Is any of the string lost? */
  #isCut(offset: number): boolean {
    if (offset < this.#firstString) {
      return this.base === undefined ? false : this.base.#isCut(offset);
    }
    if (this.#holes.length === 0) return false;
    const at = offset - this.#firstString;
    const end = this.#strings.indexOf(0, at);
    return touchesHole(this.#holes, at, (end < 0 ? this.#strings.length : end) + 1);
  }

  #info(id: number): number {
    const at = this.#at(id);
    return at < 0 ? this.#lower(id).#info(id) : this.#view.getUint32(at + 4, true);
  }

  #extra(id: number, word: number): number {
    const at = this.#at(id);
    if (at < 0) return this.#lower(id).#extra(id, word);
    return this.#view.getUint32(at + 12 + word * 4, true);
  }

  /** Where a type of this blob starts; -1 when it belongs to the base. */
  #at(id: number): number {
    const index = id - this.firstId;
    if (index < 0) return -1;
    const at = this.#offsets[index];
    if (at === undefined && !this.isOpen) throw this.#corrupt(`no type has id ${id}`);
    if (at === undefined || at === 0) throw this.#gone(id);
    return at;
  }

  #lower(id: number): Btf {
    if (this.base === undefined) throw this.#corrupt(`no type has id ${id}`);
    return this.base;
  }

  #gone(id: number): DumpError {
    const { code, message } = this.lost!.problem;
    return new DumpError(code, `type ${id} of ${this.name} is lost: ${message}`);
  }

  #corrupt(what: string): DumpError {
    return new DumpError('corrupt', `BTF of ${this.name}: ${what}`);
  }
}
