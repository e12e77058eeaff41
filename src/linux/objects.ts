/**
 * Views of kernel objects: members by their C names, read from the dump when they are touched.
 *
 * What a member is in JavaScript follows from its C type alone, never from its value: integers of
 * up to 32 bits are numbers, wider ones bigints, _Bool is a boolean, char[] is a string, an
 * embedded or pointed-to struct is another view (null for a NULL pointer), any other pointer is its
 * bigint value, an array is an array-like view.
 */

import { DumpError } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import type { AddressSpace } from './memory.ts';
import type { ArrayType, Member, StructType, Type, TypeRef, TypeTable } from './types.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a member is, the kernel's own types say.
export type MemberValue = any;

/** A lazy view of a struct or union, or of an array (then with `length` and indexes). */
export interface KernelObject {
  readonly [member: string]: MemberValue;
}

interface Identity {
  readonly address: bigint;
  readonly typeName: string;
  readonly memory: ObjectMemory;
  readonly type: StructType | ArrayType;
}

/** What a view reads through. */
export interface ObjectMemory {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
}

const identities = new WeakMap<object, Identity>();

function identityOf(view: KernelObject): Identity {
  const identity = identities.get(view);
  if (identity === undefined) throw new TypeError('"view" expected a kernel object');
  return identity;
}

/** Is this a view of something in a kernel's memory? */
export function isKernelObject(value: unknown): value is KernelObject {
  return typeof value === 'object' && value !== null && identities.has(value);
}

/** The virtual address of the object that a view shows. */
export function addressOf(view: KernelObject): bigint {
  return identityOf(view).address;
}

/** The C name of its type. */
export function typeOf(view: KernelObject): string {
  return identityOf(view).typeName;
}

/** The virtual address of a member, by path from the view: `memberAddress(task, 'thread.sp')`. */
export function memberAddress(view: KernelObject, path: string): bigint {
  const { address, memory, type, typeName } = identityOf(view);
  const member = memory.types.memberOf(type, path);
  if (member === undefined) throw noMember(typeName, path, address);
  return address + BigInt(member.offset);
}

/** What a pointer member points to where a sound kernel never has NULL; `corrupt` where it has. */
export function follow(view: KernelObject, member: string): KernelObject {
  const target = view[member] as KernelObject | null;
  if (target !== null) return target;
  throw new DumpError('corrupt', `${member} of a ${typeOf(view)} is NULL`, {
    where: { virtual: memberAddress(view, member) },
  });
}

/** Does the type of this object have that member? Newest name first, then fall back. */
export function hasMember(view: KernelObject, path: string): boolean {
  const { memory, type } = identityOf(view);
  return memory.types.memberOf(type, path) !== undefined;
}

/** A view of the struct or union `typeName` at `address`. Reads nothing yet. */
export function viewObject(memory: ObjectMemory, typeName: string, address: bigint): KernelObject {
  return viewStruct(memory, typeName, memory.types.structure(typeName), address);
}

function noMember(typeName: string, path: string, virtual: bigint): DumpError {
  return new DumpError('absent', `"${typeName}" has no member "${path}"`, { where: { virtual } });
}

/** What JavaScript itself looks for on any object: printing, comparing, awaiting. */
const languageNames = new Set(['constructor', 'then', 'toJSON', 'asymmetricMatch', 'nodeType']);

function viewStruct(
  memory: ObjectMemory,
  typeName: string,
  type: StructType,
  address: bigint,
): KernelObject {
  memory.memory.physical.image.watcher?.onObject(typeName, address);
  const read = (name: string | symbol): MemberValue => {
    const member = typeof name === 'string' ? type.members.get(name) : undefined;
    if (member !== undefined) return readMember(memory, member, address);
    if (typeof name === 'symbol' || languageNames.has(name)) return undefined;
    throw noMember(typeName, name, address);
  };
  const view = new Proxy(Object.freeze({}), {
    get: (_, name) => read(name),
    has: (_, name) => typeof name === 'string' && type.members.has(name),
  }) as KernelObject;
  identities.set(view, { address, typeName, memory, type });
  return view;
}

