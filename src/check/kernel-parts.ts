/**
 * A dump in the terms of its kernel: what of each kind of object can be read, what is lost, and
 * why. Of what a lost object would have led to nobody knows: that is said in `remark`.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Dump, PageRun } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { readLog } from '../linux/log.ts';
import { addressOf, follow } from '../linux/objects.ts';
import { pageLayout } from '../linux/page-layout.ts';
import { basePageSize } from '../linux/paging.ts';
import { StackTable } from '../linux/stacks.ts';
import { areaPages, imagePart, perCpuPart } from './image-parts.ts';
import { TableWalk } from './page-tables.ts';
import { type ClassOf, type Reason, Reasons } from './reasons.ts';

/** In the order in which an analysis needs them. */
export const partNames = [
  'kernel page tables',
  'symbols',
  'types',
  'unwind table pages',
  'log records',
  'tasks',
  'kernel stacks',
  'process page tables',
  'modules',
  'kernel text pages',
  'kernel data pages',
  'variables',
  'per-CPU areas',
  'struct page pages',
] as const;
export type PartName = (typeof partNames)[number];

export interface KernelPart {
  readonly name: PartName;
  readonly readable: number;
  /** undefined: nobody can know how many. */
  readonly lost: number | undefined;
  readonly why: readonly Reason[];
  /** What more is to be known: that a list is broken, which ones are lost. */
  readonly remark: string | undefined;
}

/** What the parts are made of. */
export interface PartsInput {
  readonly dump: Dump;
  readonly kernel: Kernel;
  /** Pages that the dump knows of. */
  readonly runs: readonly PageRun[];
  readonly classOf: ClassOf;
}

type Counted = Omit<KernelPart, 'name' | 'why'>;
type Count = (input: PartsInput, reasons: Reasons) => Counted;

const counters: Readonly<Record<PartName, Count>> = {
  'kernel page tables': kernelTables,
  symbols,
  types,
  'unwind table pages': (input, reasons) =>
    areas(input, reasons, [
      ['__start_orc_unwind_ip', '__stop_orc_unwind_ip'],
      ['__start_orc_unwind', '__stop_orc_unwind'],
    ]),
  'log records': log,
  tasks,
  'kernel stacks': stacks,
  'process page tables': processTables,
  modules,
  'kernel text pages': (input, reasons) => areas(input, reasons, [['_stext', '_etext']]),
  'kernel data pages': (input, reasons) =>
    areas(input, reasons, [
      ['__start_rodata', '__end_rodata'],
      ['_sdata', '_edata'],
      ...bssOf(input.kernel),
    ]),
  variables: ({ kernel }, reasons) => imagePart(kernel, reasons),
  'per-CPU areas': ({ kernel }, reasons) => perCpuPart(kernel, reasons),
  'struct page pages': structPages,
};

/** Each part that the kernel has. */
export function kernelParts(input: PartsInput): KernelPart[] {
  return partNames.map((name) => {
    const reasons = new Reasons(input.classOf);
    const counted = reasons.attempt(() => counters[name](input, reasons));
    return { name, ...(counted ?? nothing), why: reasons.list };
  });
}

const nothing: Counted = { readable: 0, lost: undefined, remark: undefined };

function kernelTables({ kernel }: PartsInput, reasons: Reasons): Counted {
  const walk = new TableWalk(kernel.physical, (error) => reasons.add(error));
  walk.walk(kernel.memory.root, 'kernel');
  return { readable: walk.readable, lost: walk.lost, remark: undefined };
}

function symbols({ kernel }: PartsInput, reasons: Reasons): Counted {
  const { count, lost } = kernel.tables.kallsyms;
  const gone = Math.min(count, lost.names + lost.addresses);
  if (lost.problem !== undefined) reasons.add(lost.problem, gone);
  return { readable: count - gone, lost: gone, remark: undefined };
}

function types({ kernel }: PartsInput, reasons: Reasons): Counted {
  const { btf } = kernel.tables;
  const { lost } = btf;
  const gone = lost === undefined ? 0 : lost.types;
  if (lost !== undefined) reasons.add(lost.problem, gone ?? 1);
  const readable = btf.endId - btf.firstId - (gone ?? 0);
  return { readable, lost: gone, remark: undefined };
}

type Bounds = readonly (readonly [start: string, end: string])[];

/** What memory encryption would have needed of it was freed: mem_encrypt_free_decrypted_mem(). */
function bssOf({ symbols }: Kernel): Bounds {
  const [unused, end] = ['__start_bss_decrypted_unused', '__end_bss_decrypted'] as const;
  if (symbols.inKernel(unused) === undefined) return [['__bss_start', '__bss_stop']];
  return [
    ['__bss_start', unused],
    [end, '__bss_stop'],
  ];
}

function areas({ kernel }: PartsInput, reasons: Reasons, bounds: Bounds): Counted {
  let readable = 0;
  let lost = 0;
  for (const [from, to] of bounds) {
    const start = kernel.symbols.inKernel(from)?.address;
    const end = kernel.symbols.inKernel(to)?.address;
    if (start === undefined || end === undefined || end <= start) continue;
    const pages = areaPages(kernel.memory, start, end, reasons);
    readable += pages.readable;
    lost += pages.lost;
  }
  return { readable, lost, remark: undefined };
}

