/** `vm`: the address space of tasks: its sizes, its mappings, its pages. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject, memberAddress } from '../linux/objects.ts';
import { type MemoryUse, spaceUse } from '../linux/processes.ts';
import { mappingFlagNames, vmasOf } from '../linux/vma.ts';
import { centered, hex } from './columns.ts';
import { type Answer, atMostOne, type Json, type Options, type Run } from './command.ts';
import { contextTasks } from './context.ts';
import { Gaps } from './gaps.ts';
import { hexNumber } from './numbers.ts';
import { listTasks, type TaskEntry, taskHeader, taskJson, threadGroups } from './tasks.ts';
import { type Extent, pageJson, pageLines, pagesOf, type UserPage } from './vm-pages.ts';
import { type Reference, referenceOf, referredTo } from './vm-reference.ts';
import { structsOf } from './vm-structs.ts';
import { type VmaRow, vmaJson, vmaLine, vmaRow, vmaTitle } from './vma-text.ts';

interface Space {
  readonly entry: TaskEntry;
  /** undefined: a thread of the kernel. */
  readonly mm: { readonly address: bigint; readonly pgd: bigint } | undefined;
  readonly use: MemoryUse | undefined;
  readonly rows: readonly VmaRow[];
  readonly pages: ReadonlyMap<VmaRow, readonly UserPage[]> | undefined;
  /** Of the space itself nothing was asked. */
  readonly isOneMapping: boolean;
}

/** What of each address space is wanted. */
interface Wanted {
  readonly options: Options;
  /** `-P`: the mapping whose struct lies there. */
  readonly vma: bigint | undefined;
  /** `-M`: in place of the mm_struct that the task has. */
  readonly mm: bigint | undefined;
  readonly reference: Reference | undefined;
}

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['pages', 'mm', 'vmas', 'flags', 'vma', 'reference']);
  if (options.mm === true) return structsOf(kernel, words, { options, context, which: 'mm' });
  if (options.vmas === true) return structsOf(kernel, words, { options, context, which: 'vmas' });
  if (typeof options.flags === 'string') return flagsOf(kernel, options.flags, words);
  const gaps = new Gaps();
  const groups = threadGroups(listTasks(kernel).entries);
  const address = (name: string): bigint | undefined =>
    typeof options[name] === 'string' ? hexNumber(options[name]) : undefined;
  const wanted: Wanted = {
    options,
    vma: address('vma'),
    mm: address('lost'),
    reference: typeof options.reference === 'string' ? referenceOf(options.reference) : undefined,
  };
  const spaces = contextTasks(kernel, context, words).flatMap((entry) => {
    return spaceOf(kernel, entry, groups.get(entry.tgid) ?? [], wanted, gaps) ?? [];
  });
  const count = spaces.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    json: () => ({ tasks: spaces.map(spaceJson) }),
    *text() {
      let isFirst = true;
      for (const space of spaces) {
        if (!isFirst) yield '';
        isFirst = false;
        yield* lines(kernel, space);
      }
    },
    counted: plural(count, 'mapping'),
    passesOver: wanted.reference !== undefined && spaces.length === 0,
    missing: gaps.missing,
    errors: gaps.errors,
  };
};

