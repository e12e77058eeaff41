/**
 * What each page frame is used for, from its struct page: the classes by which a dump is filtered.
 * Tests and their order are makedumpfile's (`makedumpfile -d`): the first that holds decides.
 * Source: include/linux/mm_types.h, page-flags.h; makedumpfile's manual page, section -d.
 */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import type { SymbolTable } from './symbols.ts';
import type { TypeTable } from './types.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

/** Bits of a dump level; their sum is what is left out. */
export const dumpLevelBits = {
  zero: 1,
  cache: 2,
  'private-cache': 4,
  user: 8,
  free: 16,
} as const;
export type DumpLevelName = keyof typeof dumpLevelBits;

/** A page frame's class; the numbers of the first four are their level bits. */
export const PageClass = {
  kernel: 0,
  cache: 2,
  privateCache: 4,
  user: 8,
  free: 16,
  /** Broken or ballooned away: reading it would be the fault. Left out at every level. */
  unusable: 32,
} as const;

/** Where the facts about a page frame stand. Plain data: taken once, used on damaged memory. */
export interface PageLayout {
  /** Virtual address of the struct page of PFN 0, and bytes from one to the next. */
  readonly vmemmap: bigint;
  readonly size: number;
  readonly offsets: {
    readonly flags: number;
    readonly mapping: number;
    readonly mapcount: number;
    readonly private: number;
    readonly compoundHead: number;
    /** In the second page of a compound one. */
    readonly compoundOrder: number;
    readonly compoundDestructor: number | undefined;
  };
  /** Flag masks within the low 32 bits of `flags`. */
  readonly masks: {
    readonly lru: number;
    readonly private: number;
    readonly swapCache: number;
    readonly swapBacked: number;
    readonly slab: number;
    readonly head: number;
    readonly poison: number;
  };
  readonly buddy: number;
  readonly offline: number | undefined;
  readonly slab: number | undefined;
  readonly hugetlb: { readonly kind: 'destructor' | 'mapcount' | 'flag'; readonly value: number };
  /** Orders of the buddy allocator; a free page's order must be below. */
  readonly orders: number;
}

export interface PageKernel {
  readonly memory: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
  readonly types: TypeTable;
  readonly symbols: SymbolTable;
}

/** The layout of struct page, from VMCOREINFO, then from types. `absent` names what is missing. */
export function pageLayout(kernel: PageKernel): PageLayout {
  const offset = (member: string, ...others: string[]): number => {
    const found = kernel.vmcoreinfo.offset(`page.${member}`);
    if (found !== undefined) return found;
    const known = [member, ...others].find((name) => kernel.types.hasMember('struct page', name));
    return kernel.types.offsetOf('struct page', known ?? member);
  };
  const info = kernel.vmcoreinfo;
  return checked({
    vmemmap: vmemmapBase(kernel),
    size: info.size('page') ?? kernel.types.sizeOf('struct page'),
    offsets: {
      flags: offset('flags'),
      mapping: offset('mapping'),
      // Since v6.11 (f5330c41a1d6) page_type alone says what a page without mappings is.
      mapcount: offset('_mapcount', 'page_type'),
      private: offset('private'),
      compoundHead: offset('compound_head'),
      compoundOrder: compoundOrderOffset(kernel),
      compoundDestructor: info.offset('page.compound_dtor'),
    },
    masks: flagMasks(kernel),
    buddy: info.number('PAGE_BUDDY_MAPCOUNT_VALUE') ?? -129,
    offline: info.number('PAGE_OFFLINE_MAPCOUNT_VALUE'),
    slab: info.number('PAGE_SLAB_MAPCOUNT_VALUE'),
    hugetlb: hugetlbMark(kernel),
    orders: info.length('zone.free_area') ?? 11,
  });
}

