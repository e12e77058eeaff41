/** Whose stacks `bt` shows. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf } from '../linux/objects.ts';
import { currentTask } from '../linux/tasks.ts';
import { atMostOne, type Context, type Options } from './command.ts';
import { contextTask, contextTasks } from './context.ts';
import { cpusNamed } from './cpu-list.ts';
import type { Gaps } from './gaps.ts';
import { listTasks, type TaskEntry, taskReader } from './tasks.ts';

export function targetsOf(
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  context: Context,
  gaps: Gaps,
): readonly TaskEntry[] {
  atMostOne(options, ['active', 'cpus', 'panic', 'group']);
  const { active, cpus, panic, skip } = options;
  if (skip !== undefined && skip !== 'idle') {
    throw new DumpError('usage', `"${skip}" cannot be left out`, { hint: 'bt -a -n idle' });
  }
  const alone = ['active', 'cpus', 'panic'].find((name) => options[name] !== undefined);
  if (alone !== undefined && words.length > 0) {
    throw new DumpError('usage', `--${alone} takes no task`, { hint: 'bt TASK, or bt -a' });
  }
  if (active === true) return runningTasks(kernel, gaps);
  if (typeof cpus === 'string') return runningTasks(kernel, gaps, cpusNamed(kernel, cpus));
  if (panic === true) return [contextTask(kernel, { input: context.input })];
  const tasks = contextTasks(kernel, context, words);
  return options.group === true ? groupsOf(kernel, tasks, gaps) : tasks;
}

/** The task that each CPU was running. */
export function runningTasks(
  kernel: Kernel,
  gaps: Gaps,
  cpus: readonly number[] = kernel.cpus,
): readonly TaskEntry[] {
  const read = taskReader(kernel);
  return cpus.flatMap((cpu) => {
    const entry = gaps.attempt(`backtraces (CPU ${cpu})`, () =>
      read(addressOf(currentTask(kernel, cpu))),
    );
    return entry === undefined ? [] : [entry];
  });
}

/** All threads of the processes of these tasks, the first thread first. */
function groupsOf(kernel: Kernel, tasks: readonly TaskEntry[], gaps: Gaps): readonly TaskEntry[] {
  const { entries, missing, errors } = listTasks(kernel);
  for (const error of missing.length > 0 ? errors : []) gaps.add('threads', error);
  const groups = new Set(tasks.map(({ tgid }) => tgid));
  return [...groups].flatMap((tgid) => {
    const group = entries.filter((entry) => entry.tgid === tgid);
    return group.sort((a, b) => Number(b.pid === tgid) - Number(a.pid === tgid) || a.pid - b.pid);
  });
}
