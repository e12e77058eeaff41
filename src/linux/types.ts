/**
 * The kernel's C types: lookup by C name, sizes, members by path. A type is asked whether it has a
 * member; no kernel version is ever asked.
 */

import { DumpError } from '../bytes/errors.ts';
import { type Btf, BtfKind } from './btf.ts';
import { tagKeywords } from './btf-kind.ts';

/** A type id together with the blob whose id it is: ids of two modules overlap. */
export interface TypeRef {
  readonly btf: Btf;
  readonly id: number;
}

export interface Member {
  readonly name: string;
  readonly type: TypeRef;
  /** Bytes from the start of the outermost type of the path. */
  readonly offset: number;
  /** Bit-fields only: width, and first bit counted from `offset`. */
  readonly bits?: { readonly width: number; readonly first: number };
}

export interface StructType {
  readonly kind: 'struct';
  readonly isUnion: boolean;
  readonly name: string;
  readonly size: number;
  /** Members by name, those of anonymous structs and unions among them. */
  readonly members: ReadonlyMap<string, Member>;
}
export interface IntType {
  readonly kind: 'int';
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly bool: boolean;
  readonly char: boolean;
}
export interface PointerType {
  readonly kind: 'pointer';
  readonly size: 8;
  readonly target: TypeRef;
}
export interface ArrayType {
  readonly kind: 'array';
  readonly size: number;
  readonly length: number;
  readonly element: TypeRef;
}
export interface EnumType {
  readonly kind: 'enum';
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
}
/** void, functions, forward declarations, floats: nothing that can be read as a value. */
export interface OpaqueType {
  readonly kind: 'opaque';
  readonly name: string;
  readonly size: 0;
}
export type Type = StructType | IntType | PointerType | ArrayType | EnumType | OpaqueType;

/** Typedefs, qualifiers and anonymous members nest; a cycle of them is damage. */
const maxDepth = 64;

/** What was found out about types. */
class ByRef<T> {
  readonly #known = new Map<Btf, Map<number, T>>();

  /** What is known, else what `find` gives. */
  get({ btf, id }: TypeRef, find: () => T): T {
    let ofBlob = this.#known.get(btf);
    if (ofBlob === undefined) {
      ofBlob = new Map();
      this.#known.set(btf, ofBlob);
    }
    let known = ofBlob.get(id);
    if (known === undefined) {
      known = find();
      ofBlob.set(id, known);
    }
    return known;
  }
}

export class TypeTable {
  readonly #vmlinux: Btf;
  readonly #modules: () => readonly Btf[];
  readonly #types = new ByRef<Type>();
  readonly #names = new ByRef<string>();
  readonly #found = new Map<string, TypeRef | undefined>();

  /** `modules` is asked only for names that vmlinux does not have. */
  constructor(vmlinux: Btf, modules: () => readonly Btf[]) {
    this.#vmlinux = vmlinux;
    this.#modules = modules;
  }

