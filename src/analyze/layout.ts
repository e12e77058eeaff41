/** Definitions of structs and unions in crash's layout: members by line, with offsets on demand. */

import { DumpError } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import { BtfKind } from '../linux/btf.ts';
import { baseName, declaratorOf } from '../linux/declarations.ts';
import type { Member, TypeRef, TypeTable } from '../linux/types.ts';
import type { Radix } from './command.ts';

/** What stands before each member: nothing, its offset, or its address. */
export type Prefix =
  | { readonly kind: 'none' }
  | { readonly kind: 'offset'; readonly radix: Radix }
  | { readonly kind: 'address'; readonly of: bigint };

/** Structs without names nest; damage could nest them without end. */
const maxDepth = 32;
/** Of one definition: the longest of a kernel has less than a thousand. */
const maxLines = 100_000;

/** `struct list_head {`, its members, `}`, `SIZE: 16`; a typedef as `typedef struct {`. */
export function* definitionLines(
  types: TypeTable,
  ref: TypeRef,
  prefix: Prefix,
  radix: Radix,
): Generator<string> {
  const behind = types.strip(ref);
  const isTypedef = ref.btf.kind(ref.id) === BtfKind.typedef;
  const head = baseName(behind).replace(' {...}', '');
  yield `${isTypedef ? 'typedef ' : ''}${head} {`;
  yield* memberLines(types, behind, prefix);
  yield isTypedef ? `} ${ref.btf.typeName(ref.id)};` : '}';
  yield sizeLine(types.resolve(ref).size, radix);
}

export function sizeLine(size: number, radix: Radix): string {
  return `SIZE: ${count(size, radix)}`;
}

export function* memberLines(types: TypeTable, ref: TypeRef, prefix: Prefix): Generator<string> {
  const { size } = types.resolve(ref);
  const before = prefixer(prefix, size);
  let lines = 0;
  for (const line of linesOf(types, ref, 0, 0, before)) {
    if (++lines > maxLines) {
      throw new DumpError('corrupt', `${baseName(ref)} has more than ${maxLines} lines`);
    }
    yield line;
  }
}

/** `  [2976] char comm[16];`: one member, by its path from `ref`. */
export function pathLine(
  types: TypeTable,
  ref: TypeRef,
  path: string,
  member: Member,
  prefix: Prefix,
): string {
  const before = prefixer(prefix, types.resolve(ref).size);
  const indent = '    '.repeat(anonymousDepth(types, ref, path));
  return `${before(member.offset)}${indent}${memberText(member, path)};`;
}

/** In how many structs without a name a member lies. */
export function anonymousDepth(types: TypeTable, ref: TypeRef, name: string): number {
  return homeOf(types, ref, name, 0, new Set())?.depth ?? 0;
}

/** Is this the last member of the struct, named or not, that it is declared in? */
export function isLastMember(types: TypeTable, ref: TypeRef, name: string): boolean {
  return homeOf(types, ref, name, 0, new Set())?.isLast ?? false;
}

/** Each struct without a name once, as in the table of members: damage could make them many. */
function homeOf(
  types: TypeTable,
  ref: TypeRef,
  name: string,
  depth: number,
  seen: Set<number>,
): { readonly depth: number; readonly isLast: boolean } | undefined {
  const { id } = types.strip(ref);
  if (seen.has(id)) return undefined;
  seen.add(id);
  const fields = types.fields(ref);
  for (const field of fields) {
    if (field.name === name) return { depth, isLast: field === fields.at(-1) };
    if (field.name !== '' || types.resolve(field.type).kind !== 'struct') continue;
    const found = homeOf(types, field.type, name, depth + 1, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What stands before a member at an offset; without one, before a line that is no member. */
type Before = (offset: number | undefined) => string;

function prefixer(prefix: Prefix, size: number): Before {
  switch (prefix.kind) {
    case 'none':
      return () => '    ';
    case 'address':
      return (offset) =>
        offset === undefined ? ' '.repeat(21) : `  [${hex16(prefix.of + BigInt(offset))}] `;
    case 'offset': {
      // crash aligns by the size of the struct, not by its largest offset.
      const width = count(size, prefix.radix).length + 4;
      return (offset) => {
        const text = offset === undefined ? '' : `[${count(offset, prefix.radix)}]`;
        return `${text.padStart(width)} `;
      };
    }
  }
}

function count(value: number, radix: Radix): string {
  return radix === 'hexadecimal' ? `0x${value.toString(16)}` : String(value);
}

function* linesOf(
  types: TypeTable,
  ref: TypeRef,
  base: number,
  depth: number,
  before: Before,
): Generator<string> {
  const indent = '    '.repeat(depth);
  const fields = types.fields(ref);
  if (fields.length === 0) yield `${before(undefined)}${indent}<no data fields>`;
  for (const [index, field] of fields.entries()) {
    const { base: inner, qualifiers, text } = declaratorOf(field.type, field.name);
    const offset = base + field.offset;
    if (isNameless(inner) && depth < maxDepth) {
      yield `${before(undefined)}${indent}${qualifiers}${baseName(inner).split(' ')[0]} {`;
      yield* linesOf(types, inner, offset, depth + 1, before);
      const closing = text === '' ? '}' : `} ${text}`;
      yield `${before(text === '' ? undefined : offset)}${indent}${closing};`;
    } else {
      const isLast = index === fields.length - 1;
      const whole = memberText(field, field.name);
      yield `${before(offset)}${indent}${isLast ? whole.replace(/\[0\]$/, '[]') : whole};`;
    }
  }
}

function memberText({ type, bits }: Member, name: string): string {
  const { base, qualifiers, text } = declaratorOf(type, name);
  const width = bits === undefined ? '' : ` : ${bits.width}`;
  return `${qualifiers}${enumText(base) ?? baseName(base)} ${text}${width}`;
}

/** An enum without a name is its list of names. */
function enumText({ btf, id }: TypeRef): string | undefined {
  if (id === 0 || btf.typeName(id) !== '') return undefined;
  if (btf.kind(id) !== BtfKind.enum && btf.kind(id) !== BtfKind.enum64) return undefined;
  return `enum {${enumeratorTexts(btf.values(id)).join(', ')}}`;
}

/** As gdb: a value is written where it is not one more than the one before. */
function enumeratorTexts(
  values: readonly { readonly name: string; readonly value: bigint }[],
): string[] {
  let expected = 0n;
  return values.map(({ name, value }) => {
    const text = value === expected ? name : `${name} = ${value}`;
    expected = value + 1n;
    return text;
  });
}

function isNameless({ btf, id }: TypeRef): boolean {
  if (id === 0 || btf.typeName(id) !== '') return false;
  return btf.kind(id) === BtfKind.struct || btf.kind(id) === BtfKind.union;
}