function log({ kernel }: PartsInput, reasons: Reasons): Counted {
  const { records, missing, overwritten } = readLog(kernel);
  for (const { what, count, why } of missing) reasons.say(`${what}: ${why}`, count);
  const lost = missing.reduce((sum, { count }) => sum + count, 0);
  const older = `${overwritten} older ones had been overwritten by newer ones`;
  return { readable: records.length, lost, remark: overwritten > 0 ? older : undefined };
}

function tasks({ kernel }: PartsInput, reasons: Reasons): Counted {
  const list = kernel.tasks();
  const size = kernel.types.sizeOf('struct task_struct');
  let readable = 0;
  let lost = 0;
  for (const task of list) {
    const bytes = reasons.attempt(() => kernel.memory.read(addressOf(task), size));
    if (bytes === undefined) lost++;
    else readable++;
  }
  const [problem] = list.problems;
  const broken = problem && `lists of tasks are broken, there may be more: ${problem.message}`;
  return { readable, lost: readable + lost === 0 ? undefined : lost, remark: broken };
}

function stacks({ kernel }: PartsInput, reasons: Reasons): Counted {
  const table = new StackTable(kernel);
  let readable = 0;
  let lost = 0;
  for (const task of kernel.tasks()) {
    const whole = reasons.attempt(() => {
      const stack = table.ofTask(addressOf(task));
      if (stack === undefined) return 'none';
      kernel.memory.read(stack.start, Number(stack.end - stack.start));
      return 'whole';
    });
    if (whole === 'whole') readable++;
    else if (whole === undefined) lost++;
  }
  // No kernel is without tasks: then nobody knows how many.
  return { readable, lost: readable + lost === 0 ? undefined : lost, remark: undefined };
}

function processTables({ kernel }: PartsInput, reasons: Reasons): Counted {
  const seen = new Set<bigint>();
  const walk = new TableWalk(kernel.physical, (error) => reasons.add(error));
  let known = 0;
  for (const task of kernel.tasks()) {
    known++;
    reasons.attempt(() => {
      if (task.mm === null) return;
      const mm = addressOf(follow(task, 'mm'));
      if (seen.has(mm)) return;
      seen.add(mm);
      const { pgd } = kernel.object('struct mm_struct', mm);
      walk.walk(kernel.addressSpace(addressOf(pgd)).root, 'process');
    });
  }
  return { readable: walk.readable, lost: known === 0 ? undefined : walk.lost, remark: undefined };
}

function modules({ kernel }: PartsInput, reasons: Reasons): Counted {
  const { modules: all, problem } = kernel.modules;
  const names: string[] = [];
  for (const { name, ranges } of all) {
    const lost = ranges
      .map(({ start, end }) => areaPages(kernel.memory, start, end, reasons).lost)
      .reduce((sum, pages) => sum + pages, 0);
    if (lost > 0) names.push(name);
  }
  const broken = problem && `their list is broken, there may be more: ${problem.message}`;
  const partly = names.length > 0 ? `not all of ${listed(names)}` : undefined;
  const remark = [broken, partly].filter((each) => each !== undefined).join('; ');
  const isUnknown = problem !== undefined && names.length === 0;
  const lost = isUnknown ? undefined : names.length;
  return { readable: all.length - names.length, lost, remark: remark || undefined };
}

/** The pages of the array of struct pages, for all memory that the dump knows of. */
function structPages({ dump, kernel, runs }: PartsInput, reasons: Reasons): Counted {
  const { vmemmap, size } = pageLayout(kernel);
  let readable = 0;
  let lost = 0;
  let last = -1n;
  for (const { first, end } of runs) {
    const from = (vmemmap + BigInt(first) * BigInt(size)) / BigInt(basePageSize);
    const to = (vmemmap + BigInt(end) * BigInt(size) - 1n) / BigInt(basePageSize);
    for (let page = from > last ? from : last + 1n; page <= to; page++) {
      const state = structPageState(dump, kernel, page * BigInt(basePageSize), reasons);
      if (state === 'there') readable++;
      else if (state === 'lost') lost++;
      last = page;
    }
  }
  return { readable, lost, remark: undefined };
}

/** By the index alone: of a large machine these are gigabytes. */
function structPageState(
  dump: Dump,
  kernel: Kernel,
  virtual: bigint,
  reasons: Reasons,
): 'there' | 'lost' | 'none' {
  try {
    const pfn = Number(kernel.memory.physicalOf(virtual) / BigInt(dump.pageSize));
    const state = dump.state(pfn);
    if (state === 'stored' || state === 'zero') return 'there';
    const { problem } = dump.readPage(pfn);
    if (problem !== undefined) reasons.add(problem);
    else reasons.say(state === 'excluded' ? 'left out by the filter' : 'its page is missing');
    return 'lost';
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    // Firmware and the like: the kernel has no struct pages of what it does not manage.
    if (error.where.pfn === undefined) return 'none';
    reasons.add(error);
    return 'lost';
  }
}

const namesShown = 5;

/** `a, b, c and 4 more`. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(', ');
  const more = names.length - namesShown;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
