/** Values in gdb's layout, which is crash's, and the same as JSON. */

import { cstring, jsonAddress } from '../bytes/text.ts';
import type { Json, Radix } from './command.ts';
import { quote, quoteCharacter, type Shown, shownElements } from './inspect.ts';

/** What crash says where a page is missing it says for all of the object; we for the part. */
export const notThere = '<not in the dump>';

/**
 * The text of a value that stands `level` levels deep: its first line goes on behind `name = `, the
 * others are indented by themselves.
 */
export function valueText(shown: Shown, radix: Radix, level: number): string {
  switch (shown.kind) {
    case 'integer':
      return integerText(shown, radix);
    case 'enum':
      return shown.name ?? String(shown.number);
    case 'pointer':
      return shown.text;
    case 'function':
      return `0x${shown.address.toString(16)}`;
    case 'bytes':
      return bytesText(shown.bytes);
    case 'missing':
      return notThere;
    case 'array': {
      const parts = shown.elements
        .slice(0, shownElements)
        .map((element) => valueText(element, radix, level + 1));
      const rest = shown.elements.length > shownElements ? '...' : '';
      return `{${parts.join(', ')}${rest}}`;
    }
    case 'struct': {
      if (shown.members.length === 0) return '{<No data fields>}';
      const indent = '  '.repeat(level + 1);
      const lines = shown.members.map(({ name, value }) => {
        return `${indent}${name === '' ? '' : `${name} = `}${valueText(value, radix, level + 1)}`;
      });
      return `{\n${lines.join(',\n')}\n${'  '.repeat(level)}}`;
    }
  }
}

function integerText(shown: Extract<Shown, { kind: 'integer' }>, radix: Radix): string {
  const { number, type } = shown;
  if (radix === 'hexadecimal') {
    return `0x${BigInt.asUintN(type.size * 8, number).toString(16)}`;
  }
  if (type.kind !== 'int') return String(number);
  if (type.bool && (number === 0n || number === 1n)) return number === 1n ? 'true' : 'false';
  if (type.size !== 1 || type.bool) return String(number);
  return `${number} ${quoteCharacter(Number(BigInt.asUintN(8, number)))}`;
}

/**
 * The last NUL is no part of a string. As in gdb, the limit is looked at after each run of equal
 * bytes: one that crosses it is shown to its end.
 */
function bytesText(bytes: Uint8Array): string {
  const length = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  let end = Math.min(length, shownElements);
  while (end > 0 && end < length && bytes[end] === bytes[end - 1]) end++;
  return `${quote(bytes.subarray(0, end))}${end < length ? '...' : ''}`;
}

/**
 * Structs are objects, those without a name spread into their parent; char[] is text up to its NUL,
 * other bytes are numbers; null is not in the dump.
 */
export function valueJson(shown: Shown): Json {
  switch (shown.kind) {
    case 'integer':
      return integerJson(shown);
    case 'enum':
      return shown.name ?? String(shown.number);
    case 'pointer':
      return jsonAddress(shown.number);
    case 'function':
      return jsonAddress(shown.address);
    case 'bytes':
      return shown.isText ? cstring(shown.bytes) : [...shown.bytes];
    case 'missing':
      return null;
    case 'array':
      return shown.elements.map(valueJson);
    case 'struct':
      return Object.fromEntries(membersJson(shown));
  }
}

function membersJson(shown: Extract<Shown, { kind: 'struct' }>): [string, Json][] {
  return shown.members.flatMap(({ name, value }): [string, Json][] => {
    if (name === '' && value.kind === 'struct') return membersJson(value);
    return name === '' ? [] : [[name, valueJson(value)]];
  });
}

function integerJson({ number, type }: Extract<Shown, { kind: 'integer' }>): Json {
  if (type.kind === 'int' && type.bool) return number !== 0n;
  return type.size > 4 ? String(number) : Number(number);
}
