/**
 * The type of a value: one of the kernel's, and how many pointers stand before it. BTF has only
 * the pointers that the kernel uses itself; an expression makes more.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Type, TypeRef, TypeTable } from '../types.ts';
import { parseTypeName, type TypeName } from './parser.ts';

export interface CType {
  readonly base: TypeRef;
  readonly stars: number;
}

/** An integer, as C calculates with it. */
export interface IntegerShape {
  readonly size: number;
  readonly signed: boolean;
}

/** What `type` is behind typedefs; undefined: a pointer that BTF need not have. */
function resolved(types: TypeTable, { base, stars }: CType): Type | undefined {
  return stars > 0 ? undefined : types.resolve(base);
}

export function typeOfRef(base: TypeRef): CType {
  return { base, stars: 0 };
}

export function pointerTo({ base, stars }: CType): CType {
  return { base, stars: stars + 1 };
}

/** What a pointer points to or an array consists of; undefined for other types. */
export function targetOf(types: TypeTable, type: CType): CType | undefined {
  const known = resolved(types, type);
  if (known === undefined) return { base: type.base, stars: type.stars - 1 };
  if (known.kind === 'pointer') return typeOfRef(known.target);
  return known.kind === 'array' ? typeOfRef(known.element) : undefined;
}

export function isPointer(types: TypeTable, type: CType): boolean {
  const known = resolved(types, type);
  return known === undefined || known.kind === 'pointer';
}

/** The C kind of a value. */
export function kindOf(types: TypeTable, type: CType): Type['kind'] {
  return resolved(types, type)?.kind ?? 'pointer';
}

/** Bytes. As for GNU C, void and functions have 1. */
export function sizeOf(types: TypeTable, type: CType): number {
  const known = resolved(types, type);
  if (known === undefined) return 8;
  return known.kind === 'opaque' ? 1 : known.size;
}

/** How C calculates with a value of this type; undefined for structs, arrays and functions. */
export function integerShape(types: TypeTable, type: CType): IntegerShape | undefined {
  const known = resolved(types, type);
  if (known === undefined || known.kind === 'pointer') return { size: 8, signed: false };
  return known.kind === 'int' || known.kind === 'enum' ? known : undefined;
}

/** Is this word the name of a type, without a tag? */
export function typeNames(types: TypeTable): (name: string) => boolean {
  return (name) => types.find(name) !== undefined;
}

/** The type of that name. Throws `absent`. */
export function namedType(types: TypeTable, { base, stars }: TypeName): CType {
  if (base === 'void') return { base: voidOf(types), stars };
  const words = base.split(' ');
  const isBase = words.every((word) => baseWords.has(word));
  return { base: types.get(isBase ? baseTypeName(words) : base), stars };
}

/** The type that `text` names; undefined where it is no type name at all. */
export function findType(types: TypeTable, text: string): CType | undefined {
  const name = parseTypeName(text, typeNames(types));
  return name === undefined ? undefined : namedType(types, name);
}

/** Id 0 is void in every blob. */
function voidOf(types: TypeTable): TypeRef {
  return { btf: types.get('int').btf, id: 0 };
}

const baseWords: ReadonlySet<string> = new Set([
  ...['unsigned', 'signed', 'long', 'int', 'short', 'char', '_Bool'],
]);

/** `long unsigned` and `unsigned long int` are one type: the name that gcc gives it. */
function baseTypeName(words: readonly string[]): string {
  const count = (word: string): number => words.filter((other) => other === word).length;
  const isUnsigned = count('unsigned') > 0;
  if (count('_Bool') > 0) return '_Bool';
  if (count('char') > 0) {
    if (isUnsigned) return 'unsigned char';
    return count('signed') > 0 ? 'signed char' : 'char';
  }
  if (count('long') > 2) throw new DumpError('usage', `no type "${words.join(' ')}"`);
  const width = count('short') > 0 ? 'short ' : 'long '.repeat(count('long'));
  return `${width}${isUnsigned ? 'unsigned ' : ''}int`;
}
