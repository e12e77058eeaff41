/**
 * What each page frame is used for, from its struct page: the classes by which a dump is filtered.
 * Tests and their order are makedumpfile's (`makedumpfile -d`): the first that holds decides.
 * Nothing is kept but one page of struct pages: a block of pages is passed over as a whole.
 * Source: include/linux/mm_types.h, page-flags.h; makedumpfile's manual page, section -d.
 */

import { attempt } from '../bytes/errors.ts';
import type { PfnRange } from '../dump/types.ts';
import type { AddressSpace } from './memory.ts';
import { isOfType, isSlab, type PageLayout } from './page-layout.ts';

/** Bits of a dump level; their sum is what is left out. */
export const dumpLevelBits = {
  zero: 1,
  cache: 2,
  'private-cache': 4,
  user: 8,
  free: 16,
} as const;
export type DumpLevelName = keyof typeof dumpLevelBits;

/** All of them. */
export const highestLevel = 31;

/** A page frame's class; the numbers of four are their level bits. */
export const PageClass = {
  kernel: 0,
  cache: 2,
  privateCache: 4,
  user: 8,
  free: 16,
  /** Broken or ballooned away: reading it would be the fault. Left out whenever others are. */
  unusable: 32,
  /** Its struct page cannot be read: taken for the kernel's own. */
  unknown: 64,
} as const;
export type PageClassName = keyof typeof PageClass;

export interface ClassRun extends PfnRange {
  /** A PageClass. */
  readonly pageClass: number;
}

/** Does a dump of this level leave a page of this class out? Zero pages are known by content. */
export function isFiltered(pageClass: number, level: number): boolean {
  if (pageClass === PageClass.unusable) return level > dumpLevelBits.zero;
  // Private pages of the cache go only with bit 4, which takes the other ones as well.
  if (pageClass === PageClass.cache) {
    return (level & (dumpLevelBits.cache | dumpLevelBits['private-cache'])) !== 0;
  }
  return (pageClass & level) !== 0;
}

/**
 * The classes of all page frames of the ranges (ascending, apart from each other) and of some
 * around them, ascending, in runs of one class. As makedumpfile does, a test is only made where
 * the level filters by it: a page that would be `cache` is `kernel` at level 16.
 */
export function* classRuns(
  memory: AddressSpace,
  layout: PageLayout,
  ranges: Iterable<PfnRange>,
  level = highestLevel,
): Generator<ClassRun> {
  const classifier = new Classifier(memory, layout, level);
  let pfn = 0;
  for (const range of wholeBlocks(ranges, 2 ** (layout.orders - 1))) {
    // The last block of the range before may reach into this one.
    pfn = Math.max(pfn, range.first);
    let first = pfn;
    let pageClass = -1;
    while (pfn < range.end) {
      const next = classifier.classify(pfn);
      if (next !== pageClass) {
        if (pfn > first) yield { first, end: pfn, pageClass };
        first = pfn;
        pageClass = next;
      }
      pfn += classifier.pages;
    }
    if (pfn > first) yield { first, end: pfn, pageClass };
  }
}

/** The ranges, each from and to the limits of free blocks: a block's first page may be missing. */
function* wholeBlocks(ranges: Iterable<PfnRange>, pages: number): Generator<PfnRange> {
  let first = 0;
  let end = 0;
  for (const range of ranges) {
    const start = Math.floor(range.first / pages) * pages;
    if (start > end) {
      if (end > first) yield { first, end };
      first = start;
    }
    end = Math.max(end, Math.ceil(range.end / pages) * pages);
  }
  if (end > first) yield { first, end };
}

const { cache, user } = dumpLevelBits;
const allCache = cache | dumpLevelBits['private-cache'];
/** 1 GB pages are of order 18: more is damage. */
const maxOrder = 18;

class Classifier {
  /** How many pages from the one that was asked for share its class, itself included. */
  pages = 1;
  readonly #memory: AddressSpace;
  readonly #layout: PageLayout;
  readonly #level: number;
  readonly #freeClass: number;
  /** Struct pages that are read at once; no compound page has its second one in another batch. */
  readonly #batch: number;
  #view: DataView | undefined;
  #first = 0;
  #end = 0;

  constructor(memory: AddressSpace, layout: PageLayout, level: number) {
    this.#memory = memory;
    this.#layout = layout;
    this.#level = level;
    // A free block is passed over at any level: nothing in it is of another class.
    this.#freeClass = isFiltered(PageClass.free, level) ? PageClass.free : PageClass.kernel;
    // A page of the usual size makes a view of the dump's own page: nothing is copied.
    this.#batch = 2 ** Math.max(1, Math.floor(Math.log2(4096 / layout.size)));
  }

