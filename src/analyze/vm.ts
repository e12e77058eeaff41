/** `vm`: the address space of tasks: its sizes, its mappings, its pages. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural } from '../bytes/text.ts';
import type { PageState } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { addressOf, type KernelObject, memberAddress } from '../linux/objects.ts';
import { readPageEntry } from '../linux/page-entry.ts';
import { type WalkStep, walk } from '../linux/paging.ts';
import { type MemoryUse, memoryUse } from '../linux/processes.ts';
import { vmasOf } from '../linux/vma.ts';
import { centered, hex } from './columns.ts';
import { type Answer, atMostOne, type Json, type Options } from './command.ts';
import { contextTasks } from './context.ts';
import { Gaps } from './gaps.ts';
import { absenceOf, pageStateAt } from './page-state.ts';
import { listTasks, type TaskEntry, taskHeader, taskJson, threadGroups } from './tasks.ts';
import { structsOf } from './vm-structs.ts';
import { type VmaRow, vmaJson, vmaLine, vmaRow, vmaTitle } from './vma-text.ts';

/** Of one task; a mapping may be as large as the whole address space. */
const maxPages = 256 * 1024;

interface UserPage {
  readonly virtual: bigint;
  readonly kind: 'memory' | 'swap' | 'file' | 'none';
  /** Of kind `memory`: its place, and what the dump has of it. */
  readonly physical?: bigint;
  readonly state?: PageState;
  /** Of kind `swap`: the area's number, and pages into it. */
  readonly swap?: { readonly type: number; readonly offset: bigint };
  /** Of kind `file`: bytes into the file. */
  readonly offset?: bigint;
}

interface Space {
  readonly entry: TaskEntry;
  /** undefined: a thread of the kernel. */
  readonly mm: { readonly address: bigint; readonly pgd: bigint } | undefined;
  readonly use: MemoryUse | undefined;
  readonly rows: readonly VmaRow[];
  readonly pages: ReadonlyMap<VmaRow, readonly UserPage[]> | undefined;
}

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  atMostOne(options, ['pages', 'mm', 'vmas']);
  if (options.mm === true) return structsOf(kernel, words, options, 'mm');
  if (options.vmas === true) return structsOf(kernel, words, options, 'vmas');
  const gaps = new Gaps();
  const groups = threadGroups(listTasks(kernel).entries);
  const spaces = contextTasks(kernel, words).map((entry) => {
    return spaceOf(kernel, entry, groups.get(entry.tgid) ?? [], options, gaps);
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
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

function spaceOf(
  kernel: Kernel,
  entry: TaskEntry,
  threads: readonly KernelObject[],
  options: Options,
  gaps: Gaps,
): Space {
  const mm = entry.view.mm as KernelObject | null;
  if (mm === null) return { entry, mm: undefined, use: undefined, rows: [], pages: undefined };
  const pgd = kernel.memory.u64(memberAddress(mm, 'pgd'));
  const walked = vmasOf(kernel, mm);
  for (const problem of walked.problems) gaps.add('mappings', problem);
  const rows = walked.vmas.flatMap((vma) => {
    return gaps.attempt('mappings', () => vmaRow(kernel, vma, gaps)) ?? [];
  });
  const use = gaps.attempt('memory sizes', () => memoryUse(kernel, entry.view, threads));
  const pages = options.pages === true ? pagesOf(kernel, pgd, rows, gaps) : undefined;
  return { entry, mm: { address: addressOf(mm), pgd }, use, rows, pages };
}

function pagesOf(
  kernel: Kernel,
  pgd: bigint,
  rows: readonly VmaRow[],
  gaps: Gaps,
): Map<VmaRow, readonly UserPage[]> {
  const memory = kernel.addressSpace(pgd);
  const found = new Map<VmaRow, readonly UserPage[]>();
  let left = maxPages;
  for (const row of rows) {
    const pages: UserPage[] = [];
    for (let virtual = row.start; virtual < row.end && left > 0; virtual += 4096n, left--) {
      const page = gaps.attempt('page tables', () => userPage(kernel, memory, row, virtual));
      if (page !== undefined) pages.push(page);
    }
    found.set(row, pages);
  }
  if (left === 0) {
    const message = `more than ${maxPages} pages are mapped: the others are not listed`;
    gaps.add('pages', new DumpError('unsupported', message));
  }
  return found;
}

/** Throws where a table that leads there is not in the dump. */
function userPage(kernel: Kernel, memory: AddressSpace, row: VmaRow, virtual: bigint): UserPage {
  let last: WalkStep | undefined;
  try {
    const { physical } = walk(memory.physical, memory.root, virtual, (step) => {
      last = step;
    });
    return { virtual, kind: 'memory', physical, state: pageStateAt(kernel, physical) };
  } catch (error) {
    if (!(error instanceof DumpError) || error.where.pfn !== undefined) throw error;
    const swap = last?.level === 'PTE' ? readPageEntry(last.entry).swap : undefined;
    if (swap !== undefined) return { virtual, kind: 'swap', swap };
    if (row.path === null) return { virtual, kind: 'none' };
    return { virtual, kind: 'file', offset: row.offset + (virtual - row.start) };
  }
}

function* lines(kernel: Kernel, space: Space): Generator<string> {
  const { entry, mm, use, rows, pages } = space;
  yield taskHeader(entry);
  yield '       MM               PGD          RSS    TOTAL_VM';
  const size = (bytes: number | undefined): string =>
    bytes === undefined ? (mm === undefined ? '0k' : '?') : `${bytes / 1024}k`;
  const where = [mm?.address, mm?.pgd].map((address) =>
    centered(address === undefined ? '0' : hex16(address), 16),
  );
  const sizes = [centered(size(use?.residentBytes), 6), centered(size(use?.virtualBytes), 8)];
  yield [...where, ...sizes].join('  ');
  if (pages === undefined && rows.length > 0) yield vmaTitle;
  const digits = Math.max(8, hex(kernel.dump.endPfn * kernel.dump.pageSize).length);
  for (const row of rows) {
    if (pages !== undefined) yield vmaTitle;
    yield vmaLine(row);
    if (pages === undefined) continue;
    yield `${'VIRTUAL'.padEnd(10)}  ${'PHYSICAL'.padEnd(digits)}`;
    for (const page of pages.get(row) ?? []) yield pageLine(page, row, digits);
  }
}

function pageLine(page: UserPage, row: VmaRow, digits: number): string {
  const virtual = hex(page.virtual).padEnd(10);
  switch (page.kind) {
    case 'memory': {
      const absence = absenceOf(page.state!);
      const place = hex(page.physical!).padStart(digits);
      return `${virtual}  ${place}${absence === undefined ? '' : `  (${absence})`}`;
    }
    case 'swap':
      return `${virtual}  SWAP: ${page.swap!.type}  OFFSET: ${page.swap!.offset}`;
    case 'file':
      return `${virtual}  FILE: ${row.path ?? '?'}  OFFSET: ${hex(page.offset!)}`;
    case 'none':
      return `${virtual}  (not mapped)`;
  }
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

function pageJson({ virtual, kind, physical, state, swap, offset }: UserPage): Json {
  return {
    virtual: jsonAddress(virtual),
    kind,
    physical: physical === undefined ? null : jsonAddress(physical),
    state: state ?? null,
    swap: swap === undefined ? null : { type: swap.type, offset: String(swap.offset) },
    offset: offset === undefined ? null : String(offset),
  };
}
