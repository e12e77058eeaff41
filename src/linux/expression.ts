/**
 * Addresses as people write them for commands: hexadecimal with or without 0x as in crash, a
 * symbol, a symbol and an offset, any C expression.
 */

import { DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';
import { integerShape } from './expression/ctype.ts';
import { evaluate, numberOf } from './expression/evaluate.ts';

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
