/** Writes BTF blobs from a list of declarations, in the encoding of include/uapi/linux/btf.h. */

import { BtfHeader, BtfKind, btfMagic } from '../../src/linux/btf.ts';

export interface MemberToWrite {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  readonly bitSize?: number;
}

export class BtfWriter {
  readonly #words: number[] = [];
  readonly #strings: number[];
  readonly #firstString: number;
  #nextId: number;

  /** `base` for split BTF: how many types and string bytes the lower blob has. */
  constructor(base?: { endId: number; stringLength: number }) {
    this.#nextId = base?.endId ?? 1;
    this.#firstString = base?.stringLength ?? 0;
    this.#strings = base === undefined ? [0] : [];
  }

  get endId(): number {
    return this.#nextId;
  }

  get stringLength(): number {
    return this.#firstString + this.#strings.length;
  }

  int(name: string, size: number, encoding: { signed?: true; char?: true; bool?: true }): number {
    const flags = (encoding.signed ? 1 : 0) | (encoding.char ? 2 : 0) | (encoding.bool ? 4 : 0);
    return this.#type(name, BtfKind.int, 0, size, [(flags << 24) | (size * 8)]);
  }

  pointer(to: number): number {
    return this.#type('', BtfKind.pointer, 0, to, []);
  }

  array(of: number, length: number): number {
    return this.#type('', BtfKind.array, 0, 0, [of, of, length]);
  }

  typedef(name: string, of: number): number {
    return this.#type(name, BtfKind.typedef, 0, of, []);
  }

  const(of: number): number {
    return this.#type('', BtfKind.const, 0, of, []);
  }

  /** A parameter of type 0 is `...`. */
  functionPrototype(returns: number, parameters: readonly number[]): number {
    const words = parameters.flatMap((type) => [0, type]);
    return this.#type('', BtfKind.functionPrototype, parameters.length, returns, words);
  }

  struct(name: string, size: number, members: readonly MemberToWrite[]): number {
    return this.#compound(name, BtfKind.struct, size, members);
  }

  union(name: string, size: number, members: readonly MemberToWrite[]): number {
    return this.#compound(name, BtfKind.union, size, members);
  }

  enum(name: string, values: Readonly<Record<string, number>>): number {
    const words = Object.entries(values).flatMap(([key, value]) => [this.#string(key), value]);
    return this.#type(name, BtfKind.enum, words.length / 2, 4, words);
  }

  bytes(): Uint8Array {
    const types = this.#words.length * 4;
    const bytes = new Uint8Array(BtfHeader.size + types + this.#strings.length);
    BtfHeader.write(bytes, 0, {
      magic: btfMagic,
      version: 1,
      hdr_len: BtfHeader.size,
      type_len: types,
      str_off: types,
      str_len: this.#strings.length,
    });
    const view = new DataView(bytes.buffer);
    for (const [index, word] of this.#words.entries()) {
      view.setUint32(BtfHeader.size + index * 4, word >>> 0, true);
    }
    bytes.set(this.#strings, BtfHeader.size + types);
    return bytes;
  }

  #compound(name: string, kind: number, size: number, members: readonly MemberToWrite[]): number {
    const hasBitFields = members.some((member) => member.bitSize !== undefined);
    const words = members.flatMap(({ name: member, type, bitOffset, bitSize = 0 }) => [
      this.#string(member),
      type,
      hasBitFields ? (bitSize << 24) | bitOffset : bitOffset,
    ]);
    return this.#type(name, kind, members.length | (hasBitFields ? 2 ** 31 : 0), size, words);
  }

  #type(name: string, kind: number, info: number, sizeOrType: number, extra: number[]): number {
    this.#words.push(this.#string(name), (kind << 24) + info, sizeOrType, ...extra);
    return this.#nextId++;
  }

  #string(text: string): number {
    if (text === '') return 0;
    const at = this.stringLength;
    this.#strings.push(...new TextEncoder().encode(text), 0);
    return at;
  }
}
