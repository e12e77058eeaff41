/** One thing that `search` found: what it is, and its lines. */

import { attempt } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { ReadMemory } from '../linux/expression/evaluate.ts';
import { hex } from './columns.ts';
import type { Json } from './command.ts';
import { hexDigits, hexWords, wordLines } from './rd-text.ts';
import type { Space } from './search-area.ts';
import type { Needle } from './search-match.ts';
import { type TaskEntry, taskJson } from './tasks.ts';

/** A text is shown with what follows it, up to so many characters in all. */
const textShown = 56;

/** One page that is searched. */
export interface Place {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** On whose stack it is, where stacks are searched. */
  readonly task: TaskEntry | undefined;
}

export interface Hit {
  readonly address: bigint;
  readonly needle: Needle;
  readonly task: TaskEntry | undefined;
  /** The word that was found, with the bits that were masked; of a text what follows it. */
  readonly value: bigint;
  readonly text: string;
}

/** The words before and behind a hit; undefined where they cannot be read. */
interface Surroundings {
  readonly before: { readonly start: bigint; readonly bytes: Uint8Array } | undefined;
  readonly after: { readonly start: bigint; readonly bytes: Uint8Array } | undefined;
}

export function hitAt({ address, bytes, task }: Place, at: number, needle: Needle): Hit {
  const place = { address: address + BigInt(at), needle, task };
  if (needle.kind === 'text') {
    const shown = bytes.subarray(at, at + textShown);
    const text = String.fromCharCode(...shown.map((byte) => (isPlain(byte) ? byte : 0x2e)));
    return { ...place, value: 0n, text };
  }
  let value = 0n;
  for (let byte = needle.width - 1; byte >= 0; byte--) {
    value = (value << 8n) | BigInt(bytes[at + byte]!);
  }
  return { ...place, value, text: '' };
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}

/** As in crash, a value that was given by name is followed by the name. */
export function hitLine(space: Space, { address, needle, value, text }: Hit): string {
  const place = space === 'kernel' ? hex(address).padStart(16, '0') : hex(address);
  if (needle.kind === 'text') return `${place}: ${text}`;
  return `${place}: ${valueText(needle.word, value)}`;
}

function valueText(word: string, value: bigint): string {
  const isName = !/^(0x)?[0-9a-f]+$/i.test(word);
  return `${hex(value)} ${isName ? `(${word})` : ''}`;
}

/** `-x`: the hit between the words before and behind it. */
export function* surroundedLines(hit: Hit, around: Surroundings): Generator<string> {
  const { address, needle, value } = hit;
  const width = needle.kind === 'text' ? 1 : needle.width;
  const style = hexWords(width);
  const { before, after } = around;
  if (before !== undefined) yield* wordLines(before.start, before.bytes, style);
  yield `${hex(address).padStart(16)}:  ${valueText(needle.word, value)}`;
  if (after !== undefined) yield* wordLines(after.start, after.bytes, style);
  yield '';
}

/** So many words of the size of the value on both sides of a hit. */
export function surroundingsOf(memory: ReadMemory, hit: Hit, count: number): Surroundings {
  const width = hit.needle.kind === 'text' ? 1 : hit.needle.width;
  const length = count * width;
  const at = (start: bigint): Surroundings['before'] =>
    attempt(() => ({ start, bytes: memory.read(start, length).slice() }));
  const before = hit.address - BigInt(length);
  return { before: before < 0n ? undefined : at(before), after: at(hit.address + BigInt(width)) };
}

export function hitJson(hit: Hit, around: Surroundings | undefined): Json {
  const { address, needle, value, text, task } = hit;
  const isText = needle.kind === 'text';
  const digits = (words: Surroundings['before']): string | null =>
    words === undefined ? null : hexDigits(words.bytes);
  return {
    address: jsonAddress(address),
    searched: needle.word,
    value: isText ? null : jsonAddress(value),
    text: isText ? text : null,
    ...(task === undefined ? {} : { task: taskJson(task) }),
    ...(around === undefined ? {} : { before: digits(around.before), after: digits(around.after) }),
  };
}
