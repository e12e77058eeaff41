/**
 * BTF, the type information that a kernel carries in its own memory: one blob for vmlinux, one more
 * for each module, whose type ids and string offsets go on where vmlinux's end ("split BTF").
 * Source: Documentation/bpf/btf.rst; include/uapi/linux/btf.h.
 *
 * A blob is indexed on opening (where each type starts); names and members are decoded on demand.
 */

import { DumpError } from '../bytes/errors.ts';
import { struct, u8, u16, u32 } from '../bytes/struct.ts';
import { cstring } from '../bytes/text.ts';
import { NameIndex } from './name-index.ts';

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

/** include/uapi/linux/btf.h, enum BTF_KIND_*. */
export const BtfKind = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  functionPrototype: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

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

/** One blob. Ids below `firstId` and strings below `firstString` belong to `base`. */
export class Btf {
  readonly name: string;
  readonly base: Btf | undefined;
  readonly firstId: number;
  readonly #firstString: number;
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  /** Byte offset of type `firstId + index` in the blob. */
  readonly #offsets: Uint32Array;
  readonly #count: number;
  #byName: { readonly index: NameIndex; readonly ids: Uint32Array } | undefined;

  constructor(name: string, bytes: Uint8Array, base?: Btf) {
    this.name = name;
    this.base = base;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < BtfHeader.size) throw this.#corrupt('no room for a header');
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
    this.firstId = base === undefined ? 1 : base.endId;
    this.#firstString = base === undefined ? 0 : base.#firstString + base.#strings.length;
    const index = this.#index(types, types + header.type_len);
    this.#offsets = index.offsets;
    this.#count = index.count;
  }

  /** One past the highest type id. */
  get endId(): number {
    return this.firstId + this.#count;
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
    for (let id = this.firstId; id < this.endId; id++) {
      const kind = this.kind(id);
      if (kind !== BtfKind.function && kind !== BtfKind.variable) continue;
      if (this.typeName(id) === name) return id;
    }
    return undefined;
  }

  /** Ids of every enum of this blob, with a name or without. */
  *enums(): Generator<number> {
    for (let id = this.firstId; id < this.endId; id++) {
      const kind = this.kind(id);
      if (kind === BtfKind.enum || kind === BtfKind.enum64) yield id;
    }
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
    const ids = new Uint32Array(this.#count);
    const starts = new Uint32Array(this.#count);
    let named = 0;
    for (let id = this.firstId; id < this.endId; id++) {
      if (!namedKinds.has(this.kind(id))) continue;
      const start = this.#view.getUint32(this.#at(id), true);
      if (start === 0) continue;
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

  #index(start: number, end: number): { offsets: Uint32Array; count: number } {
    // No type is shorter than its three words.
    const offsets = new Uint32Array(Math.floor((end - start) / 12) + 1);
    let count = 0;
    let at = start;
    while (at + 12 <= end) {
      const info = this.#view.getUint32(at + 4, true);
      const words = extraWords((info >>> 24) & 0x1f, info & 0xffff);
      if (words < 0) throw this.#corrupt(`type ${this.firstId + count} is of an unknown kind`);
      offsets[count++] = at;
      at += 12 + words * 4;
    }
    if (at !== end) throw this.#corrupt('the last type ends behind the type section');
    return { offsets, count };
  }

  #string(offset: number): string {
    if (offset < this.#firstString) {
      if (this.base === undefined) throw this.#corrupt(`string at ${offset}`);
      return this.base.#string(offset);
    }
    const at = offset - this.#firstString;
    if (at >= this.#strings.length) throw this.#corrupt(`string at ${offset} is outside`);
    const end = this.#strings.indexOf(0, at);
    return cstring(this.#strings.subarray(at, end < 0 ? undefined : end));
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
    if (index >= this.#count) throw this.#corrupt(`no type has id ${id}`);
    return this.#offsets[index]!;
  }

  #lower(id: number): Btf {
    if (this.base === undefined) throw this.#corrupt(`no type has id ${id}`);
    return this.base;
  }

  #corrupt(what: string): DumpError {
    return new DumpError('corrupt', `BTF of ${this.name}: ${what}`);
  }
}

/** Words that follow the first three of a type; -1 for a kind that nobody knows. */
function extraWords(kind: number, length: number): number {
  switch (kind) {
    case BtfKind.int:
    case BtfKind.variable:
    case BtfKind.declarationTag:
      return 1;
    case BtfKind.array:
      return 3;
    case BtfKind.struct:
    case BtfKind.union:
    case BtfKind.dataSection:
    case BtfKind.enum64:
      return length * 3;
    case BtfKind.enum:
    case BtfKind.functionPrototype:
      return length * 2;
    case BtfKind.pointer:
    case BtfKind.forward:
    case BtfKind.typedef:
    case BtfKind.volatile:
    case BtfKind.const:
    case BtfKind.restrict:
    case BtfKind.function:
    case BtfKind.float:
    case BtfKind.typeTag:
      return 0;
    default:
      return -1;
  }
}
