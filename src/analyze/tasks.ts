/** The tasks that `ps` and `bt` speak of: one entry each, in crash's order, chosen by its words. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject } from '../linux/objects.ts';
import { currentTask, isKernelThread, taskCpu, taskState } from '../linux/tasks.ts';
import type { Json, Missing } from './command.ts';

export interface TaskEntry {
  readonly view: KernelObject;
  readonly address: bigint;
  readonly pid: number;
  readonly tgid: number;
  readonly cpu: number;
  readonly comm: string;
  readonly state: string;
  readonly kernelThread: boolean;
  /** A CPU was running it. */
  readonly active: boolean;
}

export interface Tasks {
  /** By PID; idle tasks by CPU. */
  readonly entries: readonly TaskEntry[];
  /** Tasks that are known to exist and cannot be read, and lists that break off. */
  readonly missing: readonly Missing[];
  readonly errors: readonly DumpError[];
}

/** Throws where not a single task can be read. */
export function listTasks(kernel: Kernel): Tasks {
  const { active, errors } = activeTasks(kernel);
  const entries: TaskEntry[] = [];
  const unreadable: DumpError[] = [];
  const list = kernel.tasks();
  for (const view of list) {
    try {
      entries.push(entryOf(view, active));
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      unreadable.push(error);
    }
  }
  const all = [...errors, ...unreadable, ...list.problems];
  if (entries.length === 0 && all.length > 0) throw all[0]!;
  entries.sort((a, b) => a.pid - b.pid || a.cpu - b.cpu);
  const missing: Missing[] = [];
  const [first] = unreadable;
  if (first !== undefined) {
    missing.push({ what: 'tasks', count: unreadable.length, why: first.message });
  }
  for (const { message } of list.problems) {
    missing.push({ what: 'tasks', count: null, why: message });
  }
  return { entries, missing, errors: all };
}

/** By tgid: all threads of a process, the first one among them. */
export function threadGroups(
  entries: readonly TaskEntry[],
): ReadonlyMap<number, readonly KernelObject[]> {
  const groups = new Map<number, KernelObject[]>();
  for (const { tgid, view } of entries) {
    const group = groups.get(tgid);
    if (group === undefined) groups.set(tgid, [view]);
    else group.push(view);
  }
  return groups;
}

/** Gives single tasks by the addresses of their task_structs. Throws where one cannot be read. */
export function taskReader(kernel: Kernel): (address: bigint) => TaskEntry {
  const { active } = activeTasks(kernel);
  return (address) => entryOf(kernel.object('struct task_struct', address), active);
}

function entryOf(view: KernelObject, active: ReadonlySet<bigint>): TaskEntry {
  const address = addressOf(view);
  return {
    view,
    address,
    pid: view.pid,
    tgid: view.tgid,
    cpu: taskCpu(view),
    comm: view.comm,
    state: taskState(view),
    kernelThread: isKernelThread(view),
    active: active.has(address),
  };
}

interface ActiveTasks {
  /** By the addresses of their task_structs. */
  readonly active: ReadonlySet<bigint>;
  readonly errors: readonly DumpError[];
}

/** Asked for again by each task of a `foreach`: a read of each CPU's run queue. */
const activeOf = new WeakMap<Kernel, ActiveTasks>();

function activeTasks(kernel: Kernel): ActiveTasks {
  let known = activeOf.get(kernel);
  if (known === undefined) {
    known = readActiveTasks(kernel);
    activeOf.set(kernel, known);
  }
  return known;
}

function readActiveTasks(kernel: Kernel): ActiveTasks {
  const active = new Set<bigint>();
  const errors: DumpError[] = [];
  for (const cpu of kernel.cpus) {
    try {
      active.add(addressOf(currentTask(kernel, cpu)));
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      errors.push(error);
    }
  }
  return { active, errors };
}

/**
 * The tasks that the words name, each word a PID, a hexadecimal task_struct address, a command name
 * or a regular expression for those, in this order of trial. Throws `absent` for a word that names
 * none.
 */
export function selectTasks(tasks: Tasks, words: readonly string[]): TaskEntry[] {
  const chosen = new Set<TaskEntry>();
  for (const word of words) {
    const found = named(tasks.entries, word);
    if (found.length === 0) throw noSuchTask(tasks, word);
    for (const entry of found) chosen.add(entry);
  }
  return [...chosen];
}

function named(entries: readonly TaskEntry[], word: string): TaskEntry[] {
  const ways: ((entry: TaskEntry) => boolean)[] = [];
  if (/^\d+$/.test(word)) ways.push((entry) => entry.pid === Number(word));
  if (/^(0x)?[0-9a-f]{1,16}$/i.test(word)) {
    const address = BigInt(`0x${word.replace(/^0x/i, '')}`);
    ways.push((entry) => entry.address === address);
  }
  // As in crash, a backslash makes a command name of what looks like a number.
  const name = word.replace(/^\\/, '');
  ways.push((entry) => entry.comm === name);
  const pattern = patternOf(name);
  if (pattern !== undefined) ways.push(({ comm }) => pattern.test(comm));
  for (const way of ways) {
    const found = entries.filter(way);
    if (found.length > 0) return found;
  }
  return [];
}

/** A command name with signs in it that no name has is a regular expression. */
function patternOf(word: string): RegExp | undefined {
  if (!/[*+?^$|[\]()]/.test(word)) return undefined;
  try {
    return new RegExp(word);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DumpError('usage', `"${word}" is no regular expression: ${why}`);
  }
}

function noSuchTask(tasks: Tasks, word: string): DumpError {
  const unread = tasks.missing.length > 0 ? ' among those that can be read' : '';
  const alike = new Set(tasks.entries.map(({ comm }) => comm).filter((comm) => isPart(comm, word)));
  return new DumpError('absent', `no task has the PID, address or name "${word}"${unread}`, {
    hint:
      alike.size === 0 ? '`ps` lists the tasks' : `there is ${[...alike].slice(0, 5).join(', ')}`,
  });
}

function isPart(comm: string, word: string): boolean {
  return comm.startsWith(word) || (comm !== '' && word.startsWith(comm));
}

/** `PID: 169      TASK: ffff88bd02a7c180  CPU: 1    COMMAND: "insmod"`. */
export function taskHeader({ pid, address, cpu, comm }: TaskEntry): string {
  const [id, on] = [String(pid).padEnd(7), String(cpu).padEnd(3)];
  return `PID: ${id}  TASK: ${hex16(address)}  CPU: ${on}  COMMAND: "${printable(comm)}"`;
}

export function taskJson({ pid, address, cpu, comm }: TaskEntry): { readonly [key: string]: Json } {
  return { pid, task: jsonAddress(address), cpu, comm };
}
