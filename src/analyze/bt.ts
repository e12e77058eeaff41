/** `bt`: backtraces as crash prints them: the panic task, tasks, every CPU. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import { type Backtrace, backtrace, type Frame } from '../linux/backtrace.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import type { SavedRegisters } from '../linux/saved-registers.ts';
import { currentTask } from '../linux/tasks.ts';
import { exceptionFrames, frameWords, type StackWord, stackWords } from './bt-stack.ts';
import {
  exceptionFrameLines,
  type FrameStyle,
  frameLines,
  rawLines,
  registerLines,
} from './bt-text.ts';
import { type Answer, atMostOne, type Json, type Missing, type Options } from './command.ts';
import { Gaps } from './gaps.ts';
import {
  listTasks,
  selectTasks,
  type TaskEntry,
  taskHeader,
  taskJson,
  taskReader,
} from './tasks.ts';

/** One task's part of the answer; what was not asked for is undefined. */
interface Block {
  readonly entry: TaskEntry;
  readonly trace?: Backtrace;
  readonly words?: ReadonlyMap<Frame, readonly StackWord[]>;
  readonly raw?: readonly StackWord[];
  readonly exceptions?: readonly SavedRegisters[];
}

const noLineTables =
  'a vmcore has no line tables: -l gives symbol+offset; addr2line or faddr2line makes a line of ' +
  'it where the debug symbols of this kernel are at hand';

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  atMostOne(options, ['raw', 'exceptions', 'full']);
  if (options.active === true && words.length > 0) {
    throw new DumpError('usage', '--active takes no task', { hint: 'bt TASK, or bt -a' });
  }
  const gaps = new Gaps();
  const targets = targetsOf(kernel, words, options, gaps);
  const blocks = targets.flatMap((entry) => {
    const block = gaps.attempt(`backtraces (PID ${entry.pid})`, () =>
      blockOf(kernel, entry, options),
    );
    return block === undefined ? [] : [block];
  });
  const frames = blocks.reduce((sum, { trace }) => sum + (trace?.frames.length ?? 0), 0);
  const tasks = plural(blocks.length, 'task');
  return {
    json: () => ({ stacks: blocks.map((block) => blockJson(kernel, block)) }),
    text: () => lines(kernel, blocks, options.line === true ? 'place' : 'nothing'),
    counted: frames > 0 ? `${plural(frames, 'frame')} of ${tasks}` : tasks,
    missing: [...gaps.missing, ...blocks.flatMap(brokenOff)],
    errors: gaps.errors,
    notes: options.line === true ? [noLineTables] : [],
  };
}

function targetsOf(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  gaps: Gaps,
): TaskEntry[] {
  if (words.length > 0) return selectTasks(listTasks(kernel), words);
  if (options.active !== true) return [panicked(kernel)];
  const read = taskReader(kernel);
  return kernel.cpus.flatMap((cpu) => {
    const entry = gaps.attempt(`backtraces (CPU ${cpu})`, () =>
      read(addressOf(currentTask(kernel, cpu))),
    );
    return entry === undefined ? [] : [entry];
  });
}

function panicked(kernel: Kernel): TaskEntry {
  const context = panicTask(kernel);
  if (context === undefined) {
    throw new DumpError('absent', 'nothing in the dump says which task panicked', {
      hint: 'bt -a shows every CPU, bt PID a task',
    });
  }
  return taskReader(kernel)(addressOf(context.task));
}

function blockOf(kernel: Kernel, entry: TaskEntry, options: Options): Block {
  if (options.raw === true) return { entry, raw: stackWords(kernel, entry.address) };
  if (options.exceptions === true) {
    return { entry, exceptions: exceptionFrames(kernel, entry.address) };
  }
  const trace = backtrace(kernel, { task: entry.view });
  return options.full === true
    ? { entry, trace, words: frameWords(kernel, trace.frames) }
    : { entry, trace };
}

function brokenOff({ entry, trace }: Block): Missing[] {
  if (trace === undefined || trace.complete) return [];
  const why = trace.problems.join('; ');
  return [{ what: `frames of PID ${entry.pid}`, count: null, why }];
}

function* lines(
  kernel: Kernel,
  blocks: readonly Block[],
  below: FrameStyle['below'],
): Generator<string> {
  for (const [index, block] of blocks.entries()) {
    if (index > 0) yield '';
    yield taskHeader(block.entry);
    if (block.raw !== undefined) yield* rawLines(kernel, block.raw);
    if (block.exceptions !== undefined) yield* exceptionFrameLines(kernel, block.exceptions);
    if (block.trace === undefined) continue;
    const { frames, userRegisters } = block.trace;
    if (userRegisters !== undefined) yield* registerLines(userRegisters);
    yield* frameLines(frames, { below, words: block.words });
  }
}

function blockJson(kernel: Kernel, { entry, trace, words, raw, exceptions }: Block): Json {
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
    ...(raw === undefined ? {} : { raw: raw.map(wordJson) }),
    ...(exceptions === undefined
      ? {}
      : { exceptions: exceptions.map((saved) => savedJson(kernel, saved)) }),
  };
}

function frameJson(frame: Frame, words: readonly StackWord[] | undefined): Json {
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

function savedJson(kernel: Kernel, saved: SavedRegisters): Json {
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
