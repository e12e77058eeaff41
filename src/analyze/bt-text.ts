/**
 * crash's text of a backtrace, to the column: frames, exception frames, stack words. Source of the
 * layout: what crash 8.0.6 prints for the dumps of this project's tests.
 */

import { hex16 } from '../bytes/text.ts';
import type { Frame } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { SavedRegisters } from '../linux/saved-registers.ts';
import type { StackWord, TextWord } from './bt-stack.ts';
import type { Radix } from './command.ts';
import { pointerNames } from './pointer-names.ts';

type RegisterValues = SavedRegisters['values'];

/** Three to a line, as crash has them; `rflags` is `eflags` in pt_regs. */
const registerRows = [
  ['rax', 'rbx', 'rcx'],
  ['rdx', 'rsi', 'rdi'],
  ['rbp', 'r8', 'r9'],
  ['r10', 'r11', 'r12'],
  ['r13', 'r14', 'r15'],
] as const;

export interface FrameStyle {
  /** `place`: a line with symbol+offset below each frame. */
  readonly below: 'nothing' | 'place';
  readonly words: ReadonlyMap<Frame, readonly StackWord[]> | undefined;
  /** How the distance from the beginning of a function is shown; undefined: not at all. */
  readonly offsets: Radix | undefined;
  /** What stands in place of a word; undefined: the word itself. */
  readonly nameOf: ((value: bigint) => string | undefined) | undefined;
}

/** ` #0 [ffffcbc640463b68] panic at ffffffffb93cd21a`, what was saved there, its words. */
export function* frameLines(frames: readonly Frame[], style: FrameStyle): Generator<string> {
  let level = 0;
  for (const [index, frame] of frames.entries()) {
    const before = frames[index - 1];
    const isNewStack = before !== undefined && before.stack !== frame.stack;
    if (isNewStack && before.stack !== undefined && before.stack.kind !== 'task') {
      yield `--- <${before.stack.name}> ---`;
    }
    // An interrupted function on the same stack is named by the exception frame above it.
    if (frame.kind !== 'interrupted' || isNewStack) {
      yield frameLine(frame, level++, style.offsets);
      if (style.below === 'place') yield `    ${place(frame)}`;
    }
    if (frame.registers !== undefined) yield* savedLines(frame.registers, frames[index + 1]);
    const words = style.words?.get(frame);
    if (words !== undefined) yield* wordLines(words, style.nameOf);
  }
}

function frameLine(frame: Frame, level: number, offsets: Radix | undefined): string {
  const owner = frame.module === undefined ? '' : ` [${frame.module}]`;
  const guess = frame.reliable ? '' : ' (guess)';
  const name = `${frame.symbol ?? '(unknown)'}${distance(frame.offset, offsets)}`;
  const number = `#${level}`.padStart(3);
  const slot = hex16(frame.stackPointer);
  return `${number} [${slot}] ${name} at ${hex16(frame.address)}${owner}${guess}`;
}

function distance(offset: number | undefined, shown: Radix | undefined): string {
  if (shown === undefined || offset === undefined || offset === 0) return '';
  return `+${shown === 'hexadecimal' ? `0x${offset.toString(16)}` : offset}`;
}

/** The words of `bt -t`, or, as frames, of `bt -o`; and the registers of user mode. */
export function* textLines(
  texts: readonly TextWord[],
  frames: readonly Frame[],
  shown: 'frames' | 'words',
): Generator<string> {
  const [first] = frames;
  const isFromStart = texts[0] === undefined || texts[0].address >= (first?.stackPointer ?? 0n);
  if (shown === 'words' && first !== undefined && isFromStart) {
    yield `${'START: '.padStart(21)}${first.symbol ?? '(unknown)'} at ${hex16(first.address)}`;
  }
  for (const [index, text] of texts.entries()) {
    const before = texts[index - 1]?.stack;
    if (before !== undefined && before !== text.stack) yield `--- <${before.name}> ---`;
    const { address, value, symbol, module } = text;
    const number = shown === 'frames' ? `#${index}`.padStart(3) : ' ';
    const owner = module === undefined ? '' : ` [${module}]`;
    yield `${number} [${hex16(address)}] ${symbol} at ${hex16(value)}${owner}`;
  }
  const saved = frames.at(-1)?.registers;
  if (saved?.userMode === true) yield* registerLines(saved.values);
}

