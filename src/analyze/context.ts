/** Which task a command means: the one that a word names, that `set` chose, or that panicked. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { addressOf, type KernelObject, memberAddress } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import type { Context } from './command.ts';
import { listTasks, selectTasks, type TaskEntry, taskReader } from './tasks.ts';

/** Throws `absent` where no task is named or chosen, and none is known to have panicked. */
export function contextTask(
  kernel: Kernel,
  context: Context,
  word?: string | boolean | undefined,
): TaskEntry {
  if (typeof word === 'string') return selectTasks(listTasks(kernel), [word])[0]!;
  return taskReader(kernel)(context.task ?? panicked(kernel));
}

function panicked(kernel: Kernel): bigint {
  // Without types nothing is known of any task: that is said, and not what follows from it.
  kernel.types.get('struct task_struct');
  const panic = panicTask(kernel);
  if (panic !== undefined) return addressOf(panic.task);
  throw new DumpError('absent', 'nothing in this dump says which task panicked', {
    hint: 'name one by its PID; `bt -a` shows what every CPU was doing',
  });
}

/** The tasks that the words name, else the one in question. */
export function contextTasks(
  kernel: Kernel,
  context: Context,
  words: readonly string[],
): readonly TaskEntry[] {
  if (words.length === 0) return [contextTask(kernel, context)];
  return selectTasks(listTasks(kernel), words);
}

/** The CPU of the task in question, 0 where nobody knows it. */
export function contextCpu(kernel: Kernel, context: Context): number {
  if (context.task !== undefined) return taskReader(kernel)(context.task).cpu;
  return panicTask(kernel)?.cpu ?? 0;
}

/** The page tables of a process. Throws `absent` for a thread of the kernel, which has none. */
export function addressSpaceOf(kernel: Kernel, entry: TaskEntry): AddressSpace {
  return kernel.addressSpace(kernel.memory.u64(memberAddress(memoryOf(entry), 'pgd')));
}

/** The mm_struct of a process. Throws `absent` for a thread of the kernel, which has none. */
export function memoryOf({ view, pid }: TaskEntry): KernelObject {
  // A thread of the kernel that works for a process lends that one's memory.
  const mm = (view.mm ?? view.active_mm) as KernelObject | null;
  if (mm !== null) return mm;
  throw new DumpError('absent', `the task ${pid} has no user memory`, {
    hint: '`ps -u` lists the tasks that have',
  });
}
