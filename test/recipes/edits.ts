/**
 * Changes to a finished file: a line of a recipe each, and what fuzzing does to a file. So whatever
 * fuzzing finds is a recipe.
 */

import type { Directive } from './directives.ts';

const pokes = { u8: 1, u16: 2, u32: 4, u64: 8, be32: 4, be64: 8 } as const;
export type PokeType = keyof typeof pokes;

/** All numbers are bytes. What lies behind the end of the file is left alone. */
export type Edit =
  /** Writes a number over what is there. */
  | {
      readonly word: 'poke';
      readonly at: number;
      readonly type: PokeType;
      readonly value: bigint;
    }
  /** Writes the same byte over all of a range. */
  | { readonly word: 'fill'; readonly at: number; readonly length: number; readonly byte: number }
  /** Writes one range of the file over another. */
  | { readonly word: 'copy'; readonly from: number; readonly length: number; readonly at: number }
  | { readonly word: 'insert'; readonly at: number; readonly length: number; readonly byte: number }
  | { readonly word: 'remove'; readonly at: number; readonly length: number }
  /** Ends the file. */
  | { readonly word: 'cut'; readonly at: number };

export const editWords: ReadonlySet<string> = new Set([
  'poke',
  'fill',
  'copy',
  'insert',
  'remove',
  'cut',
  'pad',
]);

/** The edit of a line; undefined for a line that is none. Negative offsets count from the end. */
export function editOf({ word, position }: Directive, fileLength: number): Edit | undefined {
  if (!editWords.has(word)) return undefined;
  const number = (index: number, otherwise = 0): number => Number(position[index] ?? otherwise);
  const at = number(0) < 0 ? fileLength + number(0) : number(0);
  switch (word) {
    case 'poke': {
      const type = position[1] as PokeType;
      if (pokes[type] === undefined) throw new Error(`poke knows no ${type}`);
      return { word, at, type, value: BigInt(position[2]!) };
    }
    case 'pad':
      return { word: 'insert', at: fileLength, length: number(0), byte: number(1) };
    case 'copy':
      return { word, from: at, length: number(1), at: number(2) };
    case 'remove':
      return { word, at, length: number(1) };
    case 'cut':
      return { word, at };
    default:
      return { word: word as 'fill' | 'insert', at, length: number(1), byte: number(2) };
  }
}

/** The edit as a line of a recipe. */
export function lineOf(edit: Edit): string {
  const at = `0x${edit.at.toString(16)}`;
  switch (edit.word) {
    case 'poke':
      return `poke ${at} ${edit.type} 0x${edit.value.toString(16)}`;
    case 'copy':
      return `copy 0x${edit.from.toString(16)} ${edit.length} ${at}`;
    case 'remove':
      return `remove ${at} ${edit.length}`;
    case 'cut':
      return `cut ${at}`;
    default:
      return `${edit.word} ${at} ${edit.length} ${edit.byte}`;
  }
}

/** May change `file` itself: what is returned counts. */
export function applyEdit(file: Uint8Array, edit: Edit): Uint8Array {
  const { at } = edit;
  switch (edit.word) {
    case 'poke':
      if (at + pokes[edit.type] <= file.length) poke(file, at, edit.type, edit.value);
      return file;
    case 'fill':
      return file.fill(edit.byte, at, at + edit.length);
    case 'copy':
      if (at < file.length) file.copyWithin(at, edit.from, edit.from + edit.length);
      return file;
    case 'cut':
      return file.subarray(0, at);
    case 'remove':
      file.copyWithin(at, at + edit.length);
      return file.subarray(0, Math.max(Math.min(at, file.length), file.length - edit.length));
    default: {
      if (at > file.length) return file;
      const grown = new Uint8Array(file.length + edit.length).fill(edit.byte);
      grown.set(file.subarray(0, at));
      grown.set(file.subarray(at), at + edit.length);
      return grown;
    }
  }
}

function poke(file: Uint8Array, at: number, type: PokeType, value: bigint): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const unsigned = BigInt.asUintN(pokes[type] * 8, value);
  if (type === 'u8') view.setUint8(at, Number(unsigned));
  else if (type === 'u16') view.setUint16(at, Number(unsigned), true);
  else if (pokes[type] === 4) view.setUint32(at, Number(unsigned), type === 'u32');
  else view.setBigUint64(at, unsigned, type === 'u64');
}
