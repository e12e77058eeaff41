/** `set`: the task in question and how answers are shown, to see and to change. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import { currentTask, threadInfoAddress } from '../linux/tasks.ts';
import {
  type Answer,
  atMostOne,
  type Context,
  type Json,
  type Options,
  type Run,
} from './command.ts';
import { contextTask } from './context.ts';
import { type TaskEntry, taskJson, taskReader } from './tasks.ts';

/** A variable that was set: `radix 16`. */
type Setting = Pick<Context, 'radix' | 'scroll'>;

const settings: Readonly<Record<string, Setting>> = {
  'radix 10': { radix: 'decimal' },
  'radix 16': { radix: 'hexadecimal' },
  'scroll on': { scroll: 'on' },
  'scroll off': { scroll: 'off' },
};

/** As the kernel calls what crash's letters mean. */
const stateNames: Readonly<Record<string, string>> = {
  RU: 'TASK_RUNNING',
  IN: 'TASK_INTERRUPTIBLE',
  UN: 'TASK_UNINTERRUPTIBLE',
  ID: 'TASK_UNINTERRUPTIBLE|TASK_NOLOAD',
  ST: 'TASK_STOPPED',
  TR: 'TASK_TRACED',
  ZO: 'EXIT_ZOMBIE',
  DE: 'EXIT_DEAD',
  PA: 'TASK_PARKED',
  WA: 'TASK_WAKING',
  NE: 'TASK_NEW',
};

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['panic', 'cpu', 'variables']);
  if (options.variables === true) return variables(context, {});
  const [first] = words;
  if (first === 'radix' || first === 'scroll') {
    const setting = words.length === 1 ? {} : settings[words.join(' ')];
    if (setting !== undefined) return variables({ ...context, ...setting }, setting, first);
    throw new DumpError('usage', `"${words.join(' ')}" cannot be set`, {
      hint: `one of ${Object.keys(settings).join(', ')}`,
    });
  }
  const isChosen = options.panic === true || options.cpu !== undefined;
  if (words.length > (isChosen ? 0 : 1)) {
    throw new DumpError('usage', 'set takes one task: by name, by -p, or by -c');
  }
  const entry = chosen(kernel, options, context, first);
  return taskAnswer(kernel, entry);
};

function chosen(
  kernel: Kernel,
  options: Options,
  context: Context,
  word: string | undefined,
): TaskEntry {
  if (options.panic === true) return contextTask(kernel, { input: context.input });
  if (typeof options.cpu !== 'string') return contextTask(kernel, context, word);
  const cpu = /^\d+$/.test(options.cpu) ? Number(options.cpu) : -1;
  if (!kernel.cpus.includes(cpu)) throw new DumpError('absent', `there is no CPU ${options.cpu}`);
  return taskReader(kernel)(addressOf(currentTask(kernel, cpu)));
}

function taskAnswer(kernel: Kernel, entry: TaskEntry): Answer {
  const info = threadInfoAddress(entry.view);
  const panic = panicTask(kernel);
  const panicked = panic !== undefined && addressOf(panic.task) === entry.address;
  const state = stateNames[entry.state] ?? entry.state;
  return {
    json: () => ({
      context: {
        ...taskJson(entry),
        threadInfo: jsonAddress(info),
        state,
        active: entry.active,
        panicked,
      },
      variables: null,
    }),
    *text() {
      const mark = panicked ? ' (PANIC)' : entry.active ? ' (ACTIVE)' : '';
      yield `    PID: ${entry.pid}`;
      yield `COMMAND: "${printable(entry.comm)}"`;
      yield `   TASK: ${hex16(entry.address)}  [THREAD_INFO: ${hex16(info)}]`;
      yield `    CPU: ${entry.cpu}`;
      yield `  STATE: ${state}${mark}`;
    },
    missing: [],
    settles: { task: entry.address },
  };
}

/** All variables, or the `one` that was asked for or set. */
function variables(now: Context, settles: Setting, one?: 'radix' | 'scroll'): Answer {
  const { radix = 'decimal', scroll = 'on' } = now;
  const values: { readonly [name: string]: Json } = {
    radix: radix === 'decimal' ? 10 : 16,
    scroll,
  };
  return {
    json: () => ({ context: null, variables: values }),
    *text() {
      const names = { radix: radix === 'decimal' ? '10 (decimal)' : '16 (hex)', scroll };
      if (one === 'radix') yield `output radix: ${names.radix}`;
      else if (one === 'scroll') yield `scroll: ${names.scroll}`;
      else
        for (const [name, value] of Object.entries(names)) yield `${name.padStart(14)}: ${value}`;
    },
    missing: [],
    settles,
  };
}
