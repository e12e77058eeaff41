/**
 * Values of C expressions over the memory of a kernel. A value in memory is read when it is
 * calculated with and not before, so that an address or a size costs no page.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { KernelCore } from '../core.ts';
import type { AddressSpace } from '../memory.ts';
import type { TypeRef, TypeTable } from '../types.ts';
import { variableTypes } from '../variables.ts';
import {
  calculate,
  common,
  compare,
  comparisons,
  cut,
  int,
  promoted,
  shift,
} from './arithmetic.ts';
import {
  type CType,
  findType,
  type IntegerShape,
  integerShape,
  isPointer,
  kindOf,
  namedType,
  pointerTo,
  sizeOf,
  targetOf,
  typeNames,
  typeOfRef,
} from './ctype.ts';
import { type Node, parseExpression, type TypeName } from './parser.ts';

/** In memory (then with its address) or calculated (then with its number). */
export type Value =
  | {
      readonly type: CType;
      readonly address: bigint;
      readonly bits?: { readonly width: number; readonly first: number } | undefined;
    }
  | { readonly type: CType; readonly number: bigint };

/** What is read at the addresses of values. */
export type ReadMemory = Pick<AddressSpace, 'read'>;

interface ValueKernel {
  readonly types: TypeTable;
  readonly memory: ReadMemory;
}

/**
 * The value of `text`, whose pointers lead into `memory`. Throws `usage` for what is no expression,
 * `absent` for unknown names.
 */
export function evaluate(
  kernel: KernelCore,
  text: string,
  memory: ReadMemory = kernel.memory,
): Value {
  const node = parseExpression(text, typeNames(kernel.types));
  return new Evaluator(kernel, memory).value(node);
}

