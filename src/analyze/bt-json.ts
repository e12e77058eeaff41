/** Backtraces as JSON. */

import { jsonAddress } from '../bytes/text.ts';
import type { Backtrace, Frame } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { SavedRegisters } from '../linux/saved-registers.ts';
import type { StackWord, TextWord } from './bt-stack.ts';
import type { Json } from './command.ts';
import { type TaskEntry, taskJson } from './tasks.ts';

/** One task's part of the answer; what was not asked for is undefined. */
export interface StackBlock {
  readonly entry: TaskEntry;
  readonly trace?: Backtrace;
  readonly words?: ReadonlyMap<Frame, readonly StackWord[]>;
  readonly raw?: readonly StackWord[];
  readonly exceptions?: readonly SavedRegisters[];
  /** Words that are addresses of code, stale ones among them. */
  readonly texts?: readonly TextWord[];
}

export function blockJson(
  kernel: Kernel,
  { entry, trace, words, raw, exceptions, texts }: StackBlock,
): Json {
  const { userRegisters } = trace ?? {};
  return {
    ...taskJson(entry),
    ...(trace === undefined
      ? {}
      : {
          start: trace.start,
          complete: trace.complete,
          userRegisters: userRegisters === undefined ? null : registersJson(userRegisters),
          frames: trace.frames.map((frame) => frameJson(frame, words?.get(frame))),
        }),
    ...(texts === undefined ? {} : { texts: texts.map(textJson) }),
    ...(raw === undefined ? {} : { raw: raw.map(wordJson) }),
    ...(exceptions === undefined
      ? {}
      : { exceptions: exceptions.map((saved) => savedJson(kernel, saved)) }),
  };
}

/** A frame with, where they were asked for, its words. */
export function frameJson(frame: Frame, words: readonly StackWord[] | undefined): Json {
  return {
    index: frame.index,
    kind: frame.kind,
    stackPointer: jsonAddress(frame.stackPointer),
    address: jsonAddress(frame.address),
    function: frame.symbol ?? null,
    offset: frame.offset ?? null,
    module: frame.module ?? null,
    stack: frame.stack?.name ?? null,
    guess: !frame.reliable,
    note: frame.note ?? null,
    registers: frame.registers === undefined ? null : registersJson(frame.registers.values),
    ...(words === undefined ? {} : { words: words.map(wordJson) }),
  };
}

export function savedJson(kernel: Kernel, saved: SavedRegisters): Json {
  const at = saved.userMode ? undefined : kernel.symbols.at(saved.values.rip ?? 0n);
  return {
    address: jsonAddress(saved.address),
    user: saved.userMode,
    function: at?.symbol.name ?? null,
    offset: at?.offset ?? null,
    registers: registersJson(saved.values),
  };
}

function registersJson(values: SavedRegisters['values']): Json {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, jsonAddress(value)]),
  );
}

/** A word that the dump lacks is null. */
function wordJson({ address, value }: StackWord): Json {
  return {
    address: jsonAddress(address),
    value: value === undefined ? null : jsonAddress(value),
  };
}

function textJson({ address, value, symbol, offset, module }: TextWord): Json {
  return {
    address: jsonAddress(address),
    value: jsonAddress(value),
    function: symbol,
    offset,
    module: module ?? null,
  };
}
