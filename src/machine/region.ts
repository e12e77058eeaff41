/**
 * Memory for what is loaded before a panic: a region in one piece, and single pages as kmalloc
 * would give them. From the kernel's free lists; else from RAM added above the top, which then gets
 * its place in the direct map and its struct pages like any other RAM.
 */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { u32Bytes } from './edit.ts';
import { type FreeBlock, findRun, freeBlocks, pageAddress, takeBlock } from './free-blocks.ts';
import type { Machine } from './machine.ts';
import { largePage, PageTables, smallPage } from './page-tables.ts';
import type { PhysicalRange } from './ram.ts';

export type RegionOrigin = 'free blocks' | 'RAM added above the top';

export interface Region extends PhysicalRange {
  readonly origin: RegionOrigin;
}

/** Pages of a large page: the direct map's unit. */
const unit = Number(largePage / smallPage);

/** Takes at least `bytes` in one piece, cleared; noted as one set-up edit. */
export function takeRegion(
  machine: Machine,
  layout: PageLayout,
  bytes: number,
  what: string,
): Region {
  const pageSize = machine.memory.pageSize;
  const pages = Math.ceil(bytes / pageSize);
  const run = findRun(freeBlocks(machine, layout), pages, 1);
  if (run === undefined) return addRegion(machine, layout, pages, what);
  for (const block of run) takeBlock(machine, layout, block);
  const start = run[0]!.pfn * pageSize;
  const last = run.at(-1)!;
  const end = (last.pfn + 2 ** last.order) * pageSize;
  note(machine, what, `${plural(run.length, 'free block')} taken`, start, end);
  return { start, end, origin: 'free blocks' };
}

/** Takes single pages, the smallest free blocks first; gives their physical addresses. */
export function takePages(
  machine: Machine,
  layout: PageLayout,
  count: number,
  what: string,
): bigint[] {
  const pageSize = machine.memory.pageSize;
  const smallest = [...freeBlocks(machine, layout)].sort(
    (a: FreeBlock, b: FreeBlock) => a.order - b.order || a.pfn - b.pfn,
  );
  const taken = smallest.slice(0, count);
  if (taken.length < count) {
    const region = addRegion(machine, layout, count, what);
    return Array.from({ length: count }, (_, index) => BigInt(region.start + index * pageSize));
  }
  for (const block of taken) takeBlock(machine, layout, block);
  const addresses = taken.map((block) => BigInt(block.pfn) * BigInt(pageSize));
  for (const address of addresses.map(Number)) {
    note(machine, what, 'free page taken', address, address + pageSize);
  }
  return addresses;
}

function addRegion(machine: Machine, layout: PageLayout, pages: number, what: string): Region {
  const { memory, kernel } = machine;
  const pageSize = memory.pageSize;
  const padding = (unit - (memory.endPfn % unit)) % unit;
  const structPages = Math.ceil(((pages + unit * 2) * layout.size) / pageSize) + 2;
  // Tables that map the region and its struct pages: at most one a level for each of both.
  const tablePages = 16;
  const total = Math.ceil((pages + structPages + tablePages) / unit) * unit;
  const first = memory.addRam(padding + total) + padding;
  let next = first + pages;
  const allocate = (): bigint => BigInt(next++) * BigInt(pageSize);
  const tables = new PageTables(memory, kernel.memory.root, allocate);
  for (let pfn = first; pfn < first + total; pfn += unit) {
    const physical = BigInt(pfn) * smallPage;
    tables.map(kernel.toVirtual(physical), physical, largePage);
  }
  addStructPages(machine, layout, { first, end: first + pages }, tables, allocate);
  const start = first * pageSize;
  const end = start + pages * pageSize;
  note(machine, what, 'RAM added above the top', start, end);
  return { start, end, origin: 'RAM added above the top' };
}

function addStructPages(
  machine: Machine,
  layout: PageLayout,
  pfns: { readonly first: number; readonly end: number },
  tables: PageTables,
  allocate: () => bigint,
): void {
  const from = pageAddress(layout, pfns.first) & ~0xfffn;
  const refcount = BigInt(machine.kernel.types.offsetOf('struct page', '_refcount'));
  for (let page = from; page < pageAddress(layout, pfns.end); page += smallPage) {
    if (!isMapped(machine, page)) tables.map(page, allocate(), smallPage);
  }
  for (let pfn = pfns.first; pfn < pfns.end; pfn++) {
    const page = pageAddress(layout, pfn);
    machine.poke(page + BigInt(layout.offsets.mapcount), u32Bytes(0xffff_ffff));
    machine.poke(page + refcount, u32Bytes(1));
  }
}

function isMapped(machine: Machine, address: bigint): boolean {
  try {
    machine.virtual.translate(address);
    return true;
  } catch (error) {
    if (error instanceof DumpError) return false;
    throw error;
  }
}

function note(machine: Machine, what: string, how: string, start: number, end: number): void {
  machine.edits.push({
    what: `${what}: ${how}`,
    after: `0x${start.toString(16)}-0x${(end - 1).toString(16)}`,
  });
}
