/** `strace`: every trace that the kernel stack of a task holds, old ones too, as in lcrash. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { type FoundTrace, type StackSearch, searchStack } from '../linux/stack-search.ts';
import { frameJson } from './bt-json.ts';
import { atMostOne, type Json, type Missing, type Run } from './command.ts';
import { contextTask } from './context.ts';
import { type TaskEntry, taskJson } from './tasks.ts';
import { frameLine, traceRule, traceTitle } from './trace.ts';

/** Shorter traces are nearly always leftovers of one call. */
const usualFrames = 3;

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['all', 'list']);
  const [task, level, ...rest] = words;
  if (rest.length > 0) {
    throw new DumpError('usage', 'strace takes a task and a number of frames', {
      hint: 'help strace',
    });
  }
  const atLeast = level === undefined ? usualFrames : framesOf(level);
  const entry = contextTask(kernel, context, task);
  const found = searchStack(kernel, entry.view);
  const traces = found.traces.filter(({ frames, complete }) => {
    return frames.length >= atLeast && (complete || options.all === true);
  });
  const isList = options.list === true;
  return {
    json: () => ({
      ...taskJson(entry),
      addresses: found.addresses.map(({ slot, address }) => addressJson(kernel, slot, address)),
      traces: isList ? [] : traces.map(traceJson),
    }),
    text: () => (isList ? addressLines(kernel, entry, found) : traceLines(entry, traces)),
    counted: isList ? plural(found.addresses.length, 'caller') : plural(traces.length, 'trace'),
    missing: missingOf(found),
    errors: found.problem === undefined ? [] : [found.problem],
  };
};

function framesOf(word: string): number {
  if (/^[1-9]\d{0,3}$/.test(word)) return Number(word);
  throw new DumpError('usage', `"${word}" is no number of frames`, { hint: 'strace TASK 4' });
}

function missingOf({ missingWords, missingEntries, missingText, problem }: StackSearch): Missing[] {
  const why = problem?.message ?? '';
  const all: readonly Missing[] = [
    { what: 'words of the stack', count: missingWords, why },
    { what: 'steps to the next frame', count: missingEntries, why },
    { what: 'calls before return addresses', count: missingText, why },
  ];
  return all.filter(({ count }) => count !== 0);
}

function* traceLines(entry: TaskEntry, traces: readonly FoundTrace[]): Generator<string> {
  yield* traceTitle(entry);
  for (const [index, { frames, complete }] of traces.entries()) {
    const start = jsonAddress(frames[0]!.stackPointer);
    const end = complete ? '' : ', breaks off';
    yield `TRACE ${index + 1}: ${plural(frames.length, 'frame')} from ${start}${end}`;
    yield '';
    for (const frame of frames) yield frameLine(frame);
    yield '';
  }
  yield traceRule;
}

function* addressLines(
  kernel: Kernel,
  entry: TaskEntry,
  { addresses }: StackSearch,
): Generator<string> {
  yield* traceTitle(entry);
  for (const { slot, address } of addresses) {
    const { symbol, offset } = placeOf(kernel, address);
    yield `${jsonAddress(slot)}: ${jsonAddress(address)} ${symbol}+${offset}`;
  }
  yield traceRule;
}

/** A return address may lie behind the function's last instruction, a call that never returns. */
function placeOf(kernel: Kernel, address: bigint): { symbol: string; offset: number } {
  const { symbol, offset } = kernel.symbols.at(address - 1n)!;
  return { symbol: symbol.name, offset: offset + 1 };
}

function addressJson(kernel: Kernel, slot: bigint, address: bigint): Json {
  const { symbol, offset } = placeOf(kernel, address);
  return { slot: jsonAddress(slot), address: jsonAddress(address), function: symbol, offset };
}

function traceJson({ frames, complete }: FoundTrace): Json {
  return { complete, frames: frames.map((frame) => frameJson(frame, undefined)) };
}
