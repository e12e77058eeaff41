/**
 * Where struct page has what the filter asks: from VMCOREINFO, which has nearly all of it, so that
 * neither types nor symbols need to be read; from those where a kernel does not export a fact.
 * Source: include/linux/mm_types.h, page-flags.h, mmzone.h, kernel/vmcore_info.c.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { basePageSize } from './paging.ts';
import type { SymbolTable } from './symbols.ts';
import type { TypeTable } from './types.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

/** A value of page_type, which shares its word with _mapcount: equal in the bits of the mask. */
export interface PageType {
  readonly mask: number;
  readonly value: number;
}

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
  /** Flag masks within the low 32 bits of `flags`; 0 where the kernel has no such flag. */
  readonly masks: {
    readonly lru: number;
    readonly private: number;
    readonly swapCache: number;
    readonly swapBacked: number;
    readonly slab: number;
    readonly head: number;
    readonly poison: number;
  };
  readonly buddy: PageType;
  readonly offline: PageType | undefined;
  readonly unaccepted: PageType | undefined;
  readonly slab: PageType | undefined;
  readonly hugetlb:
    | { readonly kind: 'type'; readonly type: PageType }
    | { readonly kind: 'destructor' | 'flag'; readonly value: number };
  /** Orders of the buddy allocator; a free page's order must be below. */
  readonly orders: number;
}

export interface PageKernel {
  readonly memory: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
  readonly types: TypeTable;
  readonly symbols: SymbolTable;
}

/** Does the word that _mapcount and page_type share say this type? */
export function isOfType(type: PageType | undefined, mapcount: number): boolean {
  return type !== undefined && (mapcount & type.mask) === type.value;
}

/** Is it the first page of a slab? By `flags` (low 32 bits) and the word of _mapcount. */
export function isSlab({ slab, masks }: PageLayout, flags: number, mapcount: number): boolean {
  return (flags & masks.slab) !== 0 || isOfType(slab, mapcount);
}

/** The layout of struct page, from VMCOREINFO, then from types. `absent` names what is missing. */
export function pageLayout(kernel: PageKernel): PageLayout {
  const info = kernel.vmcoreinfo;
  const size = info.size('page') ?? kernel.types.sizeOf('struct page');
  const offset = (member: string, ...others: string[]): number => {
    const found = info.offset(`page.${member}`);
    if (found !== undefined) return found;
    const known = [member, ...others].find((name) => kernel.types.hasMember('struct page', name));
    return kernel.types.offsetOf('struct page', known ?? member);
  };
  const typed = (name: string): PageType | undefined => pageType(info.number(name));
  const flags = offset('flags');
  return checked({
    vmemmap: vmemmapBase(kernel),
    size,
    offsets: {
      flags,
      mapping: offset('mapping'),
      // Since v6.11 (f5330c41a1d6) page_type alone says what a page without mappings is.
      mapcount: offset('_mapcount', 'page_type'),
      private: offset('private'),
      compoundHead: offset('compound_head'),
      compoundOrder: compoundOrderOffset(kernel, size, flags),
      compoundDestructor: inSecond(info, size, 'compound_dtor', '_folio_dtor'),
    },
    masks: flagMasks(kernel),
    buddy: typed('PAGE_BUDDY_MAPCOUNT_VALUE') ?? { mask: -1, value: -129 },
    offline: typed('PAGE_OFFLINE_MAPCOUNT_VALUE'),
    unaccepted: typed('PAGE_UNACCEPTED_MAPCOUNT_VALUE'),
    slab: typed('PAGE_SLAB_MAPCOUNT_VALUE'),
    hugetlb: hugetlbMark(info),
    orders: info.length('zone.free_area') ?? 11,
  });
}

/**
 * Since v6.12 (4ffca5a96678 "mm: support only one page_type per page") the type is the top byte
 * and the others are the type's own; before that each type clears a bit of -1.
 */
export function pageType(value: number | undefined): PageType | undefined {
  if (value === undefined) return undefined;
  return { mask: (value & 0xff_ffff) === 0 ? 0xff << 24 : -1, value: value | 0 };
}

/** What a damaged VMCOREINFO says is not believed: members are read without further checks. */
function checked(layout: PageLayout): PageLayout {
  const { size, offsets, orders } = layout;
  const members = Object.values(offsets).filter((at) => at !== undefined);
  const fits = members.every((at) => at >= 0 && at + 4 <= size) && offsets.private + 8 <= size;
  if (size > 0 && size <= 4096 && fits && orders >= 1 && orders <= 32) return layout;
  throw new DumpError('corrupt', `VMCOREINFO has members of struct page outside its ${size} bytes`);
}

