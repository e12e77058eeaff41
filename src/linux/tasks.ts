/** All tasks: idle ones of each CPU, every process, every thread of it. */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { ObjectOf } from './kernel-types.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, follow, hasMember, type KernelObject, memberAddress } from './objects.ts';
import { salvageTasks } from './task-salvage.ts';

/** What listing tasks needs of the kernel; `KernelCore` is one. */
export interface TaskKernel {
  readonly memory: AddressSpace;
  readonly cpus: readonly number[];
  object(type: string, address: bigint): KernelObject;
  perCpu(name: string, cpu: number): bigint;
  variable(name: string): KernelObject;
}

type Task = ObjectOf<'struct task_struct'>;

/** PID_MAX_LIMIT of 64-bit kernels: no list of tasks is longer. */
const maxTasks = 4 * 1024 * 1024;

/**
 * Iterates over views of `struct task_struct`: idle tasks by CPU, then processes in the kernel's
 * own order, each followed by its threads; last those that lie beyond a broken list. After the loop
 * `complete` tells whether every list was walked to its end, `problems` what stopped it.
 */
export class TaskList implements Iterable<Task> {
  readonly problems: DumpError[] = [];
  readonly #kernel: TaskKernel;

  constructor(kernel: TaskKernel) {
    this.#kernel = kernel;
  }

  get complete(): boolean {
    return this.problems.length === 0;
  }

  *[Symbol.iterator](): Generator<Task> {
    this.problems.length = 0;
    const seen = new Set<bigint>();
    for (const cpu of this.#attempt(() => this.#kernel.cpus) ?? []) {
      const idle = this.#attempt(() => idleTask(this.#kernel, cpu));
      if (idle !== undefined && !seen.has(addressOf(idle))) {
        seen.add(addressOf(idle));
        yield idle;
      }
    }
    for (const leader of this.#processes()) {
      for (const task of this.#threads(leader)) {
        if (seen.has(addressOf(task))) continue;
        seen.add(addressOf(task));
        yield task;
      }
    }
    if (!this.complete) yield* salvageTasks(this.#kernel, seen);
  }

  /** init_task.tasks: the thread group leaders. */
  #processes(): Iterable<KernelObject> {
    const head = this.#attempt(() => memberAddress(this.#kernel.variable('init_task'), 'tasks'));
    return head === undefined ? [] : this.#list(head, 'tasks');
  }

  /** The leader and its threads; signal->thread_head works in all versions. */
  *#threads(leader: KernelObject): Generator<KernelObject> {
    yield leader;
    const head = this.#attempt(() =>
      leader.signal === null ? undefined : memberAddress(leader.signal, 'thread_head'),
    );
    if (head !== undefined) yield* this.#list(head, 'thread_node');
  }

  *#list(head: bigint, member: string): Generator<KernelObject> {
    const toMember = this.#attempt(() =>
      memberAddress(this.#kernel.object('struct task_struct', 0n), member),
    );
    if (toMember === undefined) return;
    const seen = new Set<bigint>();
    for (let link = head; ; ) {
      const next = this.#attempt(() => this.#kernel.memory.u64(link));
      if (next === undefined || next === head) return;
      if (seen.has(next) || seen.size >= maxTasks) {
        this.problems.push(
          new DumpError('corrupt', `the list ${member} runs in a circle`, {
            where: { virtual: next },
          }),
        );
        return;
      }
      seen.add(next);
      yield this.#kernel.object('struct task_struct', next - toMember);
      link = next;
    }
  }

  #attempt<T>(read: () => T): T | undefined {
    return attempt(read, (problem) => this.problems.push(problem));
  }
}

/** The idle task of a CPU; not on any list. */
function idleTask(kernel: TaskKernel, cpu: number): KernelObject {
  return follow(runQueue(kernel, cpu), 'idle');
}

/** The task that a CPU was running. */
export function currentTask(kernel: TaskKernel, cpu: number): KernelObject {
  return follow(runQueue(kernel, cpu), 'curr');
}

function runQueue(kernel: TaskKernel, cpu: number): KernelObject {
  return kernel.object('struct rq', kernel.perCpu('runqueues', cpu));
}

/** Bits of task->__state and task->exit_state, include/linux/sched.h since v4.14. */
const TASK_INTERRUPTIBLE = 0x1;
const TASK_UNINTERRUPTIBLE = 0x2;
const __TASK_STOPPED = 0x4;
const __TASK_TRACED = 0x8;
const EXIT_DEAD = 0x10;
const EXIT_ZOMBIE = 0x20;
const TASK_PARKED = 0x40;
const TASK_DEAD = 0x80;
const TASK_WAKING = 0x200;
const TASK_NOLOAD = 0x400;
const TASK_NEW = 0x800;
/** Waits for a lock on a PREEMPT_RT kernel; v5.15 and later. */
const TASK_RTLOCK_WAIT = 0x1000;
/** Since v6.1 (f5d39b020809 "freezer,sched: Rewrite core freezer logic"). */
const TASK_FROZEN = 0x8000;

/** crash's two letters: RU running or runnable, IN, UN, ID, ST, TR, ZO, DE, PA, WA, NE. */
export function taskState(task: KernelObject): string {
  const state = rawState(task);
  const exitState = task.exit_state as number;
  if ((exitState & EXIT_DEAD) !== 0) return 'DE';
  if ((exitState & EXIT_ZOMBIE) !== 0) return 'ZO';
  if (state === 0) return 'RU';
  if ((state & TASK_UNINTERRUPTIBLE) !== 0) return (state & TASK_NOLOAD) !== 0 ? 'ID' : 'UN';
  if ((state & TASK_INTERRUPTIBLE) !== 0) return 'IN';
  if ((state & __TASK_STOPPED) !== 0) return 'ST';
  if ((state & __TASK_TRACED) !== 0) return 'TR';
  if ((state & TASK_DEAD) !== 0) return 'DE';
  if ((state & TASK_PARKED) !== 0) return 'PA';
  if ((state & TASK_WAKING) !== 0) return 'WA';
  if ((state & TASK_NEW) !== 0) return 'NE';
  // The kernel's own ps shows both as D: __task_state_index().
  if ((state & (TASK_RTLOCK_WAIT | TASK_FROZEN)) !== 0) return 'UN';
  return '??';
}

function rawState(task: KernelObject): number {
  // Since v5.14 (2f064a59a11f "sched: Change task_struct::state") an unsigned int called __state.
  return hasMember(task, '__state') ? task.__state : Number(task.state);
}

/** The process that gets its SIGCHLD: what ps shows as PPID. */
export function parentOf(task: KernelObject): KernelObject {
  return follow(task, 'parent');
}

/** The CPU that a task runs or last ran on. */
export function taskCpu(task: KernelObject): number {
  // Since v5.16 (bcf9033e5449 "sched: move CPU field back into thread_info"); before that, with
  // CONFIG_THREAD_INFO_IN_TASK, in the task itself.
  if (hasMember(task, 'thread_info.cpu')) return task.thread_info.cpu;
  return task.cpu;
}

/** Where the thread_info of a task lies. */
export function threadInfoAddress(task: KernelObject): bigint {
  // Since v4.9 (15f4eae70d36 "x86: Move thread_info into task_struct"); before, below the stack.
  return hasMember(task, 'thread_info') ? memberAddress(task, 'thread_info') : task.stack;
}

/** PF_KTHREAD: a kernel thread. Idle tasks have it too. */
const PF_KTHREAD = 0x0020_0000;

export function isKernelThread(task: KernelObject): boolean {
  return ((task.flags as number) & PF_KTHREAD) !== 0;
}
