/** Memory in the lines of crash's `rd`: an address, words, and the characters of the line. */

import { hex16 } from '../bytes/text.ts';

export interface Style {
  /** Bytes of a word: 1, 2, 4, 8. */
  readonly width: number;
  readonly base: 'hex' | 'signed' | 'unsigned';
  /** `network`: the highest byte comes first in memory. */
  readonly order: 'memory' | 'network';
  readonly characters: 'shown' | 'none';
  /** What stands in place of a word; undefined: the word itself. */
  readonly nameOf: ((value: bigint) => string | undefined) | undefined;
}

/** Hexadecimal words with their characters, as most commands show memory. */
export function hexWords(width: number): Style {
  return { width, base: 'hex', order: 'memory', characters: 'shown', nameOf: undefined };
}

const bytesPerLine = 16;
const textPerLine = 60;
/** Columns of a decimal number, by the bytes of its word. */
const signedColumns: Readonly<Record<number, number>> = { 1: 3, 2: 5, 4: 12, 8: 15 };
const unsignedColumns: Readonly<Record<number, number>> = { 1: 3, 2: 5, 4: 12, 8: 20 };

export function* wordLines(start: bigint, bytes: Uint8Array, style: Style): Generator<string> {
  const { width, base } = style;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasText = base === 'hex' && style.characters === 'shown' && style.nameOf === undefined;
  for (let line = 0; line < bytes.length; line += bytesPerLine) {
    const end = Math.min(line + bytesPerLine, bytes.length);
    let words = '';
    for (let at = line; at + width <= end; at += width) words += `${wordAt(view, at, style)} `;
    const address = hex(start + BigInt(line)).padStart(16);
    const full = (bytesPerLine / width) * (width * 2 + 1);
    const text = hasText
      ? `${words.padEnd(full)}  ${characters(bytes.subarray(line, end))}`
      : words;
    yield `${address}:  ${text}`;
  }
}

export function* textLines(start: bigint, bytes: Uint8Array): Generator<string> {
  for (let line = 0; line < bytes.length; line += textPerLine) {
    const text = characters(bytes.subarray(line, line + textPerLine));
    yield `${hex(start + BigInt(line)).padStart(16)}:  ${text}`;
  }
}

function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16);
}

function wordAt(view: DataView, at: number, { width, base, order, nameOf }: Style): string {
  const value = integerAt(view, at, width, order);
  if (nameOf !== undefined) return (nameOf(value) ?? hex16(value)).padEnd(16);
  if (base === 'hex') return value.toString(16).padStart(width * 2, '0');
  const columns = base === 'signed' ? signedColumns : unsignedColumns;
  const number = base === 'signed' ? BigInt.asIntN(width * 8, value) : value;
  return String(number).padStart(columns[width]!);
}

/** The unsigned number of `width` bytes at an offset. */
export function integerAt(
  view: DataView,
  at: number,
  width: number,
  order: Style['order'],
): bigint {
  const littleEndian = order === 'memory';
  switch (width) {
    case 1:
      return BigInt(view.getUint8(at));
    case 2:
      return BigInt(view.getUint16(at, littleEndian));
    case 4:
      return BigInt(view.getUint32(at, littleEndian));
    default:
      return view.getBigUint64(at, littleEndian);
  }
}

/** What is no printable ASCII is a dot. */
export function characters(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.';
  return text;
}

/** Two digits a byte, as they lie in memory. */
export function hexDigits(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