  /** `struct x`, `union x`, `enum x`, a typedef or a base type. */
  find(name: string): TypeRef | undefined {
    if (!this.#found.has(name)) this.#found.set(name, this.#search(name));
    return this.#found.get(name);
  }

  /**
   * Does vmlinux itself have that type? Reads no module's types: asking for what only some kernels
   * have is cheap.
   */
  isInKernel(name: string): boolean {
    return inBlob(this.#vmlinux, splitTag(name)) !== undefined;
  }

  get(name: string): TypeRef {
    const found = this.find(name);
    if (found === undefined) throw new DumpError('absent', `the kernel has no type "${name}"`);
    return found;
  }

  /** The type behind typedefs and qualifiers. */
  resolve(ref: TypeRef): Type {
    return this.#types.get(ref, () => this.#decode(this.strip(ref)));
  }

  /** A struct or union by its C name. */
  structure(name: string): StructType {
    const type = this.resolve(this.get(name));
    if (type.kind !== 'struct') throw new DumpError('usage', `"${name}" has no members`);
    return type;
  }

  sizeOf(name: string): number {
    return this.resolve(this.get(name)).size;
  }

  /** A member by path: `thread.sp`, `rss_stat.count`, `signal.rlim[3].rlim_cur`. No pointers. */
  member(name: string, path: string): Member {
    const found = this.memberOf(this.resolve(this.get(name)), path);
    if (found === undefined) throw new DumpError('absent', `"${name}" has no member "${path}"`);
    return found;
  }

  offsetOf(name: string, path: string): number {
    return this.member(name, path).offset;
  }

  hasMember(name: string, path: string): boolean {
    const ref = this.find(name);
    return ref !== undefined && this.memberOf(this.resolve(ref), path) !== undefined;
  }

  /** The C name of a type, for people. */
  nameOf(ref: TypeRef): string {
    return this.#names.get(ref, () => this.#nameOf(ref, 0));
  }

  /** Enumerator name -> value, of an enum by its C name. */
  enumerators(name: string): ReadonlyMap<string, bigint> {
    const { btf, id } = this.strip(this.get(name));
    return new Map(btf.values(id).map((entry) => [entry.name, entry.value]));
  }

  /** The same of a type by reference, in order. */
  enumeratorsOf(ref: TypeRef): readonly { readonly name: string; readonly value: bigint }[] {
    const { btf, id } = this.strip(ref);
    return btf.values(id);
  }

  /**
   * The members of a struct or union as they were declared: anonymous ones are themselves members
   * with an empty name, offsets count from this type.
   */
  fields(ref: TypeRef): readonly Member[] {
    const { btf, id } = this.strip(ref);
    return btf.members(id).map(({ name, type, bitOffset, bitSize }) => ({
      name,
      type: { btf, id: type },
      offset: Math.floor(bitOffset / 8),
      ...(bitSize === 0 ? {} : { bits: { width: bitSize, first: bitOffset % 8 } }),
    }));
  }

  /** The type of a function or of a per-CPU variable: of other variables BTF has none. */
  declared(name: string): TypeRef | undefined {
    for (const btf of this.#blobs()) {
      const id = btf.declared(name);
      if (id !== undefined) return { btf, id: btf.sizeOrType(id) };
    }
    return undefined;
  }

  /** Every enum, those without a name among them. */
  *enums(): Generator<TypeRef> {
    for (const btf of this.#blobs()) for (const id of btf.enums()) yield { btf, id };
  }

  /** Every type that has a name, by blob and id. */
  *all(): Generator<TypeRef> {
    for (const btf of this.#blobs()) for (const id of btf.all()) yield { btf, id };
  }

  /** Every name of a type, without `struct` and its like; one may come more than once. */
  *names(): Generator<string> {
    for (const btf of this.#blobs()) yield* btf.names();
  }

  *#blobs(): Generator<Btf> {
    yield this.#vmlinux;
    yield* this.#modules();
  }

  /** The same of a type that may have no name to ask by; undefined where it has no such member. */
  memberOf(outer: Type, path: string): Member | undefined {
    let type = outer;
    let found: Member | undefined;
    let offset = 0;
    for (const step of path.split(/\.|(?=\[)/)) {
      if (step.startsWith('[')) {
        if (type.kind !== 'array') return undefined;
        const size: number = this.resolve(type.element).size;
        offset += Number.parseInt(step.slice(1), 10) * size;
        found = { name: step, type: type.element, offset };
      } else {
        const member: Member | undefined =
          type.kind === 'struct' ? type.members.get(step) : undefined;
        if (member === undefined) return undefined;
        found = { ...member, offset: offset + member.offset };
        offset = found.offset;
      }
      type = this.resolve(found.type);
    }
    return found;
  }

  #search(name: string): TypeRef | undefined {
    const words = splitTag(name);
    for (const btf of this.#blobs()) {
      const found = inBlob(btf, words);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The type behind typedefs and qualifiers, by reference; id 0 is void. */
  strip(ref: TypeRef): TypeRef {
    let id = ref.id;
    for (let depth = 0; depth < maxDepth && id !== 0; depth++) {
      const kind = ref.btf.kind(id);
      const isAlias =
        (kind >= BtfKind.typedef && kind <= BtfKind.restrict) || kind === BtfKind.typeTag;
      if (!isAlias) return { btf: ref.btf, id };
      id = ref.btf.sizeOrType(id);
    }
    return { btf: ref.btf, id: 0 };
  }

  #decode({ btf, id }: TypeRef): Type {
    const kind = id === 0 ? BtfKind.void : btf.kind(id);
    switch (kind) {
      case BtfKind.int: {
        const { signed, char, bool } = btf.integer(id);
        const name = btf.typeName(id);
        const size = btf.sizeOrType(id);
        // gcc marks `char` as signed only; a byte called char is text in an array.
        return { kind: 'int', name, size, signed, bool, char: char || name === 'char' };
      }
      case BtfKind.pointer:
        return { kind: 'pointer', size: 8, target: { btf, id: btf.sizeOrType(id) } };
      case BtfKind.array: {
        const { type, length } = btf.array(id);
        const element = { btf, id: type };
        const size = this.#elementSize(element, 0) * length;
        return { kind: 'array', size, length, element };
      }
      case BtfKind.struct:
      case BtfKind.union: {
        const members = new Map<string, Member>();
        this.#collect({ btf, id }, 0, new Set(), members);
        const name = btf.typeName(id);
        const size = btf.sizeOrType(id);
        return { kind: 'struct', isUnion: kind === BtfKind.union, name, size, members };
      }
      case BtfKind.enum:
      case BtfKind.enum64: {
        const name = btf.typeName(id);
        return { kind: 'enum', name, size: btf.sizeOrType(id), signed: btf.flag(id) };
      }
      default:
        return { kind: 'opaque', name: id === 0 ? 'void' : btf.typeName(id), size: 0 };
    }
  }

  /** Arrays of arrays, without resolving through the cache: damage may make them cyclic. */
  #elementSize(ref: TypeRef, depth: number): number {
    const { btf, id } = this.strip(ref);
    if (id === 0 || depth > maxDepth) return 0;
    const kind = btf.kind(id);
    if (kind === BtfKind.pointer) return 8;
    if (kind === BtfKind.array) {
      const { type, length } = btf.array(id);
      return this.#elementSize({ btf, id: type }, depth + 1) * length;
    }
    const sized = [BtfKind.int, BtfKind.struct, BtfKind.union, BtfKind.enum, BtfKind.enum64];
    return (sized as number[]).includes(kind) ? btf.sizeOrType(id) : 0;
  }

  /** Each anonymous type once: C allows no second one, and damage could nest them without end. */
  #collect(ref: TypeRef, base: number, seen: Set<number>, into: Map<string, Member>): void {
    if (seen.has(ref.id)) return;
    seen.add(ref.id);
    for (const { name, type, bitOffset, bitSize } of ref.btf.members(ref.id)) {
      const target = { btf: ref.btf, id: type };
      const offset = base + Math.floor(bitOffset / 8);
      // What a lost struct without a name has is lost, not what is beside it.
      if (name === '' && !ref.btf.isThere(type)) continue;
      if (name === '') {
        const inner = this.strip(target);
        const kind = inner.id === 0 ? BtfKind.void : inner.btf.kind(inner.id);
        if (kind === BtfKind.struct || kind === BtfKind.union) {
          this.#collect(inner, offset, seen, into);
        }
      } else if (bitSize > 0) {
        const bits = { width: bitSize, first: bitOffset % 8 };
        into.set(name, { name, type: target, offset, bits });
      } else {
        into.set(name, { name, type: target, offset });
      }
    }
  }

  #nameOf({ btf, id }: TypeRef, depth: number): string {
    if (id === 0 || depth > maxDepth) return 'void';
    const tagged = btf.tagged(id);
    if (tagged !== undefined) return tagged;
    const inner = (): string => this.#nameOf({ btf, id: btf.sizeOrType(id) }, depth + 1);
    switch (btf.kind(id)) {
      case BtfKind.pointer:
        return `${inner()} *`;
      case BtfKind.const:
        return `const ${inner()}`;
      case BtfKind.volatile:
        return `volatile ${inner()}`;
      case BtfKind.restrict:
      case BtfKind.typeTag:
        return inner();
      case BtfKind.array: {
        const { type, length } = btf.array(id);
        return `${this.#nameOf({ btf, id: type }, depth + 1)}[${length}]`;
      }
      case BtfKind.functionPrototype:
        return 'function';
      default:
        return btf.typeName(id);
    }
  }
}

function inBlob(btf: Btf, [keyword, tag]: [string, string]): TypeRef | undefined {
  for (const id of btf.named(tag)) {
    // Base types and typedefs have no tag.
    if ((tagKeywords[btf.kind(id)] ?? '') === keyword) return { btf, id };
  }
  return undefined;
}

/** The names that gcc gives to base types which C lets one write in several ways. */
const baseTypeNames: Readonly<Record<string, string>> = {
  short: 'short int',
  'unsigned short': 'short unsigned int',
  unsigned: 'unsigned int',
  long: 'long int',
  'unsigned long': 'long unsigned int',
  'long long': 'long long int',
  'unsigned long long': 'long long unsigned int',
};

function splitTag(name: string): [keyword: string, tag: string] {
  const match = /^(struct|union|enum)\s+(.+)$/.exec(name);
  if (match !== null) return [match[1]!, match[2]!.trim()];
  const words = name.trim().replace(/\s+/g, ' ');
  return ['', baseTypeNames[words] ?? words];
}
