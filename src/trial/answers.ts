/** What the analyzer says of a dump, in a form that two dumps can be compared by. */

import { attempt } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import { backtrace } from '../linux/backtrace.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { lastLogRecord, logLine } from '../linux/log.ts';
import { addressOf } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';

/** `not asked`: nothing was found in the memory at the instant either. */
export type Answer = 'equal' | 'different' | 'not asked';

export const questions = ['panic task', 'backtrace', 'last log line', 'tasks'] as const;
export type Question = (typeof questions)[number];

/** One text for each question; undefined where the dump gives none. */
export type Answers = Readonly<Record<Question, string | undefined>>;

export function answersOf(dump: Dump): Answers {
  const kernel = attempt(() => openKernel(dump));
  const ask = (question: (kernel: Kernel) => string | undefined): string | undefined =>
    kernel === undefined ? undefined : attempt(() => question(kernel));
  return {
    'panic task': ask(panicking),
    backtrace: ask(panicBacktrace),
    'last log line': ask(lastLine),
    tasks: ask(taskList),
  };
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
