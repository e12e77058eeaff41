/** What stands where structs lie: values, addresses of members, words, what pointers lead to. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress } from '../bytes/text.ts';
import { declaration } from '../linux/declarations.ts';
import { typeOfRef } from '../linux/expression/ctype.ts';
import type { ReadMemory } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Member, TypeRef, TypeTable } from '../linux/types.ts';
import type { Answer, Json, Radix } from './command.ts';
import { Gaps } from './gaps.ts';
import { Inspector, type Shown } from './inspect.ts';
import { memberLines, type Prefix, pathLine, sizeLine } from './layout.ts';
import { type Asked, type AskedValue, askedLines, readAsked } from './members.ts';
import { readPages } from './rd.ts';
import { hexDigits, hexWords, wordLines } from './rd-text.ts';
import { followed, type Target, targetJson, targetLines } from './struct-pointers.ts';
import { valueJson, valueText } from './value-text.ts';

export interface Request {
  /** As it was asked for, with its keyword: `struct atomic_t`. */
  readonly title: string;
  readonly types: TypeTable;
  readonly ref: TypeRef;
  readonly asked: readonly Asked[];
  readonly radix: Radix;
  /** Where the object lies, and what it points to. */
  readonly memory: ReadMemory;
  readonly pointed: ReadMemory;
}

/** Of all objects together, as `rd` shows at once. */
const maxRawBytes = 16 * 1024 * 1024;

/** Where an object lies, and of which CPU it is. */
export interface Place {
  readonly address: bigint;
  readonly cpu: number | undefined;
}

interface Found extends Place {
  readonly whole: Shown | undefined;
  readonly members: readonly AskedValue[];
}

/** `-o` with an address: where each member lies. */
export function addresses(request: Request, places: readonly Place[]): Answer {
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

export function instances(kernel: Kernel, request: Request, places: readonly Place[]): Answer {
  const { title, types, ref, asked, radix, memory, pointed } = request;
  const inspector = new Inspector(kernel, memory, pointed);
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

/** `-p`: each member, and below those that are pointers what they lead to. */
export function pointedObjects(kernel: Kernel, request: Request, places: readonly Place[]): Answer {
  const { title, types, ref, asked, radix, memory, pointed } = request;
  const inspector = new Inspector(kernel, memory, pointed);
  const beyond = new Inspector(kernel, pointed);
  const gaps = new Gaps();
  const lost = (problem: DumpError): void => gaps.add('pointers', problem);
  const all = types.fields(ref).map((member) => ({ path: member.name, member }));
  const found = places.map((place) => {
    const members = readAsked(inspector, asked.length > 0 ? asked : all, place.address);
    const targets = new Map<AskedValue, Target>();
    for (const member of members) {
      const target = followed(kernel, beyond, member, lost);
      if (target !== undefined) targets.set(member, target);
    }
    return { ...place, members, targets };
  });
  return {
    json: () => ({
      ...typeJson(request),
      objects: found.map(({ address, cpu, members, targets }) => {
        const parts = members.map(({ path, shown }) => ({ name: path, value: shown }));
        const value = valueJson({ kind: 'struct', members: parts });
        const led = [...targets].map(([{ path }, target]) => [path, targetJson(target)] as const);
        return { ...objectJson(address, cpu, value), targets: Object.fromEntries(led) };
      }),
    }),
    *text() {
      for (const [index, { address, cpu, members, targets }] of found.entries()) {
        if (cpu !== undefined) yield `[${cpu}]: ${hex16(address)}`;
        else if (index > 0) yield '';
        if (asked.length === 0) yield `${title} {`;
        for (const member of members) {
          const target = targets.get(member);
          if (target !== undefined) yield* targetLines(member, target, radix);
          else if (asked.length > 0) yield* askedLines(types, ref, [member], radix);
          else yield fieldLine(member, member === members.at(-1) ? '' : ',', radix);
        }
        if (asked.length === 0) yield '}';
      }
    },
    missing: [...inspector.missing, ...beyond.missing, ...gaps.missing],
    errors: [...inspector.errors, ...beyond.errors, ...gaps.errors],
  };
}

/** Of a struct without a name, which no path leads to, too. */
function fieldLine({ path, shown }: AskedValue, end: string, radix: Radix): string {
  return `  ${path === '' ? '' : `${path} = `}${valueText(shown, radix, 1)}${end}`;
}

/** `-r`: the words of a struct, or of one member. crash shows whole words behind it, too. */
export function rawObjects(request: Request, places: readonly Place[]): Answer {
  const { types, ref, asked, memory } = request;
  if (asked.length > 1) throw new DumpError('usage', '--raw takes one member at most');
  const size = types.resolve(asked[0]?.member.type ?? ref).size;
  const width = size === 4 ? 4 : 8;
  const style = hexWords(width);
  const length = Math.ceil(size / width) * width;
  if (length * places.length > maxRawBytes) {
    throw new DumpError('usage', `more than ${maxRawBytes} bytes cannot be shown`, {
      hint: 'a smaller count',
    });
  }
  const found = places.map(({ address, cpu }) => {
    const start = BigInt.asUintN(64, address + BigInt(asked[0]?.member.offset ?? 0));
    const read = (at: bigint, bytes: number): Uint8Array => memory.read(at, bytes);
    return { address, start, cpu, ...readPages(read, { start, length }) };
  });
  const problems = found.flatMap(({ problem }) => problem ?? []);
  return {
    json: () => ({
      ...typeJson(request),
      objects: found.map(({ start, cpu, bytes }) => ({
        ...objectJson(start, cpu, null),
        bytes: hexDigits(bytes.subarray(0, size)),
      })),
    }),
    *text() {
      for (const [index, { address, cpu, start, bytes }] of found.entries()) {
        if (cpu !== undefined) yield `[${cpu}]: ${hex16(address)}`;
        else if (index > 0) yield '';
        yield* wordLines(start, bytes, style);
      }
    },
    missing: problems.map(({ message }) => ({ what: 'bytes', count: null, why: message })),
    errors: problems,
  };
}

function objectJson(
  address: bigint,
  cpu: number | undefined,
  value: Json,
): { readonly [key: string]: Json } {
  return { address: jsonAddress(address), cpu: cpu ?? null, value };
}

export function typeJson({ title, types, ref, asked }: Request): { readonly [key: string]: Json } {
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
