/** `eval`: a number or the result of a calculation in four bases, as crash prints it. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import { evaluate, numberOf } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Run } from './command.ts';

const units: readonly (readonly [name: string, bytes: bigint])[] = [
  ['GB', 1n << 30n],
  ['MB', 1n << 20n],
  ['KB', 1n << 10n],
];
const factors: Readonly<Record<string, bigint>> = { k: 1n << 10n, m: 1n << 20n, g: 1n << 30n };
/** So many bit numbers a line, under each other. */
const bitsInLine = 22;

export const run: Run = (kernel, words, options) => {
  const text = words.join(' ').trim();
  if (text === '') {
    throw new DumpError('usage', 'eval needs a number or an expression', {
      hint: 'eval 128m, eval 0x1000 + 64, eval "(1 << 32)"',
    });
  }
  const number = BigInt.asUintN(64, numberOf(kernel, evaluate(kernel, asC(kernel, text))));
  const bits = [...bitsOf(number)];
  return {
    json: () => ({
      hexadecimal: jsonAddress(number),
      decimal: String(number),
      signed: String(BigInt.asIntN(64, number)),
      bits,
    }),
    *text() {
      const signed = BigInt.asIntN(64, number);
      yield `hexadecimal: ${number.toString(16)}  ${shortHand(number)}`;
      yield `    decimal: ${number}  ${signed < 0n ? `(${signed})` : ''}`;
      yield `      octal: ${number.toString(8)}`;
      yield `     binary: ${number.toString(2).padStart(64, '0')}`;
      if (options.bits === true) yield* bitLines(bits);
    },
    missing: [],
  };
};

/**
 * What people write for crash as C: numbers may be hexadecimal without 0x where that is obvious and
 * end in k, m or g; a symbol is its address. All are unsigned and of 64 bits.
 */
function asC(kernel: Kernel, text: string): string {
  return text.replace(/\w+/g, (word) => {
    const symbol = kernel.symbols.lookup(word);
    if (symbol !== undefined) return `0x${symbol.address.toString(16)}ul`;
    const [, digits, unit = ''] = /^(0x[0-9a-f]+|[0-9a-f]+)([kmg]?)$/i.exec(word) ?? [];
    if (digits === undefined) {
      throw new DumpError('absent', `"${word}" is neither a number nor a symbol`);
    }
    const isPlain = /^0x/i.test(digits) || /^\d+$/.test(digits);
    const number = BigInt(isPlain ? digits : `0x${digits}`) * (factors[unit.toLowerCase()] ?? 1n);
    return `0x${number.toString(16)}ul`;
  });
}

function shortHand(number: bigint): string {
  const unit = units.find(([, bytes]) => number !== 0n && number % bytes === 0n);
  return unit === undefined ? '' : `(${number / unit[1]}${unit[0]})`;
}

function* bitsOf(number: bigint): Generator<number> {
  for (let bit = 63; bit >= 0; bit--) if ((number >> BigInt(bit)) & 1n) yield bit;
}

/** crash ends a line where no more numbers fit into 79 columns. */
function* bitLines(bits: readonly number[]): Generator<string> {
  let line = '   bits set: ';
  let inLine = 0;
  for (const bit of bits) {
    if (inLine === bitsInLine) {
      yield line;
      line = ' '.repeat(13);
      inLine = 0;
    }
    line += `${bit} `;
    inLine++;
  }
  yield line;
}
