/**
 * Which pages of an image a dump of a level keeps, and what all of them are used for; decided from
 * the struct pages in the image itself. A page whose struct page cannot be read is kept.
 */

import type { Bitmap } from '../bytes/bitmap.ts';
import { FilteredImage, findZeroPages, outlined, pageMap, pagesThere } from '../dump/filtered.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { AddressSpace } from './memory.ts';
import { type PageKernel, type PageLayout, pageLayout } from './page-layout.ts';
import {
  type ClassRun,
  classRuns,
  dumpLevelBits,
  isFiltered,
  PageClass,
  type PageClassName,
} from './pages.ts';

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

/** Pages that an image has, all of one class. */
export interface PagesOfClass extends ClassRun {
  /** Known to be zeros by the image's index; others may be as well. */
  readonly isKnownZero: boolean;
}

/**
 * All pages that the image has by class, by and large ascending. Without a kernel they are all
 * `unknown`.
 */
export function* pagesByClass(
  kernel: PageKernel | undefined,
  image: MemoryImage,
): Generator<PagesOfClass> {
  const there = pageMap(image);
  const zero = pageMap(image);
  for (const { first, end, state } of image.runs()) {
    if (state === 'stored' || state === 'zero') there.addRange(first, end);
    if (state === 'zero') zero.addRange(first, end);
  }
  const pages = there.runs(0, image.endPfn);
  const all = [{ first: 0, end: image.endPfn, pageClass: PageClass.unknown }];
  const runs = kernel === undefined ? all : classRuns(kernel.memory, pageLayout(kernel), pages);
  for (const { pageClass, ...range } of runs) {
    for (const run of there.runs(range.first, range.end)) {
      for (const { first, end, state } of outlined({ ...run, state: 'zero' }, zero, 'stored')) {
        yield { first, end, pageClass, isKnownZero: state === 'zero' };
      }
    }
  }
}

/** How many pages of one class an image has. */
export interface ClassCount {
  pages: number;
  /** Of these, known to be zeros without reading them: more may be. */
  knownZero: number;
}
export type ClassCounts = Readonly<Record<PageClassName, Readonly<ClassCount>>>;

/** The pages of the image by class; no contents are read but struct pages. */
export function countByClass(kernel: PageKernel, image: MemoryImage): ClassCounts {
  const names = Object.keys(PageClass) as PageClassName[];
  const counts = new Map<number, ClassCount>(
    names.map((name) => [PageClass[name], { pages: 0, knownZero: 0 }]),
  );
  for (const { first, end, pageClass, isKnownZero } of pagesByClass(kernel, image)) {
    const count = counts.get(pageClass)!;
    count.pages += end - first;
    if (isKnownZero) count.knownZero += end - first;
  }
  const named = names.map((name) => [name, counts.get(PageClass[name])!]);
  return Object.fromEntries(named) as Record<PageClassName, ClassCount>;
}
