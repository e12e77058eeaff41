/** `ps`: tasks in crash's columns, with crash's options. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { type MemoryUse, memoryUse } from '../linux/processes.ts';
import { presentPages } from '../linux/system.ts';
import { parentOf } from '../linux/tasks.ts';
import { centered } from './columns.ts';
import { type Answer, atMostOne, type Json, type Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { wantedTasks } from './ps-choice.ts';
import { detailsOf } from './ps-details.ts';
import { listTasks, selectTasks, type TaskEntry, type Tasks, threadGroups } from './tasks.ts';

/** undefined: not in the dump. */
interface Row {
  readonly entry: TaskEntry;
  readonly ppid: number | undefined;
  readonly memory: MemoryUse | undefined;
  readonly memoryPercent: number | undefined;
}

/** What a kernel thread uses. */
const noMemory: MemoryUse = { virtualBytes: 0, residentBytes: 0 };

export const run: Run = (kernel, words, options, { task, about }) => {
  atMostOne(options, [
    ...['parents', 'children', 'times', 'arguments', 'last', 'ago', 'threads', 'limits'],
    ...['summary', 'active'],
  ]);
  atMostOne(options, ['user', 'kernel']);
  if (options.cpus !== undefined && options.last === undefined && options.ago === undefined) {
    throw new DumpError('usage', '--cpus goes with --last or --ago', { hint: 'ps -l -C 0,1' });
  }
  const tasks = listTasks(kernel);
  const all = tasks.entries.filter(({ address }) => about === undefined || address === task);
  const named = words.length === 0 ? all : selectTasks(tasks, words);
  const gaps = new Gaps();
  const wanted = named.filter(wantedTasks(options));
  const { entries, detailOf } = detailsOf(kernel, tasks, wanted, options, gaps);
  if (options.summary === true) return summary(tasks, entries);
  const rows = rowsOf(kernel, tasks, entries, gaps);
  const details = detailOf === undefined ? undefined : entries.map(detailOf);
  const column = options.stack === true ? 'KSTACKP' : 'TASK';
  return {
    json: () => ({
      tasks: rows.map((row, index) => ({
        ...rowJson(row),
        ...(column === 'KSTACKP' ? stackJson(row.entry) : {}),
        ...details?.[index]?.json,
      })),
    }),
    *text() {
      if (details === undefined) yield* table(rows, column);
      else for (const { lines } of details) yield* lines;
    },
    counted: plural(entries.length, 'task'),
    missing: [...tasks.missing, ...gaps.missing],
    errors: [...tasks.errors, ...gaps.errors],
  };
};

/** `-S`: how many tasks are in each state. */
function summary(tasks: Tasks, entries: readonly TaskEntry[]): Answer {
  const counts = new Map<string, number>();
  for (const { state } of entries) counts.set(state, (counts.get(state) ?? 0) + 1);
  return {
    json: () => ({ tasks: [], states: Object.fromEntries(counts) }),
    *text() {
      for (const [state, count] of counts) yield `  ${state}: ${count}`;
    },
    counted: plural(entries.length, 'task'),
    missing: tasks.missing,
    errors: tasks.errors,
  };
}

function rowsOf(kernel: Kernel, tasks: Tasks, entries: readonly TaskEntry[], gaps: Gaps): Row[] {
  const groups = threadGroups(tasks.entries);
  const memoryBytes = gaps.attempt('size of memory', () => topOfMemory(kernel));
  const uses = new Map<number, MemoryUse | undefined>();
  // Threads share theirs, and it is summed over all of them: once is enough.
  const useOf = ({ view, tgid }: TaskEntry): MemoryUse => {
    if (view.mm === null) return noMemory;
    if (!uses.has(tgid)) uses.set(tgid, memoryUse(kernel, view, groups.get(tgid) ?? []));
    return uses.get(tgid) ?? noMemory;
  };
  return entries.map((entry) => {
    const memory = gaps.attempt('memory sizes', () => useOf(entry));
    const isKnown = memory !== undefined && memoryBytes !== undefined;
    return {
      entry,
      ppid: gaps.attempt('parents', () => parentOf(entry.view).pid as number),
      memory,
      memoryPercent: isKnown ? (memory.residentBytes * 100) / memoryBytes : undefined,
    };
  });
}

/**
 * What 100 %MEM is: everything below the end of memory, holes included, as crash counts it. Where
 * the kernel has no high_memory, the pages that it manages.
 */
function topOfMemory(kernel: Kernel): number {
  const end = kernel.symbols.inKernel('high_memory');
  if (end === undefined) return presentPages(kernel) * kernel.dump.pageSize;
  return Number(kernel.memory.u64(end.address) - kernel.pageOffset);
}

/** crash's columns; what the dump does not hold is a question mark, never a zero. */
function* table(rows: readonly Row[], column: 'TASK' | 'KSTACKP'): Generator<string> {
  const title = column === 'TASK' ? '      TASK      ' : '     KSTACKP    ';
  yield `      PID    PPID  CPU ${title}  ST  %MEM      VSZ      RSS  COMM`;
  const size = (bytes: number | undefined): string =>
    (bytes === undefined ? '?' : String(bytes / 1024)).padStart(8);
  for (const { entry, ppid, memory, memoryPercent } of rows) {
    const comm = printable(entry.comm);
    const columns = [
      entry.active ? '>' : ' ',
      String(entry.pid).padStart(7),
      String(ppid ?? '?').padStart(7),
      String(entry.cpu).padStart(3),
      '',
      column === 'KSTACKP' ? stackText(entry) : hex16(entry.address),
      entry.state.padStart(3),
      (memoryPercent?.toFixed(1) ?? '?').padStart(5),
      size(memory?.virtualBytes),
      size(memory?.residentBytes),
      '',
      entry.kernelThread ? `[${comm}]` : comm,
    ];
    yield columns.join(' ');
  }
}

/** Where the task was when it left the CPU; of one that runs it says nothing any more. */
function stackPointerOf({ view, active }: TaskEntry): bigint | undefined {
  return active ? undefined : view.thread.sp;
}

function stackText(entry: TaskEntry): string {
  const pointer = stackPointerOf(entry);
  return pointer === undefined ? centered('--', 16) : hex16(pointer);
}

function stackJson(entry: TaskEntry): { readonly stackPointer: Json } {
  const pointer = stackPointerOf(entry);
  return { stackPointer: pointer === undefined ? null : jsonAddress(pointer) };
}

function rowJson({ entry, ppid, memory, memoryPercent }: Row): { readonly [key: string]: Json } {
  return {
    pid: entry.pid,
    tgid: entry.tgid,
    ppid: ppid ?? null,
    cpu: entry.cpu,
    task: jsonAddress(entry.address),
    state: entry.state,
    active: entry.active,
    kernelThread: entry.kernelThread,
    memoryPercent: memoryPercent === undefined ? null : Number(memoryPercent.toFixed(3)),
    vszKb: memory === undefined ? null : memory.virtualBytes / 1024,
    rssKb: memory === undefined ? null : memory.residentBytes / 1024,
    comm: entry.comm,
  };
}
