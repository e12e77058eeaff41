/**
 * `trace`: backtraces as lcrash prints them. Source of the layout: traces that users of LKCD sent
 * to linux-kernel (31 October 2002, 24 January 2003).
 */

import { jsonAddress, printable } from '../bytes/text.ts';
import type { Frame } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import { stacksOf } from './bt.ts';
import type { StackBlock } from './bt-json.ts';
import type { StackWord } from './bt-stack.ts';
import { wordText } from './bt-text.ts';
import type { Run } from './command.ts';
import { contextTasks } from './context.ts';
import { Gaps } from './gaps.ts';
import { listTasks, type TaskEntry } from './tasks.ts';

export const traceRule = '='.repeat(64);
const wordsPerLine = 2;

export const run: Run = (kernel, words, options, context) => {
  const gaps = new Gaps();
  const targets =
    options.all === true ? everyTask(kernel, gaps) : contextTasks(kernel, context, words);
  const { facts, blocks } = stacksOf(kernel, targets, { full: options.full }, gaps);
  return {
    ...facts,
    *text() {
      for (const block of blocks) yield* traceLines(block);
    },
  };
};

function everyTask(kernel: Kernel, gaps: Gaps): readonly TaskEntry[] {
  const { entries, errors } = listTasks(kernel);
  for (const error of errors) gaps.add('tasks', error);
  return entries;
}

/** One task's stack between two rules. */
export function* traceLines({ entry, trace, words }: StackBlock): Generator<string> {
  yield* traceTitle(entry);
  const { frames = [], userRegisters, problems = [] } = trace ?? {};
  if (userRegisters !== undefined) {
    const { rip, rsp } = userRegisters;
    yield ` USER MODE: RIP=${jsonAddress(rip)}, RSP=${jsonAddress(rsp)}`;
  }
  for (const [index, frame] of frames.entries()) {
    yield frameLine(frame);
    const own = words?.get(frame);
    if (own !== undefined) yield* frameDetails(frame, frames[index + 1], own);
  }
  for (const problem of problems) yield `TRACE ERROR: ${problem}`;
  yield traceRule;
}

export function* traceTitle({ address, comm }: TaskEntry): Generator<string> {
  yield traceRule;
  yield `STACK TRACE FOR TASK: ${jsonAddress(address)} (${printable(comm)})`;
  yield '';
}

/** ` 1 panic+253 [0xffffffff9abcd21a]`, ` 0 [ide_scsi]idescsi_end_request+129 [0x...]`. */
export function frameLine(frame: Frame): string {
  const { index, symbol, offset = 0, module, address, reliable } = frame;
  const owner = module === undefined ? '' : `[${module}]`;
  const name = symbol === undefined ? '<unknown>' : `${owner}${symbol}+${offset}`;
  const guess = reliable ? '' : ' (guess)';
  return `${String(index).padStart(2)} ${name} [${jsonAddress(address)}]${guess}`;
}

/** Where the frame lies, where it returns to, and its words. */
function* frameDetails(
  { stackPointer }: Frame,
  caller: Frame | undefined,
  words: readonly StackWord[],
): Generator<string> {
  const back = caller === undefined ? '' : `RA=${jsonAddress(caller.address)}, `;
  const end = jsonAddress(words.at(-1)?.address ?? stackPointer);
  yield `   ${back}SP=${jsonAddress(stackPointer)}, FP=${end}, SIZE=${words.length * 8}`;
  yield '';
  for (let at = 0; at < words.length; at += wordsPerLine) {
    const line = words.slice(at, at + wordsPerLine).map(({ value }) => wordText(value));
    yield `   ${jsonAddress(words[at]!.address)}: ${line.join(' ')}`;
  }
  yield '';
}
