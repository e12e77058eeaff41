/** Operands of the commands about memory: hexadecimal numbers, addresses. */

import { DumpError } from '../bytes/errors.ts';
import { evaluateAddress } from '../linux/expression.ts';
import type { Kernel } from '../linux/kernel.ts';

/** At least one word is needed; `what` says of which kind. */
export function needWords(words: readonly string[], command: string, what: string): void {
  if (words.length > 0) return;
  throw new DumpError('usage', `${command} needs ${what}`, { hint: `help ${command}` });
}

/** A hexadecimal number of up to 64 bits, with or without 0x. */
export function hexNumber(word: string): bigint {
  if (/^(0x)?[0-9a-f]{1,16}$/i.test(word)) return BigInt(`0x${word.replace(/^0x/i, '')}`);
  throw new DumpError('usage', `"${word}" is no hexadecimal number of 64 bits`);
}

/**
 * As in crash, what looks like a number is one, also where a symbol is called so: that needs no
 * symbols, which may be what a damaged dump lacks.
 */
export function hexOrAddress(kernel: Kernel, word: string): bigint {
  return /^(0x)?[0-9a-f]{1,16}$/i.test(word) ? hexNumber(word) : evaluateAddress(kernel, word);
}