function place({ symbol, offset, address, module }: Frame): string {
  if (symbol === undefined) return hex16(address);
  const owner = module === undefined ? '' : ` [${module}]`;
  return `${symbol}+0x${(offset ?? 0).toString(16)}${owner}`;
}

function* savedLines(saved: SavedRegisters, interrupted: Frame | undefined): Generator<string> {
  if (!saved.userMode) {
    const known = interrupted?.kind === 'interrupted' ? interrupted : undefined;
    yield `    [exception RIP: ${exceptionPlace(known?.symbol, known?.offset)}]`;
  }
  yield* registerLines(saved.values);
}

function exceptionPlace(symbol: string | undefined, offset: number | undefined): string {
  if (symbol === undefined) return 'unknown or invalid address';
  return offset === undefined || offset === 0 ? symbol : `${symbol}+${offset}`;
}

/** The general registers; those that entry code did not save are left out. */
export function* registerLines(values: RegisterValues): Generator<string> {
  const word = (value: bigint | undefined): string =>
    value === undefined ? '?'.repeat(16) : hex16(value);
  const short = (value: bigint | undefined, digits: number): string =>
    value === undefined ? '?'.repeat(digits) : value.toString(16).padStart(digits, '0');
  const flags = short(values.eflags, 8);
  yield `    RIP: ${word(values.rip)}  RSP: ${word(values.rsp)}  RFLAGS: ${flags}`;
  if (values.rax !== undefined) {
    for (const row of registerRows) {
      const columns = row.map((name) => `${name.toUpperCase().padStart(3)}: ${word(values[name])}`);
      yield `    ${columns.join('  ')}`;
    }
  }
  const original = values.orig_rax === undefined ? '' : `ORIG_RAX: ${word(values.orig_rax)}  `;
  yield `    ${original}CS: ${short(values.cs, 4)}  SS: ${short(values.ss, 4)}`;
}

/** What `bt -e` found. */
export function* exceptionFrameLines(
  kernel: Kernel,
  found: readonly SavedRegisters[],
): Generator<string> {
  if (found.length === 0) yield '(none found)';
  for (const saved of found) {
    yield '';
    const mode = saved.userMode ? 'USER' : 'KERNEL';
    yield `  ${mode}-MODE EXCEPTION FRAME AT: ${hex16(saved.address)}`;
    if (!saved.userMode) {
      const at = kernel.symbols.at(saved.values.rip ?? 0n);
      yield `    [exception RIP: ${exceptionPlace(at?.symbol.name, at?.offset)}]`;
    }
    yield* registerLines(saved.values);
  }
}

/** Two words to a line, `    ffff810072b47f18: ffff81007e020380 ffff81007e2c2880 `. */
function* wordLines(words: readonly StackWord[], nameOf: FrameStyle['nameOf']): Generator<string> {
  const text = ({ value }: StackWord): string => {
    const name = value === undefined ? undefined : nameOf?.(value);
    return (name ?? wordText(value)).padEnd(16);
  };
  for (let at = 0; at < words.length; at += 2) {
    const pair = words.slice(at, at + 2).map((word) => `${text(word)} `);
    yield `    ${hex16(words[at]!.address)}: ${pair.join('')}`;
  }
}

/** A word of a stack, or that the dump lacks it. */
export function wordText(value: bigint | undefined): string {
  return value === undefined ? '(not in dump)   ' : hex16(value);
}

/** The whole stack, addresses of symbols by name. */
export function* rawLines(kernel: Kernel, words: readonly StackWord[]): Generator<string> {
  const nameOf = pointerNames(kernel, 'none');
  const text = ({ value }: StackWord): string => {
    const name = value === undefined ? undefined : nameOf(value);
    return (name ?? wordText(value)).padEnd(16);
  };
  for (let at = 0; at < words.length; at += 2) {
    const pair = words.slice(at, at + 2).map((word) => `${text(word)} `);
    yield `${hex16(words[at]!.address)}:  ${pair.join('')}`;
  }
}
