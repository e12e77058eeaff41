/** What the analyzer says of a dump, in a form that two dumps can be compared by. */

import { attempt } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import { backtrace } from '../linux/backtrace.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { lastLogRecord, logLine } from '../linux/log.ts';
import { addressOf } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import type { KernelTables } from '../linux/tables.ts';
import { Remembered } from './remembered.ts';

/** `not asked`: nothing was found in the memory at the instant either. */
export type Answer = 'equal' | 'different' | 'not asked';

export const questions = ['panic task', 'backtrace', 'last log line', 'tasks'] as const;
export type Question = (typeof questions)[number];

/** One text for each question; undefined where the dump gives none. */
export type Answers = Readonly<Record<Question, string | undefined>>;

/** The tables of kernels; undefined where they cannot be read whole. */
export type RememberedTables = Remembered<KernelTables | undefined>;

export function rememberedTables(): RememberedTables {
  return new Remembered(readTables, ({ vmcoreinfo }) => vmcoreinfo);
}

/** Asks dumps of one kernel, many of them over the same memory. */
export class Questioner {
  readonly #answers: Readonly<Record<Question, Remembered<string | undefined>>>;

  constructor(tables = rememberedTables()) {
    const remembered = (ask: (kernel: Kernel) => string | undefined) =>
      new Remembered(
        (dump) => attempt(() => ask(openKernel(dump, tables.of(dump)))),
        ({ cpus, panic, vmcoreinfo }) => ({ cpus, panic, vmcoreinfo }),
      );
    this.#answers = {
      'panic task': remembered(panicking),
      backtrace: remembered(panicBacktrace),
      'last log line': remembered(lastLine),
      tasks: remembered(taskList),
    };
  }

  ask(dump: Dump): Answers {
    return {
      'panic task': this.#answers['panic task'].of(dump),
      backtrace: this.#answers.backtrace.of(dump),
      'last log line': this.#answers['last log line'].of(dump),
      tasks: this.#answers.tasks.of(dump),
    };
  }
}

/** Without them each question meets what there is by itself. */
function readTables(dump: Dump): KernelTables | undefined {
  return attempt(() => openKernel(dump).tables.read());
}

export function compareAnswers(truth: Answers, found: Answers): Record<Question, Answer> {
  const compare = (question: Question): Answer => {
    if (truth[question] === undefined) return 'not asked';
    return truth[question] === found[question] ? 'equal' : 'different';
  };
  return {
    'panic task': compare('panic task'),
    backtrace: compare('backtrace'),
    'last log line': compare('last log line'),
    tasks: compare('tasks'),
  };
}

function panicking(kernel: Kernel): string | undefined {
  const found = panicTask(kernel);
  return found && `${hex16(addressOf(found.task))} on CPU ${found.cpu}`;
}

function panicBacktrace(kernel: Kernel): string | undefined {
  const found = panicTask(kernel);
  if (found === undefined) return undefined;
  const { frames } = backtrace(kernel, { task: found.task });
  return frames
    .map((frame) => `${frame.symbol}+${frame.offset} ${hex16(frame.stackPointer)}`)
    .join('\n');
}

function lastLine(kernel: Kernel): string | undefined {
  const record = lastLogRecord(kernel);
  return record && logLine(record);
}

function taskList(kernel: Kernel): string {
  const tasks = [...kernel.tasks()];
  return tasks.map((task) => `${hex16(addressOf(task))} ${task.pid} ${task.comm}`).join('\n');
}
