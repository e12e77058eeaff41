/**
 * Which pages of an image a dump of a level keeps, and what all of them are used for; decided from
 * the struct pages in the image itself. A page whose struct page cannot be read is kept.
 */

import { Bitmap } from '../bytes/bitmap.ts';
import { FilteredImage, findZeroPages, pagesThere } from '../dump/filtered.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { AddressSpace } from './memory.ts';
import { type PageKernel, type PageLayout, pageLayout } from './page-layout.ts';
import { classRuns, dumpLevelBits, isFiltered, PageClass, type PageClassName } from './pages.ts';

export interface Kept {
  /** PFNs. */
  readonly kept: Bitmap;
  readonly filtered: number;
  /** Pages that stay because nothing is known of them. */
  readonly unknown: number;
}

/**
 * The pages of the image that a dump of this level keeps; zero pages (bit 1) are still among them:
 * `findZeroPages` finds those. Up to level 1 the kernel is not asked for. DumpErrors: those of
 * `kernel` and `pageLayout`.
 */
export function keptPages(kernel: () => PageKernel, image: MemoryImage, level: number): Kept {
  const pages = pagesThere(image);
  if (level <= dumpLevelBits.zero) return { kept: pages, filtered: 0, unknown: 0 };
  const asked = kernel();
  return withoutFiltered(pages, asked.memory, pageLayout(asked), level);
}

/** Takes from `pages` what a dump of this level leaves out, zero pages excepted. */
export function withoutFiltered(
  pages: Bitmap,
  memory: AddressSpace,
  layout: PageLayout,
  level: number,
): Kept {
  const before = pages.count;
  let unknown = 0;
  const ranges = pages.runs(0, pages.length);
  for (const { first, end, pageClass } of classRuns(memory, layout, ranges, level)) {
    if (isFiltered(pageClass, level)) pages.removeRange(first, end);
    if (pageClass !== PageClass.unknown) continue;
    for (const run of pages.runs(first, end)) unknown += run.end - run.first;
  }
  return { kept: pages, filtered: before - pages.count, unknown };
}

export interface Filtered extends Kept {
  readonly image: MemoryImage;
  /** Pages of zeros that were left out. */
  readonly zero: number;
}

/**
 * The image as a dump of this level has it. With bit 1, zero pages are left out, too: `findZero` is
 * told which pages are left, and reads them all unless somebody else has.
 */
export function filtered(
  kernel: () => PageKernel,
  image: MemoryImage,
  level: number,
  findZero: (within: Bitmap) => Bitmap = (within) => findZeroPages(image, within),
): Filtered {
  const result = keptPages(kernel, image, level);
  const { kept } = result;
  const before = kept.count;
  if ((level & dumpLevelBits.zero) !== 0) kept.subtract(findZero(kept));
  return { ...result, image: new FilteredImage(image, { kept }), zero: before - kept.count };
}

/** How many pages of one class an image has. */
export interface ClassCount {
  readonly pages: number;
  /** Of these, known to be zeros without reading them: more may be. */
  readonly knownZero: number;
}
export type ClassCounts = Readonly<Record<PageClassName, ClassCount>>;

export const pageClassNames = Object.keys(PageClass) as readonly PageClassName[];

/** The pages of the image by class; no contents are read but struct pages. */
export function countByClass(kernel: PageKernel, image: MemoryImage): ClassCounts {
  const there = pagesThere(image);
  const zero = Bitmap.ofSize(image.endPfn);
  for (const { first, end, state } of image.runs()) if (state === 'zero') zero.addRange(first, end);
  const pages = new Map<number, number>();
  const knownZero = new Map<number, number>();
  const ranges = there.runs(0, image.endPfn);
  for (const { first, end, pageClass } of classRuns(kernel.memory, pageLayout(kernel), ranges)) {
    for (const [map, counts] of [
      [there, pages],
      [zero, knownZero],
    ] as const) {
      const count = map.rank(end) - map.rank(first);
      counts.set(pageClass, (counts.get(pageClass) ?? 0) + count);
    }
  }
  return Object.fromEntries(
    pageClassNames.map((name): [PageClassName, ClassCount] => [
      name,
      {
        pages: pages.get(PageClass[name]) ?? 0,
        knownZero: knownZero.get(PageClass[name]) ?? 0,
      },
    ]),
  ) as Record<PageClassName, ClassCount>;
}
