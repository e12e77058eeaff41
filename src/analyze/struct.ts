/** `struct` and `union`: what a type looks like, and what stands in memory where one lies. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress } from '../bytes/text.ts';
import { declaration } from '../linux/declarations.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import { evaluateAddress } from '../linux/expression.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Member, TypeRef, TypeTable } from '../linux/types.ts';
import type { Answer, Json, Options } from './command.ts';
import { takeCpus } from './cpu-list.ts';
import { Inspector, type Shown } from './inspect.ts';
import {
  definitionLines,
  memberLines,
  type Prefix,
  pathLine,
  type Radix,
  sizeLine,
} from './layout.ts';
import { type Asked, type AskedValue, askedLines, askFor, readAsked } from './members.ts';
import { radixOf } from './radix.ts';
import { valueJson, valueText } from './value-text.ts';

/** Of one array of structs. */
const maxCount = 10_000;

interface Request {
  /** As it was asked for, with its keyword: `struct atomic_t`. */
  readonly title: string;
  readonly types: TypeTable;
  readonly ref: TypeRef;
  readonly asked: readonly Asked[];
  readonly radix: Radix;
}

/** Where an object lies, and of which CPU it is. */
interface Place {
  readonly address: bigint;
  readonly cpu: number | undefined;
}

interface Found extends Place {
  readonly whole: Shown | undefined;
  readonly members: readonly AskedValue[];
}

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  const [what, ...where] = words;
  if (what === undefined) {
    throw new DumpError('usage', 'struct needs the name of a type', {
      hint: 'struct list_head, struct task_struct.comm,pid init_task',
    });
  }
  const [name = '', ...paths] = memberPaths(what);
  const { types } = kernel;
  const ref = structureNamed(types, name);
  const title = `${isUnion(types, ref) ? 'union' : 'struct'} ${name}`;
  const request = { title, types, ref, asked: askFor(types, ref, paths), radix: radixOf(options) };
  if (where.length === 0) return definition(request, options);
  const places = placesOf(kernel, request, where, options);
  if (options.offsets === true) return addresses(request, places);
  return instances(kernel, request, places);
}

function isUnion(types: TypeTable, ref: TypeRef): boolean {
  const type = types.resolve(ref);
  return type.kind === 'struct' && type.isUnion;
}

/** `task_struct.comm,se.load` into its name and its paths. */
function memberPaths(text: string): string[] {
  const dot = text.indexOf('.');
  if (dot < 0) return [text];
  const paths = text.slice(dot + 1).split(',');
  if (paths.includes('')) throw new DumpError('usage', `"${text}" names a member without a name`);
  return [text.slice(0, dot), ...paths];
}

/** A struct or union by its tag, or by a typedef. Throws `absent`. */
export function structureNamed(types: TypeTable, name: string): TypeRef {
  for (const word of [`struct ${name}`, `union ${name}`, name]) {
    const ref = types.find(word);
    if (ref !== undefined && types.resolve(ref).kind === 'struct') return ref;
  }
  throw new DumpError('absent', `the kernel has no struct or union "${name}"`, {
    hint: '`whatis NAME` knows enums, typedefs and functions too',
  });
}

