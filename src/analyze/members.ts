/** Members of an object by path, `se.load` or `rlim[1]`, as `struct` and `task` print them. */

import { DumpError } from '../bytes/errors.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { Member, TypeRef, TypeTable } from '../linux/types.ts';
import type { Radix } from './command.ts';
import type { Inspector, Shown } from './inspect.ts';
import { anonymousDepth, isLastMember } from './layout.ts';
import { valueText } from './value-text.ts';

/** A member that somebody asked for. */
export interface Asked {
  readonly path: string;
  readonly member: Member;
}

export interface AskedValue extends Asked {
  readonly shown: Shown;
}

/** Throws `absent` for a path that the type does not have. */
export function askFor(types: TypeTable, ref: TypeRef, paths: readonly string[]): Asked[] {
  return paths.map((path) => {
    const member = types.memberOf(types.resolve(ref), path);
    if (member !== undefined) return { path, member };
    throw new DumpError('absent', `"${types.nameOf(ref)}" has no member "${path}"`, {
      hint: `\`struct ${types.nameOf(ref).replace(/^(struct|union) /, '')}\` lists its members`,
    });
  });
}

export function readAsked(
  inspector: Inspector,
  asked: readonly Asked[],
  address: bigint,
): AskedValue[] {
  return asked.map(({ path, member }) => {
    const at = BigInt.asUintN(64, address + BigInt(member.offset));
    const type = typeOfRef(member.type);
    return { path, member, shown: inspector.value({ type, address: at, bits: member.bits }) };
  });
}

/** `  comm = "init\000...",` with crash's comma: none behind the last member of a struct. */
export function* askedLines(
  types: TypeTable,
  ref: TypeRef,
  values: readonly AskedValue[],
  radix: Radix,
): Generator<string> {
  for (const { path, shown } of values) {
    const level = 1 + anonymousDepth(types, ref, path);
    // crash leaves the indentation of the array where an element of it is asked for.
    const gap = path.endsWith(']') && shown.kind === 'struct' ? '   ' : ' ';
    const comma = isLast(types, ref, path) ? '' : ',';
    yield `${'  '.repeat(level)}${path} =${gap}${valueText(shown, radix, level)}${comma}`;
  }
}

/** Is this the last member of the struct that it is declared in? */
function isLast(types: TypeTable, ref: TypeRef, path: string): boolean {
  const at = path.lastIndexOf('.');
  const parent = at < 0 ? ref : types.memberOf(types.resolve(ref), path.slice(0, at))?.type;
  if (parent === undefined || types.resolve(parent).kind !== 'struct') return false;
  return isLastMember(types, parent, path.slice(at + 1).replace(/\[\d+\]$/, ''));
}
