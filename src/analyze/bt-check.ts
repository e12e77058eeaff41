/** `bt -v` and `bt -E`: what can be found out about stacks without unwinding them. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { SavedRegisters } from '../linux/saved-registers.ts';
import { StackTable } from '../linux/stacks.ts';
import { threadInfoAddress } from '../linux/tasks.ts';
import { savedJson } from './bt-json.ts';
import { exceptionFrames, wordsBetween } from './bt-stack.ts';
import { exceptionFrameLines } from './bt-text.ts';
import type { Answer, Options } from './command.ts';
import { cpusNamed } from './cpu-list.ts';
import { Gaps } from './gaps.ts';
import { listTasks, type TaskEntry, taskHeader, taskJson } from './tasks.ts';

/** STACK_END_MAGIC, include/uapi/linux/magic.h: the last word of each stack of a task. */
const stackEndMagic = 0x57ac_6e9dn;

interface Suspect {
  readonly entry: TaskEntry;
  readonly signs: readonly string[];
}

/** `-v`: signs that a task has written beyond the end of its stack. */
export function checkStacks(kernel: Kernel, words: readonly string[]): Answer {
  if (words.length > 0) throw new DumpError('usage', '--overflow checks every task');
  const gaps = new Gaps();
  const stacks = new StackTable(kernel);
  const { entries, missing, errors } = listTasks(kernel);
  let checked = 0;
  const suspects = entries.flatMap((entry): Suspect[] => {
    const signs = gaps.attempt('stacks', () => signsOf(kernel, stacks, entry));
    if (signs !== undefined) checked++;
    return signs === undefined || signs.length === 0 ? [] : [{ entry, signs }];
  });
  return {
    json: () => ({
      stacks: suspects.map(({ entry, signs }) => ({ ...taskJson(entry), overflow: [...signs] })),
    }),
    *text() {
      for (const { entry, signs } of suspects) {
        yield taskHeader(entry);
        for (const sign of signs) yield `  possible stack overflow: ${sign}`;
      }
      if (suspects.length > 0) return;
      const part = checked === entries.length ? '' : ` on the ${checked} stacks that could be read`;
      yield `No stack overflows detected${part}`;
    },
    counted: plural(entries.length, 'task'),
    missing: [...missing, ...gaps.missing],
    errors: [...errors, ...gaps.errors],
  };
}

function signsOf(kernel: Kernel, stacks: StackTable, { view, address, cpu }: TaskEntry): string[] {
  const { memory, types } = kernel;
  const stack = stacks.ofTask(address);
  if (stack === undefined) return [];
  const info = threadInfoAddress(view);
  const signs: string[] = [];
  // Up to v4.8 thread_info lies at the end of the stack and is overwritten first.
  const isOnStack = info === stack.start;
  if (isOnStack && types.hasMember('struct thread_info', 'task')) {
    const owner = memory.u64(info + BigInt(types.offsetOf('struct thread_info', 'task')));
    if (owner !== address) signs.push(`thread_info.task: ${hex(owner)} != ${hex(address)}`);
  }
  if (!kernel.cpus.includes(cpu)) {
    signs.push(`thread_info.cpu: ${cpu} >= ${Math.max(...kernel.cpus) + 1}`);
  }
  const size = isOnStack ? BigInt(types.sizeOf('struct thread_info')) : 0n;
  const magic = memory.u64(stack.start + size);
  if (magic !== stackEndMagic) signs.push(`${hex(magic)} != STACK_END_MAGIC`);
  return signs;
}

function hex(value: bigint): string {
  return value.toString(16);
}

interface CpuStack {
  readonly cpu: number;
  readonly name: string;
  readonly found: readonly SavedRegisters[];
  /** Not one word of it is in the dump. */
  readonly isLost: boolean;
}

/** `-E`: exception frames on the stacks that CPUs have for interrupts and exceptions. */
export function searchCpuStacks(
  kernel: Kernel,
  words: readonly string[],
  { cpus }: Options,
): Answer {
  if (words.length > 0) throw new DumpError('usage', '--cpu-stacks takes no task');
  const wanted = typeof cpus === 'string' ? cpusNamed(kernel, cpus) : kernel.cpus;
  const table = new StackTable(kernel);
  const all = wanted.flatMap((cpu) => table.ofCpu(cpu).map((stack) => ({ cpu, stack })));
  const kinds = ['irq', 'exception'] as const;
  const stacks = kinds.flatMap((kind) => all.filter(({ stack }) => stack.kind === kind));
  let lost = 0;
  const searched = stacks.map(({ cpu, stack }): CpuStack => {
    const found = wordsBetween(kernel, stack.start, stack.end);
    lost += found.filter(({ value }) => value === undefined).length;
    const isLost = found.every(({ value }) => value === undefined);
    return { cpu, name: stack.name, found: exceptionFrames(kernel, found), isLost };
  });
  return {
    json: () => ({
      stacks: [],
      cpuStacks: searched.map(({ cpu, name, found }) => ({
        ...{ cpu, name },
        exceptions: found.map((saved) => savedJson(kernel, saved)),
      })),
    }),
    *text() {
      for (const [index, { cpu, name, found, isLost }] of searched.entries()) {
        if (index > 0) yield '';
        yield `CPU ${cpu} ${name.toUpperCase()}:`;
        if (isLost) yield '(not in the dump)';
        else yield* exceptionFrameLines(kernel, found);
      }
    },
    counted: plural(searched.length, 'stack'),
    missing:
      lost === 0
        ? []
        : [{ what: 'stack words', count: lost, why: 'not in the dump, or not mapped' }],
  };
}