/** What a damaged VMCOREINFO says is not believed: members are read without further checks. */
function checked(layout: PageLayout): PageLayout {
  const { size, offsets } = layout;
  const members = Object.values(offsets).filter((at) => at !== undefined);
  if (size > 0 && size <= 4096 && members.every((at) => at >= 0 && at + 4 <= size)) return layout;
  throw new DumpError('corrupt', `VMCOREINFO has members of struct page outside its ${size} bytes`);
}

export interface PageClasses {
  /** PageClass by PFN. */
  readonly classes: Uint8Array;
  /** Page frames whose struct page could not be read: taken for the kernel's own. */
  readonly unknown: number;
}

/** The class of every PFN of the ranges (PFNs, end exclusive); all others are `kernel`. */
export function classifyPages(
  memory: AddressSpace,
  layout: PageLayout,
  ranges: Iterable<{ readonly first: number; readonly end: number }>,
  endPfn: number,
): PageClasses {
  const classes = new Uint8Array(endPfn);
  const batch = Math.max(1, Math.floor(4096 / layout.size));
  let unknown = 0;
  for (const range of ranges) {
    const end = Math.min(range.end, endPfn);
    for (let first = range.first; first < end; first += batch) {
      const count = Math.min(batch, end - first);
      // One more: what a compound page is, its second struct page says.
      const view =
        structPages(memory, layout, first, count + 1) ?? structPages(memory, layout, first, count);
      if (view === undefined) unknown += count;
      else classifyBatch(view, layout, first, count, classes);
    }
  }
  return { classes, unknown };
}

/** Does a dump of this level leave a page of this class out? Zero pages are known by content. */
export function isFiltered(pageClass: number, level: number): boolean {
  if (pageClass === PageClass.unusable) return true;
  // Private pages of the cache go only with bit 4, which takes the other ones as well.
  if (pageClass === PageClass.cache) {
    return (level & (dumpLevelBits.cache | dumpLevelBits['private-cache'])) !== 0;
  }
  return (pageClass & level) !== 0;
}