/** Undefined where a reference is wanted, and there is none. */
function spaceOf(
  kernel: Kernel,
  entry: TaskEntry,
  threads: readonly KernelObject[],
  wanted: Wanted,
  gaps: Gaps,
): Space | undefined {
  const { options, reference, vma } = wanted;
  const isOneMapping = vma !== undefined;
  const mm =
    wanted.mm === undefined
      ? (entry.view.mm as KernelObject | null)
      : kernel.object('struct mm_struct', wanted.mm);
  if (mm === null) {
    if (reference !== undefined || isOneMapping) return undefined;
    const nothing = { mm: undefined, use: undefined, rows: [], pages: undefined };
    return { entry, ...nothing, isOneMapping };
  }
  const pgd = kernel.memory.u64(memberAddress(mm, 'pgd'));
  const walked = vmasOf(kernel, mm);
  for (const problem of walked.problems) gaps.add('mappings', problem);
  const all = walked.vmas.flatMap((view) => {
    return gaps.attempt('mappings', () => vmaRow(kernel, view, gaps)) ?? [];
  });
  const place = { address: addressOf(mm), pgd };
  const referred = reference === undefined ? undefined : referredTo(reference, place, all);
  if (reference !== undefined && referred === undefined) return undefined;
  const rows = referred?.rows ?? all.filter(({ address }) => !isOneMapping || address === vma);
  if (isOneMapping && rows.length === 0) throw noSuchMapping(entry, vma);
  // A task adds what it still keeps for itself when it gives its mm back.
  const keepers = wanted.mm === undefined ? threads : [];
  const use = gaps.attempt('memory sizes', () => spaceUse(kernel, mm, keepers));
  const isPaged = options.pages === true || isOneMapping;
  const extents = isPaged
    ? new Map<VmaRow, Extent>(rows.map((row) => [row, row]))
    : referred?.pages;
  const pages = extents === undefined ? undefined : pagesOf(kernel, pgd, extents, gaps);
  return { entry, mm: place, use, rows, pages, isOneMapping };
}

function noSuchMapping({ pid }: TaskEntry, vma: bigint): DumpError {
  return new DumpError('absent', `the task ${pid} has no mapping ${hex16(vma)}`, {
    hint: `\`vm ${pid}\` lists them`,
  });
}

/** `75: (READ|EXEC|...)`, in the names that this kernel has for its flags; the rest in bits. */
function flagsOf(kernel: Kernel, word: string, words: readonly string[]): Answer {
  if (words.length > 0) throw new DumpError('usage', '--flags takes one value and no task');
  const value = hexNumber(word);
  const known = mappingFlagNames(kernel).filter(({ mask }) => (value & mask) !== 0n);
  const names = known.map(({ name }) => name.toUpperCase());
  const rest = known.reduce((bits, { mask }) => bits & ~mask, value);
  if (rest !== 0n) names.push(`0x${hex(rest)}`);
  return {
    json: () => ({ tasks: [], flags: { value: jsonAddress(value), names } }),
    *text() {
      yield `${hex(value)}: (${names.join('|')})`;
    },
    missing: [],
  };
}

function* lines(kernel: Kernel, space: Space): Generator<string> {
  const { entry, rows, pages, isOneMapping } = space;
  yield taskHeader(entry);
  if (!isOneMapping) yield* sizeLines(space);
  const isTable = pages === undefined || pages.size === 0;
  if (isTable && rows.length > 0) yield vmaTitle;
  for (const row of rows) {
    if (!isTable) yield vmaTitle;
    yield vmaLine(row);
    const found = pages?.get(row);
    if (found !== undefined) yield* pageLines(kernel, row, found);
  }
}

function* sizeLines({ mm, use }: Space): Generator<string> {
  yield '       MM               PGD          RSS    TOTAL_VM';
  const size = (bytes: number | undefined): string =>
    bytes === undefined ? (mm === undefined ? '0k' : '?') : `${bytes / 1024}k`;
  const where = [mm?.address, mm?.pgd].map((address) =>
    centered(address === undefined ? '0' : hex16(address), 16),
  );
  const sizes = [centered(size(use?.residentBytes), 6), centered(size(use?.virtualBytes), 8)];
  yield [...where, ...sizes].join('  ');
}

function spaceJson({ entry, mm, use, rows, pages }: Space): Json {
  return {
    ...taskJson(entry),
    mm: mm === undefined ? null : jsonAddress(mm.address),
    pgd: mm === undefined ? null : jsonAddress(mm.pgd),
    rssKb: use === undefined ? null : use.residentBytes / 1024,
    totalVmKb: use === undefined ? null : use.virtualBytes / 1024,
    mappings: rows.map((row) => ({
      ...vmaJson(row),
      ...(pages === undefined ? {} : { pages: (pages.get(row) ?? []).map(pageJson) }),
    })),
  };
}
