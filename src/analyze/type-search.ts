/** `whatis -r` and `-m`: structs and unions by their size, and by the types of their members. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { BtfKind } from '../linux/btf.ts';
import { declaration } from '../linux/declarations.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { TypeRef, TypeTable } from '../linux/types.ts';
import type { Answer, Options } from './command.ts';

/** Structs stand in structs; a cycle of them is damage. */
const maxDepth = 64;

interface Sized {
  readonly name: string;
  readonly size: number;
}

/** Throws `usage` for a size that is none. */
export function searchTypes(kernel: Kernel, options: Options): Answer {
  const { size, member } = options;
  const [low, high] = typeof size === 'string' ? boundsOf(size) : [0, Number.MAX_SAFE_INTEGER];
  const contains =
    typeof member === 'string' ? memberFinder(kernel.types, member) : (): boolean => true;
  const found: Sized[] = [];
  const seen = new Set<string>();
  for (const ref of kernel.types.all()) {
    const type = kernel.types.resolve(ref);
    // Two modules may each have a struct of the same name and size: one line is enough.
    const name = ref.btf.typeName(ref.id);
    const key = `${type.size} ${name}`;
    if (type.kind !== 'struct' || type.size < low || type.size > high || seen.has(key)) continue;
    // A typedef of a struct that has a name itself is no other type.
    if (ref.btf.kind(ref.id) === BtfKind.typedef && type.name !== '') continue;
    if (!contains(ref)) continue;
    seen.add(key);
    found.push({ name, size: type.size });
  }
  found.sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
  return {
    json: () => ({ types: found.map(({ name, size: bytes }) => ({ name, size: bytes })) }),
    text: () => lines(found),
    counted: plural(found.length, 'type'),
    missing: [],
    schema: 'types/1',
  };
}

/** `192`, `0x40`, `190-195`. */
function boundsOf(text: string): readonly [number, number] {
  const number = '(0x[0-9a-f]{1,8}|\\d{1,10})';
  const match = new RegExp(`^${number}(?:-${number})?$`, 'i').exec(text);
  if (match === null) {
    throw new DumpError('usage', `"${text}" is no size`, {
      hint: 'whatis -r 192, whatis -r 64-96',
    });
  }
  return [Number(match[1]), Number(match[2] ?? match[1])];
}

/** Has a struct a member, or a struct in it one, in whose type `text` stands? */
function memberFinder(types: TypeTable, text: string): (ref: TypeRef) => boolean {
  const known = new Map<TypeRef['btf'], Map<number, boolean>>();
  const contains = (ref: TypeRef, depth: number): boolean => {
    const { btf, id } = types.strip(ref);
    const ofBlob = known.get(btf) ?? new Map<number, boolean>();
    known.set(btf, ofBlob);
    const answer = ofBlob.get(id);
    if (answer !== undefined) return answer;
    if (depth > maxDepth) return false;
    const found = types.fields(ref).some(({ type }) => {
      const target = types.resolve(type);
      const inner = target.kind === 'array' ? target.element : type;
      const isStruct = types.resolve(inner).kind === 'struct';
      // gcc's spelling, which crash has: `short unsigned int`.
      const spellings = [declaration(type, ''), types.nameOf(type)];
      const isNamed = spellings.some((spelling) => spelling.includes(text));
      return isNamed || (isStruct && contains(inner, depth + 1));
    });
    ofBlob.set(id, found);
    return found;
  };
  return (ref) => contains(ref, 0);
}

function* lines(found: readonly Sized[]): Generator<string> {
  if (found.length === 0) {
    yield '(none found)';
    return;
  }
  const width = Math.max(4, String(found.at(-1)!.size).length);
  yield `${'SIZE'.padStart(width)}  TYPE`;
  for (const { name, size } of found) yield `${String(size).padStart(width)}  ${name}`;
}
