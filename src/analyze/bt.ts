/** `bt`: backtraces as crash prints them: the panic task, tasks, every CPU. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { type BacktraceTarget, backtrace } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import { checkStacks, searchCpuStacks } from './bt-check.ts';
import { blockJson, type StackBlock } from './bt-json.ts';
import { allTextWords, exceptionFrames, frameWords, stackWords, textWords } from './bt-stack.ts';
import { targetsOf } from './bt-targets.ts';
import {
  exceptionFrameLines,
  type FrameStyle,
  frameLines,
  rawLines,
  registerLines,
  textLines,
} from './bt-text.ts';
import { type Answer, atMostOne, type Missing, type Options, type Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { hexNumber } from './numbers.ts';
import { pointerNames } from './pointer-names.ts';
import { radixOf } from './radix.ts';
import { type TaskEntry, taskHeader } from './tasks.ts';

const noLineTables =
  'a vmcore has no line tables: -l gives symbol+offset; addr2line or faddr2line makes a line of ' +
  'it where the debug symbols of this kernel are at hand';

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, [
    ...['raw', 'exceptions', 'full', 'symbolic', 'text', 'allText', 'stale'],
    ...['overflow', 'cpuStacks'],
  ]);
  if (options.overflow === true) return checkStacks(kernel, words);
  if (options.cpuStacks === true) return searchCpuStacks(kernel, words, options);
  if (options.ip !== undefined && options.sp === undefined) {
    throw new DumpError('usage', '--ip needs to know where on the stack', {
      hint: 'bt -I ADDRESS -S STACK-POINTER',
    });
  }
  const gaps = new Gaps();
  const targets = targetsOf(kernel, words, options, context, gaps);
  const { facts, blocks } = stacksOf(kernel, targets, options, gaps);
  const style: Omit<FrameStyle, 'words'> = {
    below: options.line === true ? 'place' : 'nothing',
    offsets: options.offset === true ? radixOf(options, context) : undefined,
    nameOf: namesOf(kernel, options),
  };
  return {
    ...facts,
    text: () => lines(kernel, blocks, style, options.stale === true ? 'frames' : 'words'),
    notes: options.line === true ? [noLineTables] : [],
    passesOver: options.reference !== undefined && blocks.length === 0,
  };
};

function namesOf(kernel: Kernel, { symbolic }: Options): FrameStyle['nameOf'] {
  if (symbolic === undefined) return undefined;
  return pointerNames(kernel, symbolic === 'twice' ? 'address' : 'name');
}

/** The stacks of tasks, for commands that show them each in its own way. */
export function stacksOf(
  kernel: Kernel,
  targets: readonly TaskEntry[],
  options: Options,
  gaps: Gaps,
): { readonly facts: Omit<Answer, 'text'>; readonly blocks: readonly StackBlock[] } {
  const isMeant = refersTo(kernel, options);
  const blocks = targets.flatMap((entry) => {
    const block = gaps.attempt(`backtraces (PID ${entry.pid})`, () =>
      blockOf(kernel, entry, options),
    );
    return block === undefined || !isMeant(block) ? [] : [block];
  });
  const frames = blocks.reduce((sum, { trace }) => sum + (trace?.frames.length ?? 0), 0);
  const tasks = plural(blocks.length, 'task');
  const facts: Omit<Answer, 'text'> = {
    json: () => ({ stacks: blocks.map((block) => blockJson(kernel, block)) }),
    counted: frames > 0 ? `${plural(frames, 'frame')} of ${tasks}` : tasks,
    missing: [...gaps.missing, ...blocks.flatMap(brokenOff)],
    errors: gaps.errors,
  };
  return { facts, blocks };
}

function blockOf(kernel: Kernel, entry: TaskEntry, options: Options): StackBlock {
  // As crash has it, an idle task is named and its stack is not shown.
  if (options.skip !== undefined && entry.pid === 0) return { entry };
  if (options.raw === true) return { entry, raw: stackWords(kernel, entry.address) };
  if (options.exceptions === true) {
    return { entry, exceptions: exceptionFrames(kernel, stackWords(kernel, entry.address)) };
  }
  const trace = backtrace(kernel, targetOf(entry, options));
  if (options.allText === true) {
    return { entry, trace, texts: allTextWords(kernel, entry.address, trace.frames) };
  }
  if (options.text === true || options.stale === true) {
    return { entry, trace, texts: textWords(kernel, trace.frames) };
  }
  return options.full === true || options.symbolic !== undefined
    ? { entry, trace, words: frameWords(kernel, trace.frames) }
    : { entry, trace };
}

/** Where the walk begins: as is known of the task, or as somebody says. */
function targetOf({ view }: TaskEntry, { ip, sp }: Options): BacktraceTarget {
  if (typeof sp === 'string') {
    return {
      task: view,
      sp: hexNumber(sp),
      ip: typeof ip === 'string' ? hexNumber(ip) : undefined,
    };
  }
  return { task: view };
}

/** `-R`: is a function or an address among the frames? */
function refersTo(kernel: Kernel, { reference }: Options): (block: StackBlock) => boolean {
  if (typeof reference !== 'string') return () => true;
  const isName = kernel.symbols.lookup(reference) !== undefined;
  const address = isName ? undefined : hexNumber(reference);
  return ({ trace }) =>
    trace?.frames.some((frame) => {
      return isName ? frame.symbol === reference : frame.address === address;
    }) === true;
}

function brokenOff({ entry, trace }: StackBlock): Missing[] {
  if (trace === undefined || trace.complete) return [];
  const why = trace.problems.join('; ');
  return [{ what: `frames of PID ${entry.pid}`, count: null, why }];
}

function* lines(
  kernel: Kernel,
  blocks: readonly StackBlock[],
  style: Omit<FrameStyle, 'words'>,
  texts: 'frames' | 'words',
): Generator<string> {
  for (const [index, block] of blocks.entries()) {
    if (index > 0) yield '';
    yield taskHeader(block.entry);
    if (block.raw !== undefined) yield* rawLines(kernel, block.raw);
    if (block.exceptions !== undefined) yield* exceptionFrameLines(kernel, block.exceptions);
    if (block.trace === undefined) continue;
    const { frames, userRegisters } = block.trace;
    if (userRegisters !== undefined) yield* registerLines(userRegisters);
    if (block.texts === undefined) yield* frameLines(frames, { ...style, words: block.words });
    else yield* textLines(block.texts, frames, texts);
  }
}
