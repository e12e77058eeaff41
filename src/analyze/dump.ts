/** `dump`: memory in lcrash's lines: an address, words, and the characters of the line. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import { atMostOne, type Options, type Run } from './command.ts';
import { type MemoryAnswer, readMemory } from './rd.ts';
import { characters, integerAt } from './rd-text.ts';

const bytesPerLine = 16;
/** By the letters that lcrash has for them: byte, half word, word, double word. */
const widths = { byte: 8, half: 16, word: 32, double: 64 } as const;
const bases = { hex: 16, decimal: 10, octal: 8 } as const;

export const run: Run = (kernel, words, options, context) => {
  const width = chosen(options, widths, 'double');
  const base = chosen(options, bases, 'hex');
  if (words.some((word) => word.startsWith('-'))) {
    throw new DumpError('usage', 'dump takes an address and a count', { hint: 'help dump' });
  }
  const memory = readMemory(kernel, words, { width: String(width) }, context);
  return { ...memory.facts, text: () => dumpLines(memory, base) };
};

/** What the one option of `values` that was given stands for. */
function chosen<V>(options: Options, values: Readonly<Record<string, V>>, usual: string): V {
  const names = Object.keys(values);
  atMostOne(options, names);
  return values[names.find((name) => options[name] === true) ?? usual]!;
}

/** `0xffffffff9b000000: 65762078756e694c 2e36206e6f697372  : Linux version 6.`. */
export function* dumpLines(
  { start, width, bytes }: Pick<MemoryAnswer, 'start' | 'width' | 'bytes'>,
  base: 16 | 10 | 8,
): Generator<string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const digits = (2n ** BigInt(width * 8) - 1n).toString(base).length;
  const columns = (bytesPerLine / width) * (digits + 1);
  for (let line = 0; line < bytes.length; line += bytesPerLine) {
    const end = Math.min(line + bytesPerLine, bytes.length);
    let words = '';
    for (let at = line; at + width <= end; at += width) {
      const number = integerAt(view, at, width, 'memory').toString(base);
      words += `${number.padStart(digits, base === 10 ? ' ' : '0')} `;
    }
    const address = jsonAddress(BigInt.asUintN(64, start + BigInt(line)));
    yield `${address}: ${words.padEnd(columns)} : ${characters(bytes.subarray(line, end))}`;
  }
}