/** Offset in the second struct page. v6.3 to v6.5 (1c5509be58f6) have it in struct folio. */
function inSecond(
  info: Vmcoreinfo,
  size: number,
  member: string,
  ofFolio: string,
): number | undefined {
  const folio = info.offset(`folio.${ofFolio}`);
  return folio === undefined ? info.offset(`page.${member}`) : folio - size;
}

function compoundOrderOffset(kernel: PageKernel, size: number, flags: number): number {
  const info = kernel.vmcoreinfo;
  const exported = inSecond(info, size, 'compound_order', '_folio_order');
  if (exported !== undefined) return exported;
  // Since v6.6 (ebc1baf5c9b4) the order is the low byte of the second page's flags; these kernels
  // export how a huge page is known.
  const names = ['PAGE_HUGETLB_MAPCOUNT_VALUE', 'PG_hugetlb'];
  if (names.some((name) => info.number(name) !== undefined)) return flags;
  if (kernel.types.hasMember('struct folio', '_flags_1')) return flags;
  return kernel.types.offsetOf('struct page', 'compound_order');
}

function flagMasks(kernel: PageKernel): PageLayout['masks'] {
  const info = kernel.vmcoreinfo;
  // A kernel that exports its flags exports all that it has.
  const areExported = info.number('PG_lru') !== undefined;
  const mask = (name: string): number => {
    const bit = info.number(name) ?? (areExported ? undefined : flagBit(kernel.types, name));
    return bit === undefined || bit > 31 ? 0 : 1 << bit;
  };
  return {
    lru: mask('PG_lru'),
    private: mask('PG_private'),
    swapCache: mask('PG_swapcache'),
    swapBacked: mask('PG_swapbacked'),
    slab: mask('PG_slab'),
    head: info.number('PG_head_mask') ?? mask('PG_head'),
    poison: mask('PG_hwpoison'),
  };
}

function flagBit(types: TypeTable, name: string): number | undefined {
  if (types.find('enum pageflags') === undefined) return undefined;
  const value = types.enumerators('enum pageflags').get(name);
  return value === undefined ? undefined : Number(value);
}

function hugetlbMark(info: Vmcoreinfo): PageLayout['hugetlb'] {
  // Since v6.9 (d99e3140a4d3) a page type; v6.6 to v6.8 a flag of the second page; before that the
  // destructor's number in the second page.
  const type = pageType(info.number('PAGE_HUGETLB_MAPCOUNT_VALUE'));
  if (type !== undefined) return { kind: 'type', type };
  const destructor = info.number('HUGETLB_PAGE_DTOR');
  if (destructor !== undefined) return { kind: 'destructor', value: destructor };
  const flag = info.number('PG_hugetlb');
  return { kind: 'flag', value: flag === undefined ? 0 : 1 << flag };
}

function vmemmapBase(kernel: PageKernel): bigint {
  const told = attempt(() => vmemmapOfSections(kernel));
  if (told !== undefined) return told;
  const symbol = kernel.symbols.inKernel('vmemmap_base');
  if (symbol !== undefined) return kernel.memory.u64(symbol.address);
  // Without CONFIG_RANDOMIZE_MEMORY it is fixed: Documentation/arch/x86/x86_64/mm.rst.
  return kernel.memory.root.levels === 5 ? 0xffd4000000000000n : 0xffffea0000000000n;
}

/** SECTION_MARKED_PRESENT and SECTION_HAS_MEM_MAP, include/linux/mmzone.h. */
const hasMemMap = 3n;
/** NR_SECTION_ROOTS of five levels is half of that. */
const maxRoots = 1 << 18;

/**
 * From the first section of memory: it has its map less its first PFN, which is the base. That
 * VMCOREINFO leads there; vmemmap_base takes the symbol table. Undefined where it does not.
 */
function vmemmapOfSections({ memory, vmcoreinfo: info }: PageKernel): bigint | undefined {
  const roots = info.symbol('mem_section');
  const size = info.size('mem_section');
  const offset = info.offset('mem_section.section_mem_map');
  const count = info.length('mem_section');
  if (roots === undefined || size === undefined || offset === undefined || count === undefined) {
    return undefined;
  }
  if (size < 8 || size > basePageSize || offset < 0 || offset + 8 > size) return undefined;
  for (let index = 0; index < Math.min(count, maxRoots); index++) {
    const root = memory.u64(roots + BigInt(index) * 8n);
    if (root === 0n) continue;
    const sections = memory.view(root, Math.floor(basePageSize / size) * size);
    for (let at = offset; at + 8 <= sections.byteLength; at += size) {
      const map = sections.getBigUint64(at, true);
      // Flags are in the low bits; the base is at a multiple of much more than a page.
      if ((map & hasMemMap) === hasMemMap) return map & ~0xfffn;
    }
  }
  return undefined;
}
