/** Which page frames of a crashed kernel go into a dump of a given level. */

import { Bitmap } from '../bytes/bitmap.ts';
import { FilteredImage } from '../dump/filtered.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { withoutFiltered } from '../linux/page-filter.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import type { MachineMemory } from '../machine/memory.ts';
import { type PhysicalRange, pagesOf } from '../machine/ram.ts';

export interface Selection {
  /** PFNs to dump. */
  readonly kept: Bitmap;
  /** PFNs of RAM, kept or filtered out. */
  readonly ram: Bitmap;
  readonly endPfn: number;
  readonly filtered: number;
  /** Page frames of RAM whose struct page could not be read: they are dumped. */
  readonly unknown: number;
}

/** What the report should say of a selection: the frames that were dumped unseen. */
export function unknownRemarks({ unknown }: Pick<Selection, 'unknown'>): string[] {
  return unknown > 0 ? [`${unknown} page frames without a readable struct page`] : [];
}

/** `memory` is the crashed kernel's address space, `ranges` its RAM. */
export function selectPages(
  memory: AddressSpace,
  layout: PageLayout,
  ranges: readonly PhysicalRange[],
  level: number,
): Selection {
  const runs = ranges.map((range) => pagesOf(range, 4096));
  const endPfn = Math.max(0, ...runs.map((run) => run.end));
  const ram = Bitmap.ofSize(endPfn);
  for (const { first, end } of runs) ram.addRange(first, end);
  const kept = new Bitmap(ram.bytes.slice());
  // Zero pages are known by content alone: bit 1 needs no struct page.
  if (level <= dumpLevelBits.zero) return { kept, ram, endPfn, filtered: 0, unknown: 0 };
  return { ...withoutFiltered(kept, memory, layout, level), ram, endPfn };
}

/**
 * An image with only the selected pages; what was filtered is `excluded`, the rest no RAM. Its
 * pages do not change when the machine's memory does.
 */
export function selectedImage(memory: MachineMemory, selection: Selection): MemoryImage {
  return new FilteredImage(ramImage(memory), selection);
}

/** All that the machine has; its pages do not change when the machine's memory does. */
export function ramImage(memory: MachineMemory): MemoryImage {
  return {
    name: memory.name,
    pageSize: memory.pageSize,
    endPfn: memory.endPfn,
    state: (pfn) => memory.state(pfn),
    readPage: (pfn) => memory.stablePage(pfn),
    runs: () => memory.runs(),
  };
}
