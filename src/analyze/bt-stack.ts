/** The stack words, addresses of code and exception frames that letters of `bt` show. */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { RegisterName } from '../dump/types.ts';
import type { Frame } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import { type SavedRegisters, savedNames } from '../linux/saved-registers.ts';
import { type Stack, StackTable } from '../linux/stacks.ts';
import { isText } from '../linux/text.ts';

export interface StackWord {
  readonly address: bigint;
  /** undefined: not in the dump. */
  readonly value: bigint | undefined;
}

/** Every word of a task's kernel stack. */
export function stackWords(kernel: Kernel, task: bigint): StackWord[] {
  const { start, end } = stackOf(kernel, task);
  return wordsBetween(kernel, start, end);
}

function stackOf(kernel: Kernel, task: bigint): Stack {
  const stack = new StackTable(kernel).ofTask(task);
  if (stack !== undefined) return stack;
  throw new DumpError('absent', 'the task has no stack any more', { where: { virtual: task } });
}

/**
 * The words that belong to each frame: from above its return address up to and with the return
 * address of the next one, or to the end of its stack.
 */
export function frameWords(kernel: Kernel, frames: readonly Frame[]): Map<Frame, StackWord[]> {
  const words = new Map<Frame, StackWord[]>();
  for (const [index, frame] of frames.entries()) {
    const { stack, stackPointer, kind } = frame;
    if (stack === undefined) continue;
    const isPointer = kind === 'start' || kind === 'interrupted';
    const start = isPointer ? stackPointer : stackPointer + 8n;
    const next = frames[index + 1];
    const isSame = next?.stack === stack && next.stackPointer >= start;
    const end = isSame ? next.stackPointer + (next.kind === 'interrupted' ? 0n : 8n) : stack.end;
    words.set(frame, wordsBetween(kernel, start < stack.start ? stack.start : start, end));
  }
  return words;
}

export function wordsBetween(kernel: Kernel, start: bigint, end: bigint): StackWord[] {
  const words: StackWord[] = [];
  for (let address = start; address < end; address += 8n) {
    words.push({ address, value: attempt(() => kernel.memory.u64(address)) });
  }
  return words;
}

/** A word that is an address of code: a return address, live or stale, or a pointer. */
export interface TextWord {
  readonly address: bigint;
  readonly value: bigint;
  readonly symbol: string;
  readonly offset: number;
  readonly module: string | undefined;
  /** The stack that it is on. */
  readonly stack: Stack;
}

/** Those of each stack that the frames are on, from the innermost frame there to its end. */
export function textWords(kernel: Kernel, frames: readonly Frame[]): TextWord[] {
  const seen = new Set<Stack>();
  return frames.flatMap(({ stack, stackPointer }) => {
    if (stack === undefined || seen.has(stack)) return [];
    seen.add(stack);
    return textsBetween(kernel, stack, stackPointer, endOf(stack, frames));
  });
}

/** Those of a task's whole stack, what it had been used for before among them. */
export function allTextWords(kernel: Kernel, task: bigint, frames: readonly Frame[]): TextWord[] {
  const stack = stackOf(kernel, task);
  return textsBetween(kernel, stack, stack.start, endOf(stack, frames));
}

/** Where the registers of user mode begin, or the stack's end. */
function endOf(stack: Stack, frames: readonly Frame[]): bigint {
  const saved = frames.at(-1)?.registers;
  if (saved?.userMode !== true || saved.address < stack.start) return stack.end;
  return saved.address < stack.end ? saved.address : stack.end;
}

function textsBetween(kernel: Kernel, stack: Stack, start: bigint, end: bigint): TextWord[] {
  const from = start < stack.start ? stack.start : start;
  return wordsBetween(kernel, from, end).flatMap(({ address, value }) => {
    if (value === undefined || !isText(kernel, value)) return [];
    const { symbol, offset } = kernel.symbols.at(value)!;
    return [{ address, value, symbol: symbol.name, offset, module: symbol.module, stack }];
  });
}

/**
 * Everything among words of a stack that looks like registers saved by entry code: selectors of
 * kernel or user mode, flags with their fixed bits, a plausible rip. Old ones look the same as live
 * ones.
 */
export function exceptionFrames(kernel: Kernel, words: readonly StackWord[]): SavedRegisters[] {
  const found: SavedRegisters[] = [];
  for (let first = 0; first + savedNames.length <= words.length; first++) {
    const values: Partial<Record<RegisterName, bigint>> = {};
    for (const [index, name] of savedNames.entries()) {
      const { value } = words[first + index]!;
      if (value !== undefined) values[name] = value;
    }
    const mode = modeOf(kernel, values);
    if (mode === undefined) continue;
    const { address } = words[first]!;
    found.push({ address, full: true, userMode: mode === 'user', values });
  }
  return found;
}

/** __KERNEL_CS, __KERNEL_DS, __USER_CS, __USER32_CS, __USER_DS: arch/x86/include/asm/segment.h. */
const kernelCode = 0x10n;
const kernelData = 0x18n;
const userCode = [0x33n, 0x23n];
const userData = 0x2bn;
/** Bit 1 of rflags is always 1; 3, 5, 15 and all above 21 are 0. Intel SDM volume 1, 3.4.3. */
const flagsFixed = 0xffff_ffff_ffc0_802an;
const flagsSet = 0x2n;
const userEnd = 0x0080_0000_0000_0000n;

function modeOf(kernel: Kernel, values: SavedRegisters['values']): 'kernel' | 'user' | undefined {
  const { cs, ss, eflags, rip, rsp } = values;
  if (eflags === undefined || rip === undefined || rsp === undefined) return undefined;
  if ((eflags & flagsFixed) !== flagsSet) return undefined;
  if (cs === kernelCode && ss === kernelData) {
    return kernel.symbols.at(rip) === undefined ? undefined : 'kernel';
  }
  if (cs === undefined || !userCode.includes(cs) || ss !== userData) return undefined;
  return rip < userEnd && rsp < userEnd ? 'user' : undefined;
}
