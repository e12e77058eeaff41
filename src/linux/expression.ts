/**
 * What people write for commands and scripts: C expressions, and addresses, which may be
 * hexadecimal with or without 0x as in crash, a symbol, a symbol and an offset.
 */

import { DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';
import { integerShape, targetOf } from './expression/ctype.ts';
import { evaluate, numberOf, type Value } from './expression/evaluate.ts';
import { type MemberValue, readMember, readValue } from './objects.ts';

/**
 * The address that `text` names: of a symbol where it stands, of a struct or an array where it
 * lies, of a pointer or a number what it says. Throws `absent` for a name that nothing has,
 * `usage` for what is no expression.
 */
export function evaluateAddress(kernel: KernelCore, text: string): bigint {
  const match = /^([\w.$]+)(?:\s*([+-])\s*(0x[0-9a-f]+|\d+))?$/i.exec(text.trim());
  const base = match === null ? undefined : plainAddress(kernel, match[1]!);
  if (match !== null && base !== undefined) {
    const offset = BigInt(match[3] ?? 0);
    return BigInt.asUintN(64, base + (match[2] === '-' ? -offset : offset));
  }
  const value = evaluate(kernel, text);
  if ('number' in value) return BigInt.asUintN(64, value.number);
  if (value.bits !== undefined || integerShape(kernel.types, value.type) !== undefined) {
    return BigInt.asUintN(64, numberOf(kernel, value));
  }
  return value.address;
}

/** A symbol comes before a number, as "add" is both. */
function plainAddress(kernel: KernelCore, word: string): bigint | undefined {
  const symbol = kernel.symbols.lookup(word);
  if (symbol !== undefined) return symbol.address;
  if (/^(0x)?[0-9a-f]{1,16}$/i.test(word)) return BigInt(`0x${word.replace(/^0x/i, '')}`);
  if (/^[0-9]/.test(word)) throw new DumpError('usage', `no address "${word}"`);
  return undefined;
}

/**
 * The value of a C expression, in JavaScript what a member of that type would be: `jiffies` a
 * bigint, `init_task.comm` a string, `init_task.mm` a view or null. A function is its address.
 * Throws `usage` for what is no expression, `absent` for unknown names and what the dump lacks.
 */
export function evaluateValue(kernel: KernelCore, text: string): MemberValue {
  const value = evaluate(kernel, text);
  const { base, stars } = value.type;
  const type = stars > 0 ? undefined : kernel.types.resolve(base);
  if (type?.kind === 'opaque' && kernel.types.strip(base).id === 0) {
    throw new DumpError('absent', `the type of "${text}" is not known: BTF has none of variables`, {
      hint: `cast its address: *(struct T *)&${text}`,
    });
  }
  if ('address' in value && type !== undefined && type.kind !== 'opaque') {
    const { address, bits } = value;
    if (bits === undefined) return readValue(kernel, base, address);
    return readMember(kernel, { name: text, type: base, offset: 0, bits }, address);
  }
  return numberValue(kernel, value);
}

function numberValue(kernel: KernelCore, value: Value): MemberValue {
  const number = numberOf(kernel, value);
  const target = targetOf(kernel.types, value.type);
  if (target === undefined) {
    const { base, stars } = value.type;
    const type = stars > 0 ? undefined : kernel.types.resolve(base);
    if (type?.kind === 'int' && type.bool) return number !== 0n;
    return type !== undefined && type.size > 0 && type.size <= 4 ? Number(number) : number;
  }
  if (target.stars > 0 || kernel.types.resolve(target.base).kind !== 'struct') return number;
  return number === 0n ? null : readValue(kernel, target.base, number);
}