/** `[address | symbol][:cpus] [count]`. */
function placesOf(
  kernel: Kernel,
  { types, ref }: Request,
  where: readonly string[],
  options: Options,
): Place[] {
  const size = BigInt(types.resolve(ref).size);
  const [first = '', last] = where;
  const hasCount = where.length === 2 && /^\d+$/.test(last!) && !/[-+*/(]$/.test(first);
  const { text, cpus } = takeCpus(kernel, hasCount ? first : where.join(' '));
  const given = typeof options.count === 'string' ? options.count : hasCount ? last! : '1';
  const count = Number(given);
  if (!Number.isInteger(count) || count === 0 || Math.abs(count) > maxCount) {
    throw new DumpError('usage', `"${given}" is no count from 1 to ${maxCount}`);
  }
  const base = evaluateAddress(kernel, text) - containedAt(types, options.contained);
  const start = count < 0 ? base + BigInt(count + 1) * size : base;
  return (cpus ?? [undefined]).flatMap((cpu) => {
    const offset = cpu === undefined ? 0n : kernel.perCpuOffset(cpu);
    return Array.from({ length: Math.abs(count) }, (_, index) => ({
      cpu,
      address: BigInt.asUintN(64, start + offset + BigInt(index) * size),
    }));
  });
}

/** `-l struct.member`, or a number of bytes. */
function containedAt(types: TypeTable, given: string | boolean | undefined): bigint {
  if (typeof given !== 'string') return 0n;
  if (/^(0x[0-9a-f]+|\d+)$/i.test(given)) return BigInt(given);
  const [name = '', ...path] = given.split('.');
  if (path.length === 0) {
    throw new DumpError('usage', `"${given}" is neither bytes nor STRUCT.MEMBER`);
  }
  const [asked] = askFor(types, structureNamed(types, name), [path.join('.')]);
  return BigInt(asked!.member.offset);
}

function definition(request: Request, options: Options): Answer {
  const { title, types, ref, asked, radix } = request;
  const withOffsets: Prefix = { kind: 'offset', radix };
  return {
    json: () => ({ ...typeJson(request), objects: [] }),
    *text() {
      if (asked.length === 0) {
        const prefix: Prefix = options.offsets === true ? withOffsets : { kind: 'none' };
        yield* definitionLines(types, ref, prefix, radix);
        return;
      }
      yield `${title} {`;
      for (const { path, member } of asked) yield pathLine(types, ref, path, member, withOffsets);
      yield '}';
    },
    missing: [],
  };
}

/** `-o` with an address: where each member lies. */
function addresses(request: Request, places: readonly Place[]): Answer {
  const { title, types, ref, asked, radix } = request;
  const objects = places.map(({ address, cpu }) => objectJson(address, cpu, null));
  return {
    json: () => ({ ...typeJson(request), objects }),
    *text() {
      for (const { address } of places) {
        const prefix: Prefix = { kind: 'address', of: address };
        yield `${title} {`;
        if (asked.length === 0) yield* memberLines(types, ref, prefix);
        for (const { path, member } of asked) yield pathLine(types, ref, path, member, prefix);
        yield '}';
        if (asked.length === 0) yield sizeLine(types.resolve(ref).size, radix);
      }
    },
    missing: [],
  };
}

function instances(kernel: Kernel, request: Request, places: readonly Place[]): Answer {
  const { title, types, ref, asked, radix } = request;
  const inspector = new Inspector(kernel);
  const found = places.map((place): Found => {
    const { address } = place;
    return asked.length > 0
      ? { ...place, whole: undefined, members: readAsked(inspector, asked, address) }
      : { ...place, whole: inspector.value({ type: typeOfRef(ref), address }), members: [] };
  });
  return {
    json: () => ({
      ...typeJson(request),
      objects: found.map(({ address, cpu, whole, members }) => {
        const parts = members.map(({ path, shown }) => [path, valueJson(shown)] as const);
        const value = whole === undefined ? Object.fromEntries(parts) : valueJson(whole);
        return objectJson(address, cpu, value);
      }),
    }),
    *text() {
      for (const [index, { address, cpu, whole, members }] of found.entries()) {
        if (cpu !== undefined) yield `[${cpu}]: ${hex16(address)}`;
        else if (index > 0) yield '';
        if (whole !== undefined) yield `${title} ${valueText(whole, radix, 0)}`;
        yield* askedLines(types, ref, members, radix);
      }
    },
    missing: inspector.missing,
    errors: inspector.errors,
  };
}

function objectJson(address: bigint, cpu: number | undefined, value: Json): Json {
  return { address: jsonAddress(address), cpu: cpu ?? null, value };
}

function typeJson({ title, types, ref, asked }: Request): { readonly [key: string]: Json } {
  const type = types.resolve(ref);
  const all: readonly (readonly [string, Member])[] =
    type.kind === 'struct' ? [...type.members] : [];
  const chosen = asked.length > 0 ? asked.map(({ path, member }) => [path, member] as const) : all;
  return {
    type: title,
    size: type.size,
    members: chosen.map(([name, member]) => ({
      name,
      offset: member.offset,
      type: declaration(member.type, ''),
      size: types.resolve(member.type).size,
      bits: member.bits === undefined ? null : { ...member.bits },
    })),
  };
}
