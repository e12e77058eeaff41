/** Which page frames of a crashed kernel go into a dump of a given level. */

import { Bitmap } from '../bytes/bitmap.ts';
import { joinRuns } from '../dump/runs.ts';
import type { MemoryImage, Page, PageRun, PageState } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { classifyPages, isFiltered, type PageLayout } from '../linux/pages.ts';
import type { MachineMemory } from '../machine/memory.ts';
import { type PhysicalRange, pagesOf } from '../machine/ram.ts';

export interface Selection {
  /** PFNs to dump. */
  readonly chosen: Bitmap;
  /** PFNs of RAM, chosen or filtered out. */
  readonly ram: Bitmap;
  readonly endPfn: number;
  readonly filtered: number;
  /** Page frames of RAM whose struct page could not be read: they are dumped. */
  readonly unknown: number;
}

/** `memory` is the crashed kernel's address space, `ranges` its RAM. */
export function selectPages(
  memory: AddressSpace,
  layout: PageLayout | undefined,
  ranges: readonly PhysicalRange[],
  level: number,
): Selection {
  const runs = ranges.map((range) => pagesOf(range, 4096));
  const endPfn = Math.max(0, ...runs.map((run) => run.end));
  const chosen = Bitmap.ofSize(endPfn);
  const ram = Bitmap.ofSize(endPfn);
  // Zero pages are known by content alone: bit 1 needs no struct page.
  const classes =
    layout === undefined || level <= 1
      ? { classes: undefined, unknown: 0 }
      : classifyPages(memory, layout, runs, endPfn);
  let filtered = 0;
  for (const { first, end } of runs) {
    for (let pfn = first; pfn < end; pfn++) {
      if (ram.has(pfn)) continue;
      ram.add(pfn);
      if (isFiltered(classes.classes?.[pfn] ?? 0, level)) filtered++;
      else chosen.add(pfn);
    }
  }
  return { chosen, ram, endPfn, filtered, unknown: classes.unknown };
}

/** An image with only the selected pages; what was filtered is `excluded`, the rest no RAM. */
export class SelectedImage implements MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #image: MachineMemory;
  readonly #selection: Selection;
  #runs: readonly PageRun[] | undefined;

  constructor(image: MachineMemory, selection: Selection) {
    this.name = image.name;
    this.pageSize = image.pageSize;
    this.endPfn = selection.endPfn;
    this.#image = image;
    this.#selection = selection;
  }

  state(pfn: number): PageState {
    if (!this.#selection.ram.has(pfn)) return 'missing';
    const state = this.#image.state(pfn);
    const kept = this.#selection.chosen.has(pfn);
    return kept || (state !== 'stored' && state !== 'zero') ? state : 'excluded';
  }

  readPage(pfn: number): Page {
    const state = this.state(pfn);
    if (state !== 'stored' && state !== 'zero') return { state, bytes: undefined };
    return this.#image.stablePage(pfn);
  }

  runs(): Iterable<PageRun> {
    this.#runs ??= [...joinRuns(this.#pages())];
    return this.#runs;
  }

  *#pages(): Generator<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
    }
  }
}