/** The number of a scalar value; arrays and functions are their addresses. Reads memory. */
export function numberOf(kernel: ValueKernel, value: Value): bigint {
  if ('number' in value) return value.number;
  const { types } = kernel;
  const shape = integerShape(types, value.type);
  if (shape === undefined) {
    if (kindOf(types, value.type) !== 'struct') return value.address;
    throw new DumpError('usage', 'a struct is no number', {
      where: { virtual: value.address },
      hint: 'take its address, or one of its members',
    });
  }
  if (value.bits === undefined) {
    return cut(littleEndian(kernel.memory.read(value.address, shape.size)), shape);
  }
  const { width, first } = value.bits;
  const bytes = kernel.memory.read(value.address, Math.ceil((first + width) / 8));
  const raw = littleEndian(bytes) >> BigInt(first);
  return shape.signed ? BigInt.asIntN(width, raw) : BigInt.asUintN(width, raw);
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

/** The type of a variable that the kernel's own tables or ours know. */
export function variableType(kernel: KernelCore, name: string): CType | undefined {
  const stated = variableTypes[name];
  if (stated !== undefined) return findType(kernel.types, stated);
  const ref = kernel.types.declared(name);
  return ref === undefined ? undefined : typeOfRef(ref);
}

class Evaluator {
  readonly #kernel: KernelCore;
  readonly #memory: ReadMemory;

  constructor(kernel: KernelCore, memory: ReadMemory) {
    this.#kernel = kernel;
    this.#memory = memory;
  }

  value(node: Node): Value {
    switch (node.kind) {
      case 'number':
        return this.#integer(node.value, literalShape(node));
      case 'char':
        return { type: this.#named('char'), number: node.value };
      case 'name':
        return this.#name(node.name);
      case 'unary':
        return this.#unary(node);
      case 'binary':
        return this.#binary(node);
      case 'conditional':
        return this.value(this.#isTrue(node.test) ? node.yes : node.no);
      case 'cast':
        return this.#cast(this.#type(node.to), this.value(node.of));
      case 'sizeof': {
        const type = 'base' in node.of ? this.#type(node.of) : this.value(node.of).type;
        return this.#integer(BigInt(sizeOf(this.#kernel.types, type)), unsignedLong);
      }
      case 'member':
        return this.#member(this.value(node.of), node.name);
      case 'index':
        return this.#dereference(this.#add(this.value(node.of), this.value(node.index), 1n));
      case 'container': {
        const type = this.#type(node.type);
        const offset = this.#offsetIn(type, node.path);
        const number = BigInt.asUintN(64, this.#number(node.of) - offset);
        return { type: pointerTo(type), number };
      }
      case 'offset':
        return this.#integer(this.#offsetIn(this.#type(node.type), node.path), unsignedLong);
      case 'perCpu':
        return perCpuValue(this.#kernel, node.name, Number(this.#number(node.cpu)));
    }
  }

  #name(name: string): Value {
    const kernel = this.#kernel;
    const symbol = kernel.symbols.lookup(name);
    if (symbol !== undefined) {
      const type = variableType(kernel, name) ?? this.#named('void');
      return { type, address: symbol.address };
    }
    const enumerator = findEnumerator(kernel, name);
    if (enumerator !== undefined) {
      return { type: typeOfRef(enumerator.type), number: enumerator.value };
    }
    throw new DumpError('absent', `the kernel has no symbol and no enumerator "${name}"`);
  }

  #unary({ operator, of }: Extract<Node, { kind: 'unary' }>): Value {
    const value = this.value(of);
    switch (operator) {
      case '&':
        if ('number' in value) throw new DumpError('usage', 'a calculated value has no address');
        if (value.bits !== undefined) throw new DumpError('usage', 'a bit-field has no address');
        return { type: pointerTo(value.type), number: value.address };
      case '*':
        return this.#dereference(value);
      case '!':
        return this.#integer(this.#numberOf(value) === 0n ? 1n : 0n, int);
      default: {
        const shape = promoted(this.#shape(value));
        const number = cut(this.#numberOf(value), shape);
        const result = operator === '-' ? -number : operator === '~' ? ~number : number;
        return this.#integer(result, shape);
      }
    }
  }

  #binary({ operator, left, right }: Extract<Node, { kind: 'binary' }>): Value {
    if (operator === '&&') {
      return this.#integer(this.#isTrue(left) && this.#isTrue(right) ? 1n : 0n, int);
    }
    if (operator === '||') {
      return this.#integer(this.#isTrue(left) || this.#isTrue(right) ? 1n : 0n, int);
    }
    const [one, other] = [this.value(left), this.value(right)];
    if (operator === '+' || operator === '-') {
      const pointers = [one, other].map((value) => this.#elementOf(value) !== undefined);
      if (operator === '-' && pointers[0] && pointers[1]) return this.#distance(one, other);
      if (pointers[0]) return this.#add(one, other, operator === '-' ? -1n : 1n);
      if (pointers[1] && operator === '+') return this.#add(other, one, 1n);
    }
    if (operator === '<<' || operator === '>>') {
      const shape = promoted(this.#shape(one));
      const count = this.#numberOf(other);
      return this.#integer(shift(operator, this.#numberOf(one), count, shape), shape);
    }
    const shape = common(this.#shape(one), this.#shape(other));
    const numbers = [this.#numberOf(one), this.#numberOf(other)] as const;
    if (!comparisons.has(operator)) {
      return this.#integer(calculate(operator, ...numbers, shape), shape);
    }
    const holds = compare(operator, cut(numbers[0], shape), cut(numbers[1], shape));
    return this.#integer(holds ? 1n : 0n, int);
  }

  /** What a pointer or an array steps over; undefined for what is neither. */
  #elementOf({ type }: Value): CType | undefined {
    return targetOf(this.#kernel.types, type);
  }

  #add(pointer: Value, index: Value, sign: bigint): Value {
    const element = this.#elementOf(pointer);
    if (element === undefined) {
      if (this.#elementOf(index) !== undefined) return this.#add(index, pointer, sign);
      throw new DumpError('usage', 'only an array or a pointer has elements');
    }
    const step = BigInt(sizeOf(this.#kernel.types, element)) * this.#numberOf(index) * sign;
    const number = BigInt.asUintN(64, this.#numberOf(pointer) + step);
    return { type: this.#decayed(pointer), number };
  }

  /** An array that is calculated with is a pointer to its first element. */
  #decayed(value: Value): CType {
    const { types } = this.#kernel;
    return isPointer(types, value.type) ? value.type : pointerTo(targetOf(types, value.type)!);
  }

  #distance(one: Value, other: Value): Value {
    const { types } = this.#kernel;
    const size = BigInt(sizeOf(types, this.#elementOf(one)!));
    if (size === 0n) throw new DumpError('usage', 'a distance in elements that have no size');
    const bytes = BigInt.asIntN(64, this.#numberOf(one) - this.#numberOf(other));
    return this.#integer(bytes / size, { size: 8, signed: true });
  }

  #dereference(value: Value): Value {
    const target = this.#elementOf(value);
    if (target === undefined) {
      throw new DumpError('usage', 'only a pointer can be followed', {
        hint: 'cast it: *(TYPE *)ADDRESS',
      });
    }
    return { type: target, address: this.#numberOf(value) };
  }

  /** As gdb does, `.` follows a pointer and `->` takes a struct. */
  #member(value: Value, name: string): Value {
    const { types } = this.#kernel;
    const outer = isPointer(types, value.type) ? this.#dereference(value) : value;
    const kind = kindOf(types, outer.type);
    if (kind === 'opaque' || 'number' in outer) throw withoutMembers(name);
    const member =
      outer.type.stars > 0 ? undefined : types.memberOf(types.resolve(outer.type.base), name);
    if (member === undefined) {
      const type = outer.type.stars > 0 ? 'a pointer' : `"${types.nameOf(outer.type.base)}"`;
      throw new DumpError('absent', `${type} has no member "${name}"`);
    }
    const address = BigInt.asUintN(64, outer.address + BigInt(member.offset));
    return { type: typeOfRef(member.type), address, bits: member.bits };
  }

  #cast(type: CType, value: Value): Value {
    const { types } = this.#kernel;
    const shape = integerShape(types, type);
    if (shape === undefined) {
      // As in gdb: what stands there, seen as another type.
      if ('address' in value && value.bits === undefined) return { type, address: value.address };
      throw new DumpError('usage', 'a number cannot be cast to a struct', {
        hint: 'cast it to a pointer: *(struct T *)ADDRESS',
      });
    }
    if ('address' in value && this.#isUntyped(value)) throw untyped();
    const known = type.stars > 0 ? undefined : types.resolve(type.base);
    const number = this.#numberOf(value);
    const isBool = known?.kind === 'int' && known.bool;
    return { type, number: isBool ? (number === 0n ? 0n : 1n) : cut(number, shape) };
  }

  #isTrue(node: Node): boolean {
    return this.#number(node) !== 0n;
  }

  #number(node: Node): bigint {
    return this.#numberOf(this.value(node));
  }

  #numberOf(value: Value): bigint {
    if (this.#isUntyped(value)) throw untyped();
    return numberOf({ types: this.#kernel.types, memory: this.#memory }, value);
  }

  /** A variable whose type nobody knows has an address, and no value. */
  #isUntyped(value: Value): boolean {
    const { base, stars } = value.type;
    return 'address' in value && stars === 0 && this.#kernel.types.strip(base).id === 0;
  }

  #shape(value: Value): IntegerShape {
    if (this.#isUntyped(value)) throw untyped();
    const { types } = this.#kernel;
    const shape = integerShape(types, value.type);
    if (shape === undefined) {
      if (kindOf(types, value.type) !== 'struct') return unsignedLong;
      throw new DumpError('usage', 'nothing can be calculated with a struct');
    }
    if ('number' in value || value.bits === undefined) return shape;
    // A bit-field whose values an int can hold is promoted to it.
    return value.bits.width < 32 || (shape.signed && value.bits.width === 32) ? int : shape;
  }

  #offsetIn(type: CType, path: string): bigint {
    const { types } = this.#kernel;
    const member = type.stars > 0 ? undefined : types.memberOf(types.resolve(type.base), path);
    if (member !== undefined) return BigInt(member.offset);
    throw new DumpError('absent', `"${types.nameOf(type.base)}" has no member "${path}"`);
  }

  #type(name: TypeName): CType {
    return namedType(this.#kernel.types, name);
  }

  #named(base: string): CType {
    return namedType(this.#kernel.types, { base, stars: 0 });
  }

  #integer(number: bigint, shape: IntegerShape): Value {
    const name = shape.size > 8 ? '__int128' : shape.size > 4 ? 'long' : 'int';
    const type = this.#named(shape.signed ? name : `unsigned ${name}`);
    return { type, number: cut(number, shape) };
  }
}

const unsignedLong: IntegerShape = { size: 8, signed: false };

/** C11 6.4.4.1: the first type that can hold it; one in hexadecimal may be unsigned. */
function literalShape({ value, suffix, hex }: Extract<Node, { kind: 'number' }>): IntegerShape {
  const mayBeUnsigned = hex || suffix.includes('u') || value >= 1n << 63n;
  const sizes = suffix.includes('l') ? [8] : [4, 8];
  for (const size of sizes) {
    const bits = BigInt(size * 8);
    if (!suffix.includes('u') && value < 1n << (bits - 1n)) return { size, signed: true };
    if (mayBeUnsigned && value < 1n << bits) return { size, signed: false };
  }
  return unsignedLong;
}

/** This CPU's copy of a per-CPU variable. */
export function perCpuValue(kernel: KernelCore, name: string, cpu: number): Value {
  if (!kernel.cpus.includes(cpu)) throw new DumpError('absent', `there is no CPU ${cpu}`);
  const type = variableType(kernel, name);
  const address = kernel.perCpu(name, cpu);
  if (type !== undefined) return { type, address };
  throw new DumpError('absent', `the type of the per-CPU variable "${name}" is not known`, {
    hint: `its address is \`sym ${name}\` and the per-CPU offset`,
  });
}

/** An enumerator of any enum. */
function findEnumerator(
  kernel: KernelCore,
  name: string,
): { readonly type: TypeRef; readonly value: bigint } | undefined {
  for (const type of kernel.types.enums()) {
    const found = kernel.types.enumeratorsOf(type).find((entry) => entry.name === name);
    if (found !== undefined) return { type, value: found.value };
  }
  return undefined;
}

function untyped(): DumpError {
  return new DumpError('absent', 'the type of this variable is not known: BTF has none', {
    hint: 'cast its address: *(struct T *)&NAME',
  });
}

function withoutMembers(name: string): DumpError {
  return new DumpError('usage', `what has no known type has no member "${name}"`, {
    hint: 'cast its address: ((struct T *)&NAME)->MEMBER',
  });
}