  classify(pfn: number): number {
    if (pfn >= this.#end || pfn < this.#first) this.#load(pfn);
    const view = this.#view;
    this.pages = view === undefined ? this.#end - pfn : 1;
    if (view === undefined) return PageClass.unknown;
    const { offsets, masks, buddy, offline, unaccepted, orders } = this.#layout;
    const level = this.#level;
    const at = (pfn - this.#first) * this.#layout.size;
    // Of a compound page the first one says what it is.
    if ((view.getUint32(at + offsets.compoundHead, true) & 1) !== 0) return PageClass.kernel;
    const flags = view.getUint32(at + offsets.flags, true);
    const mapcount = view.getInt32(at + offsets.mapcount, true);
    const ofSlab = isSlab(this.#layout, flags, mapcount);
    if (!ofSlab) {
      if (isOfType(buddy, mapcount)) return this.#freeBlock(view, at + offsets.private);
      // On a list of its own, always in blocks of the highest order.
      if (isOfType(unaccepted, mapcount)) return this.#block(orders - 1, this.#freeClass);
    }
    const isAnonymous = (view.getUint32(at + offsets.mapping, true) & 1) !== 0 && !ofSlab;
    const isPrivate = (flags & masks.private) !== 0;
    if (!isAnonymous && (level & (isPrivate ? allCache & ~cache : allCache)) !== 0) {
      const pageClass = isPrivate ? PageClass.privateCache : PageClass.cache;
      if (isCached(flags, masks)) return this.#compound(pfn, flags, pageClass);
    }
    if ((level & user) !== 0 && (isAnonymous || this.#isHuge(at, flags, mapcount))) {
      return this.#compound(pfn, flags, PageClass.user);
    }
    const isOffline = isOfType(offline, mapcount) && !ofSlab;
    if ((flags & masks.poison) === 0 && !isOffline) return PageClass.kernel;
    return this.#compound(pfn, flags, PageClass.unusable);
  }

  #load(pfn: number): void {
    const { vmemmap, size } = this.#layout;
    this.#first = pfn - (pfn % this.#batch);
    this.#end = this.#first + this.#batch;
    // Sections without memory have no struct pages; damaged page tables lose them.
    this.#view = attempt(() =>
      this.#memory.view(vmemmap + BigInt(this.#first) * BigInt(size), this.#batch * size),
    );
  }

  #freeBlock(view: DataView, orderAt: number): number {
    const order = view.getUint32(orderAt, true);
    // Not an order of the free lists: makedumpfile warns, and keeps the page.
    const isOrder = order < this.#layout.orders && view.getUint32(orderAt + 4, true) === 0;
    return isOrder ? this.#block(order, this.#freeClass) : PageClass.kernel;
  }

  #block(order: number, pageClass: number): number {
    this.pages = 2 ** order;
    return pageClass;
  }

  /** All pages of the compound page that begins at `pfn`; the page alone where none does. */
  #compound(pfn: number, flags: number, pageClass: number): number {
    if ((flags & this.#layout.masks.head) === 0) return pageClass;
    const second = (pfn + 1 - this.#first) * this.#layout.size;
    const order =
      pfn + 1 < this.#end ? this.#view!.getUint8(second + this.#layout.offsets.compoundOrder) : 0;
    return order <= maxOrder && pfn % 2 ** order === 0 ? this.#block(order, pageClass) : pageClass;
  }

  #isHuge(at: number, flags: number, mapcount: number): boolean {
    const { hugetlb, offsets, masks, size } = this.#layout;
    const second = at + size;
    if ((flags & masks.head) === 0 || second >= this.#view!.byteLength) return false;
    switch (hugetlb.kind) {
      case 'type':
        return isOfType(hugetlb.type, mapcount);
      case 'destructor': {
        const { compoundDestructor: to } = offsets;
        return to !== undefined && this.#view!.getUint8(second + to) === hugetlb.value;
      }
      case 'flag':
        return (this.#view!.getUint32(second + offsets.flags, true) & hugetlb.value) !== 0;
    }
  }
}

function isCached(flags: number, masks: PageLayout['masks']): boolean {
  if ((flags & masks.lru) !== 0) return true;
  // Before v4.10 (6326fec1122c) PG_swapcache is a bit of its own; then one that others use, too.
  const isBacked = masks.swapBacked === 0 || (flags & masks.swapBacked) !== 0;
  return isBacked && (flags & masks.swapCache) !== 0;
}
