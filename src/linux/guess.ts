/**
 * What can be said of a stack where ORC cannot go on: return addresses, found by their looks. Old
 * stack contents look the same, so nothing that is found here, or after it, is reliable.
 */

import { DumpError } from '../bytes/errors.ts';
import { interruptedPointerAt, isOn, type Stack } from './stacks.ts';
import { calledBefore, isReturnAddress } from './text.ts';
import type { Unwinder, UnwindStart, Unwound, UnwoundFrame } from './unwind.ts';

/** By ORC, then by guesses from where ORC could not go on. */
export function unwindOrGuess(unwinder: Unwinder, start: UnwindStart): Unwound {
  const first = unwinder.unwind(start);
  const last = first.frames.at(-1);
  if (first.end !== 'failed' || last === undefined) return first;
  const rest = last.stack === undefined ? guessCaller(unwinder, last) : guessAfter(unwinder, last);
  if (rest === undefined) return first;
  const problem = `${first.problem}; the frames after that are guesses`;
  return { frames: [...first.frames, ...rest.frames], end: rest.end, problem };
}

/**
 * Every word from `from` that is a return address, until ORC gets from one of them to the end of
 * the stack; then the stack that this one interrupted.
 */
export function guess(unwinder: Unwinder, stack: Stack, from: bigint): Unwound {
  const { kernel, stacks } = unwinder;
  const frames: UnwoundFrame[] = [];
  const entered = new Set<Stack>();
  let on: Stack | undefined = stack;
  let start = from;
  while (on !== undefined && !entered.has(on)) {
    entered.add(on);
    for (const { slot, word } of words(unwinder, on, start)) {
      if (!isReturnAddress(kernel, word)) continue;
      const tried = unwinder.unwind({ ip: word, sp: slot + 8n, signal: false, slot });
      if (tried.end !== 'failed') {
        frames.push(...unreliable(tried.frames));
        return { frames, end: tried.end, problem: undefined };
      }
      // What it saved led nowhere: the frame is an old one, and its registers with it.
      const { registers: _, ...frame } = tried.frames[0]!;
      frames.push(...unreliable([frame]));
    }
    const kept = interruptedPointerAt(on);
    start = (kept === undefined ? undefined : wordAt(unwinder, kept)) ?? 0n;
    on = stacks.find((candidate) => isOn(candidate, start));
  }
  return { frames, end: 'failed', problem: undefined };
}

function guessAfter(unwinder: Unwinder, last: UnwoundFrame): Unwound {
  const stack = last.stack!;
  const from = last.origin === 'call' ? last.slot + 8n : last.slot;
  return guess(unwinder, stack, isOn(stack, from) ? from : stack.start);
}

/**
 * A function whose stack pointer is on no stack any more: whoever called it is on the task's own,
 * behind a call of this very function. Otherwise everything there.
 */
function guessCaller(unwinder: Unwinder, { ip }: UnwoundFrame): Unwound | undefined {
  const { kernel, stacks } = unwinder;
  const stack = stacks.find(({ kind }) => kind === 'task');
  if (stack === undefined) return undefined;
  const callee = kernel.symbols.at(ip)?.symbol.address;
  for (const { slot, word } of words(unwinder, stack, stack.start)) {
    if (callee === undefined || calledBefore(kernel, word) !== callee) continue;
    const tried = unwinder.unwind({ ip: word, sp: slot + 8n, signal: false, slot });
    if (tried.end !== 'failed') return { ...tried, frames: unreliable(tried.frames) };
  }
  return guess(unwinder, stack, stack.start);
}

/** The words of a stack from an address that can be read, as long as there is budget. */
function* words(
  unwinder: Unwinder,
  stack: Stack,
  from: bigint,
): Generator<{ slot: bigint; word: bigint }> {
  for (let slot = (from + 7n) & ~7n; slot + 8n <= stack.end && unwinder.spend(); slot += 8n) {
    const word = wordAt(unwinder, slot);
    if (word !== undefined) yield { slot, word };
  }
}

function wordAt({ kernel }: Unwinder, address: bigint): bigint | undefined {
  try {
    return kernel.memory.u64(address);
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

function unreliable(frames: readonly UnwoundFrame[]): UnwoundFrame[] {
  return frames.map((frame) => ({ ...frame, reliable: false }));
}
