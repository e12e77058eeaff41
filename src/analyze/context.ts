/** Whose memory a command means: the task that a word names, else the one that panicked. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { addressOf, type KernelObject, memberAddress } from '../linux/objects.ts';
import { panicTask } from '../linux/panic.ts';
import { listTasks, selectTasks, type TaskEntry, taskReader } from './tasks.ts';

/** Throws `absent` where no task is named and none is known to have panicked. */
export function contextTask(kernel: Kernel, word: string | undefined): TaskEntry {
  if (word !== undefined) return selectTasks(listTasks(kernel), [word])[0]!;
  const panic = panicTask(kernel);
  if (panic === undefined) {
    throw new DumpError('absent', 'nothing in this dump says which task panicked', {
      hint: 'name one by its PID',
    });
  }
  return taskReader(kernel)(addressOf(panic.task));
}

/** The tasks that the words name, else the one that panicked. */
export function contextTasks(kernel: Kernel, words: readonly string[]): readonly TaskEntry[] {
  if (words.length === 0) return [contextTask(kernel, undefined)];
  return selectTasks(listTasks(kernel), words);
}

/** The page tables of a process. Throws `absent` for a thread of the kernel, which has none. */
export function addressSpaceOf(kernel: Kernel, { view, pid }: TaskEntry): AddressSpace {
  // A thread of the kernel that works for a process lends that one's memory.
  const mm = (view.mm ?? view.active_mm) as KernelObject | null;
  if (mm === null) {
    throw new DumpError('absent', `the task ${pid} has no user memory`, {
      hint: '`ps -u` lists the tasks that have',
    });
  }
  return kernel.addressSpace(kernel.memory.u64(memberAddress(mm, 'pgd')));
}