function structPages(
  memory: AddressSpace,
  layout: PageLayout,
  first: number,
  count: number,
): DataView | undefined {
  try {
    const at = layout.vmemmap + BigInt(first) * BigInt(layout.size);
    return memory.view(at, count * layout.size);
  } catch (error) {
    // Sections without memory have no struct pages; damaged page tables lose them.
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

function classifyBatch(
  view: DataView,
  layout: PageLayout,
  first: number,
  count: number,
  classes: Uint8Array,
): void {
  for (let index = 0; index < count; index++) {
    const at = index * layout.size;
    const pfn = first + index;
    if (classes[pfn] !== PageClass.kernel) continue;
    if ((view.getUint32(at + layout.offsets.compoundHead, true) & 1) !== 0) continue;
    const flags = view.getUint32(at + layout.offsets.flags, true);
    const next = at + layout.size;
    const compound = (flags & layout.masks.head) !== 0 && next + layout.size <= view.byteLength;
    const pageClass = classOf(view, at, compound ? next : undefined, layout);
    if (pageClass === PageClass.kernel) continue;
    const order = orderOf(view, at, compound ? next : undefined, layout, pageClass);
    classes.fill(pageClass, pfn, Math.min(classes.length, pfn + 2 ** order));
  }
}

function classOf(
  view: DataView,
  at: number,
  second: number | undefined,
  layout: PageLayout,
): number {
  const { masks, offsets } = layout;
  const flags = view.getUint32(at + offsets.flags, true);
  const mapcount = view.getInt32(at + offsets.mapcount, true);
  const slab =
    layout.slab === undefined ? (flags & masks.slab) !== 0 : mapcount >> 24 === layout.slab >> 24;
  if (mapcount === layout.buddy && !slab) {
    const order = view.getUint32(at + offsets.private, true);
    if (order < layout.orders) return PageClass.free;
  }
  const anonymous = (view.getUint32(at + offsets.mapping, true) & 1) !== 0 && !slab;
  const swap = masks.swapCache | masks.swapBacked;
  const cached = (flags & masks.lru) !== 0 || (flags & swap) === swap;
  if (cached && !anonymous) {
    return (flags & masks.private) === 0 ? PageClass.cache : PageClass.privateCache;
  }
  if (anonymous || isHugetlb(view, at, second, layout)) return PageClass.user;
  if ((flags & masks.poison) !== 0) return PageClass.unusable;
  return mapcount === layout.offline ? PageClass.unusable : PageClass.kernel;
}

function isHugetlb(
  view: DataView,
  at: number,
  second: number | undefined,
  { hugetlb, offsets }: PageLayout,
): boolean {
  if (second === undefined) return false;
  switch (hugetlb.kind) {
    case 'destructor':
      return view.getUint8(second + offsets.compoundDestructor!) === hugetlb.value;
    case 'mapcount':
      return view.getInt32(at + offsets.mapcount, true) >> 24 === hugetlb.value >> 24;
    case 'flag':
      return (view.getUint32(second + offsets.flags, true) & hugetlb.value) !== 0;
  }
}

function orderOf(
  view: DataView,
  at: number,
  second: number | undefined,
  { offsets }: PageLayout,
  pageClass: number,
): number {
  if (pageClass === PageClass.free) return view.getUint32(at + offsets.private, true);
  if (second === undefined) return 0;
  const order = view.getUint8(second + offsets.compoundOrder);
  // 1 GB pages are of order 18: more is damage.
  return order <= 18 ? order : 0;
}

function vmemmapBase(kernel: PageKernel): bigint {
  const symbol = kernel.symbols.inKernel('vmemmap_base');
  if (symbol !== undefined) return kernel.memory.u64(symbol.address);
  // Without CONFIG_RANDOMIZE_MEMORY it is fixed: Documentation/arch/x86/x86_64/mm.rst.
  return kernel.memory.root.levels === 5 ? 0xffd4000000000000n : 0xffffea0000000000n;
}

function compoundOrderOffset(kernel: PageKernel): number {
  const exported = kernel.vmcoreinfo.offset('page.compound_order');
  if (exported !== undefined) return exported;
  const size = kernel.vmcoreinfo.size('page') ?? kernel.types.sizeOf('struct page');
  // Since v6.6 (ebc1baf5c9b4) the order is the low byte of the folio's second flags word.
  if (kernel.types.hasMember('struct folio', '_flags_1')) {
    return kernel.types.offsetOf('struct folio', '_flags_1') - size;
  }
  return kernel.types.offsetOf('struct page', 'compound_order');
}

function flagMasks(kernel: PageKernel): PageLayout['masks'] {
  const mask = (name: string): number => {
    const exported = kernel.vmcoreinfo.number(name);
    if (exported !== undefined) return 2 ** exported;
    const named = kernel.types.find('enum pageflags');
    const value = named && kernel.types.enumerators('enum pageflags').get(name);
    return value === undefined ? 0 : 2 ** Number(value);
  };
  return {
    lru: mask('PG_lru'),
    private: mask('PG_private'),
    swapCache: mask('PG_swapcache'),
    swapBacked: mask('PG_swapbacked'),
    slab: mask('PG_slab'),
    head: kernel.vmcoreinfo.number('PG_head_mask') ?? mask('PG_head'),
    poison: mask('PG_hwpoison'),
  };
}

function hugetlbMark(kernel: PageKernel): PageLayout['hugetlb'] {
  const info = kernel.vmcoreinfo;
  // Since v6.9 (d99e3140a4d3) a page type; v6.6 to v6.8 a flag of the second page; before that the
  // destructor's number in the second page.
  const mapcount = info.number('PAGE_HUGETLB_MAPCOUNT_VALUE');
  if (mapcount !== undefined) return { kind: 'mapcount', value: mapcount };
  const destructor = info.number('HUGETLB_PAGE_DTOR');
  if (destructor !== undefined && info.offset('page.compound_dtor') !== undefined) {
    return { kind: 'destructor', value: destructor };
  }
  const flag = info.number('PG_hugetlb');
  return { kind: 'flag', value: flag === undefined ? 0 : 2 ** flag };
}
