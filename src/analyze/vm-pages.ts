/** The pages of mappings: where each is in memory, in swap or in its file. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { PageState } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { readPageEntry } from '../linux/page-entry.ts';
import { type WalkStep, walk } from '../linux/paging.ts';
import { hex } from './columns.ts';
import type { Json } from './command.ts';
import type { Gaps } from './gaps.ts';
import { absenceOf, pageStateAt } from './page-state.ts';
import type { VmaRow } from './vma-text.ts';

/** Of one task; a mapping may be as large as the whole address space. */
const maxPages = 256 * 1024;

/** Virtual addresses from a page's start. */
export interface Extent {
  readonly start: bigint;
  readonly end: bigint;
}

export interface UserPage {
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

/** Each page of the mappings that `extents` has, from a start to an end within it. */
export function pagesOf(
  kernel: Kernel,
  pgd: bigint,
  extents: ReadonlyMap<VmaRow, Extent>,
  gaps: Gaps,
): Map<VmaRow, readonly UserPage[]> {
  const memory = kernel.addressSpace(pgd);
  const found = new Map<VmaRow, readonly UserPage[]>();
  let left = maxPages;
  for (const [row, { start, end }] of extents) {
    const pages: UserPage[] = [];
    for (let virtual = start; virtual < end && left > 0; virtual += 4096n, left--) {
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

/** Their title and their lines. */
export function* pageLines(
  kernel: Kernel,
  row: VmaRow,
  pages: readonly UserPage[],
): Generator<string> {
  const digits = Math.max(8, hex(kernel.dump.endPfn * kernel.dump.pageSize).length);
  yield `${'VIRTUAL'.padEnd(10)}  ${'PHYSICAL'.padEnd(digits)}`;
  for (const page of pages) yield pageLine(page, row, digits);
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

export function pageJson({ virtual, kind, physical, state, swap, offset }: UserPage): Json {
  return {
    virtual: jsonAddress(virtual),
    kind,
    physical: physical === undefined ? null : jsonAddress(physical),
    state: state ?? null,
    swap: swap === undefined ? null : { type: swap.type, offset: String(swap.offset) },
    offset: offset === undefined ? null : String(offset),
  };
}
