/**
 * What struct page says of one page frame, and which slab cache an object belongs to.
 * Source: include/linux/{mm_types,page-flags}.h, mm/slab.h.
 */

import { DumpError } from '../bytes/errors.ts';
import { type KernelObject, memberAddress } from './objects.ts';
import { isSlab, type PageKernel, type PageLayout, pageLayout } from './page-layout.ts';

/** What reading page frames needs of the kernel; `KernelCore` is one. */
export interface FrameKernel extends PageKernel {
  readonly pageOffset: bigint;
  object(type: string, address: bigint): KernelObject;
}

export interface PageFrame {
  /** The address of its struct page. */
  readonly page: bigint;
  readonly mapping: bigint;
  readonly index: bigint;
  readonly count: number;
  readonly flags: bigint;
  /** Names of the flags that are set, lowest bit first: `reserved`, `slab`. */
  readonly names: readonly string[];
}

/** The size of the largest direct map: 64 TB with four levels of page tables. */
const directMapSize = 1n << 46n;
/** 52 bits of physical address are all that x86-64 has. */
const maxPfn = 1n << 40n;
/** The names of caches are short words. */
const maxCacheName = 64;

export class PageFrames {
  readonly #kernel: FrameKernel;
  readonly #layout: PageLayout;
  #names: ReadonlyMap<number, string> | undefined;

  constructor(kernel: FrameKernel) {
    this.#kernel = kernel;
    this.#layout = pageLayout(kernel);
  }

  /** Throws where there is no struct page: no RAM, or not in the dump. */
  frame(pfn: number): PageFrame {
    const address = this.pageOf(pfn);
    const page = this.#kernel.object('struct page', address);
    const flags = this.#kernel.memory.u64(memberAddress(page, 'flags'));
    const { types, memory } = this.#kernel;
    // Since v6.16 (acc53a0b4c156 "mm: rename page->index to page->__folio_index").
    const index = types.hasMember('struct page', 'index') ? 'index' : '__folio_index';
    return {
      page: address,
      mapping: memory.u64(memberAddress(page, 'mapping')),
      index: memory.u64(memberAddress(page, index)),
      count: memory.i32(memberAddress(page, '_refcount.counter')),
      flags,
      names: this.#namesOf(flags),
    };
  }

  /** Where the struct page of a page frame stands, if it has one. */
  pageOf(pfn: number): bigint {
    return this.#layout.vmemmap + BigInt(pfn) * BigInt(this.#layout.size);
  }

  /** The page frame whose struct page stands at `address`; undefined where none does. */
  pfnOf(address: bigint): number | undefined {
    const { vmemmap, size } = this.#layout;
    const distance = address - vmemmap;
    if (distance < 0n || distance % BigInt(size) !== 0n) return undefined;
    const pfn = distance / BigInt(size);
    return pfn < maxPfn ? Number(pfn) : undefined;
  }

  /** The name of the slab cache that has the object at a direct-map address; undefined: none. */
  slabCache(address: bigint): string | undefined {
    const { pageOffset } = this.#kernel;
    if (address < pageOffset || address >= pageOffset + directMapSize) return undefined;
    try {
      return this.#slabCache(Number((address - pageOffset) >> 12n));
    } catch (error) {
      // No RAM there, or its struct page is not in the dump: it is no object that we know of.
      if (error instanceof DumpError) return undefined;
      throw error;
    }
  }

  #slabCache(pfn: number): string | undefined {
    const { vmemmap, size, offsets } = this.#layout;
    const { memory, types } = this.#kernel;
    let page = vmemmap + BigInt(pfn) * BigInt(size);
    const head = memory.u64(page + BigInt(offsets.compoundHead));
    if ((head & 1n) !== 0n) page = head - 1n;
    if (!this.#isSlab(page)) return undefined;
    // Since v5.17 (d122019bf061 "mm: Split slab into its own type").
    const owner = types.find('struct slab') === undefined ? 'struct page' : 'struct slab';
    const cache = this.#kernel.object(owner, page).slab_cache as KernelObject | null;
    if (cache === null) return undefined;
    return memory.cstring(memory.u64(memberAddress(cache, 'name')), maxCacheName);
  }

  #isSlab(page: bigint): boolean {
    const { memory } = this.#kernel;
    const { offsets } = this.#layout;
    const flags = memory.u32(page + BigInt(offsets.flags));
    return isSlab(this.#layout, flags, memory.i32(page + BigInt(offsets.mapcount)));
  }

  #namesOf(flags: bigint): string[] {
    this.#names ??= flagNames(this.#kernel);
    const names: string[] = [];
    for (const [bit, name] of this.#names) {
      if (((flags >> BigInt(bit)) & 1n) !== 0n) names.push(name);
    }
    return names;
  }
}

/** By bit; of several names for a bit the first, which is what it is in itself. */
function flagNames(kernel: FrameKernel): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  if (kernel.types.find('enum pageflags') === undefined) return names;
  const values = kernel.types.enumerators('enum pageflags');
  // Zone, node and section lie above the flags.
  const end = Number(values.get('__NR_PAGEFLAGS') ?? 64n);
  for (const [name, value] of values) {
    const bit = Number(value);
    if (name.startsWith('PG_') && bit < end && !names.has(bit)) names.set(bit, name.slice(3));
  }
  return new Map([...names].sort(([a], [b]) => a - b));
}