function viewArray(
  memory: ObjectMemory,
  typeName: string,
  type: ArrayType,
  address: bigint,
): KernelObject {
  const elementSize = BigInt(memory.types.resolve(type.element).size);
  const element = (index: number): MemberValue => {
    if (index >= type.length) {
      throw new DumpError('absent', `index ${index} of "${typeName}"`, {
        where: { virtual: address },
      });
    }
    return readValue(memory, type.element, address + BigInt(index) * elementSize);
  };
  const view = new Proxy(Object.freeze({}), {
    get(_, name) {
      if (name === 'length') return type.length;
      if (name === Symbol.iterator) {
        return function* (): Generator<MemberValue> {
          for (let index = 0; index < type.length; index++) yield element(index);
        };
      }
      return typeof name === 'string' && /^\d+$/.test(name) ? element(Number(name)) : undefined;
    },
  }) as KernelObject;
  identities.set(view, { address, typeName, memory, type });
  return view;
}

/** The value of a member of the object at `base`. */
export function readMember(memory: ObjectMemory, member: Member, base: bigint): MemberValue {
  const address = base + BigInt(member.offset);
  if (member.bits === undefined) return readValue(memory, member.type, address);
  const { width, first } = member.bits;
  const bytes = memory.memory.read(address, Math.ceil((first + width) / 8));
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  value = (value >> BigInt(first)) & ((1n << BigInt(width)) - 1n);
  const type = memory.types.resolve(member.type);
  if (type.kind === 'int' && type.bool) return value !== 0n;
  const isSigned = (type.kind === 'int' || type.kind === 'enum') && type.signed;
  if (isSigned) value = BigInt.asIntN(width, value);
  return type.size > 4 ? value : Number(value);
}

/** The value of type `ref` at `address`. */
export function readValue(memory: ObjectMemory, ref: TypeRef, address: bigint): MemberValue {
  const type = memory.types.resolve(ref);
  switch (type.kind) {
    case 'int':
      if (type.bool) return memory.memory.u8(address) !== 0;
      return readInteger(memory.memory, address, type);
    case 'enum':
      return readInteger(memory.memory, address, type);
    case 'struct':
      return viewStruct(memory, memory.types.nameOf(ref), type, address);
    case 'array':
      if (isText(memory.types.resolve(type.element))) {
        return cstring(memory.memory.read(address, type.length));
      }
      return viewArray(memory, memory.types.nameOf(ref), type, address);
    case 'pointer': {
      const target = memory.types.resolve(type.target);
      const value = memory.memory.u64(address);
      if (target.kind !== 'struct') return value;
      if (value === 0n) return null;
      return viewStruct(memory, memory.types.nameOf(type.target), target, value);
    }
    case 'opaque':
      throw new DumpError('usage', `a value of type "${type.name}" cannot be read`, {
        where: { virtual: address },
      });
  }
}

function isText(element: Type): boolean {
  return element.kind === 'int' && element.char;
}

function readInteger(
  memory: AddressSpace,
  address: bigint,
  { size, signed }: { readonly size: number; readonly signed: boolean },
): number | bigint {
  const view = memory.view(address, size);
  switch (size) {
    case 1:
      return signed ? view.getInt8(0) : view.getUint8(0);
    case 2:
      return signed ? view.getInt16(0, true) : view.getUint16(0, true);
    case 4:
      return signed ? view.getInt32(0, true) : view.getUint32(0, true);
    case 8:
      return signed ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
    default: {
      // __int128: low word first.
      const high = signed ? view.getBigInt64(8, true) : view.getBigUint64(8, true);
      return (high << 64n) | view.getBigUint64(0, true);
    }
  }
}
