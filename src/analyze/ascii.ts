/** `ascii`: hexadecimal words as the characters that they hold, or the whole chart. */

import { hex16 } from '../bytes/text.ts';
import type { Run } from './command.ts';
import { hexNumber } from './numbers.ts';

const controls = [
  'NUL', 'SOH', 'STX', 'ETX', 'EOT', 'ENQ', 'ACK', 'BEL', 'BS', 'HT', 'LF', 'VT', 'FF', 'CR', 'SO',
  'SI', 'DLE', 'DC1', 'DC2', 'DC3', 'DC4', 'NAK', 'SYN', 'ETB', 'CAN', 'EM', 'SUB', 'ESC', 'FS',
  'GS', 'RS', 'US',
] as const; // biome-ignore format: one table

export const run: Run = (_, words) => {
  const values = words.map(hexNumber);
  return {
    json: () => ({
      values: values.map((value) => ({ value: `0x${hex16(value)}`, text: textOf(value) })),
    }),
    *text() {
      if (values.length === 0) yield* chart();
      for (const value of values) yield `${hex16(value)}: ${textOf(value)}`;
    },
    missing: [],
  };
};

/** The bytes as they stand in memory, lowest first. */
function textOf(value: bigint): string {
  let text = '';
  for (let byte = 0n; byte < 8n; byte++) {
    const code = Number((value >> (byte * 8n)) & 0xffn);
    const name = nameOf(code);
    text += name.length === 1 ? name : `<${name}>`;
  }
  return text;
}

function nameOf(code: number): string {
  if (code === 0x7f) return 'DEL';
  if (code > 0x7f) return code.toString(16);
  return controls[code] ?? String.fromCharCode(code);
}

function* chart(): Generator<string> {
  yield '';
  yield '      0    1   2   3   4   5   6   7';
  yield '    +-------------------------------';
  for (let low = 0; low < 16; low++) {
    const cells = Array.from({ length: 8 }, (__, high) => cell(high * 16 + low));
    yield `  ${low.toString(16).toUpperCase()} |${cells.join('')}`.trimEnd();
  }
}

function cell(code: number): string {
  const name = code === 0x20 ? 'SP' : nameOf(code);
  // Characters stand under the middle of their column.
  return name.length === 1 ? `  ${name} ` : name.padStart(4);
}
