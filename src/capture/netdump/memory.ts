/**
 * The crashed kernel's memory as netdump answers for it: RAM by the kernel's resource tree, a page
 * by its struct page and its place in the direct map, all as they are by now. What was found holds
 * as long as no byte of memory changes.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import type { Machine } from '../../machine/machine.ts';
import { type PhysicalRange, pagesOf, systemRam } from '../../machine/ram.ts';
import { canAllocate } from '../_net/kmalloc.ts';
import { directMap, type MappedPages } from '../mapped-pages.ts';

export type PageAnswer =
  | { readonly kind: 'page'; readonly bytes: Uint8Array }
  /** No RAM here; `next` is the next page that is. */
  | { readonly kind: 'reserved'; readonly next: number }
  | { readonly kind: 'error'; readonly text: string };

interface Known {
  readonly generation: number;
  readonly ram: readonly { readonly first: number; readonly end: number }[];
  readonly vmemmap: bigint;
  readonly hasObjects: boolean;
  /** By number of the page of struct pages: can it be read? */
  readonly structs: Map<number, boolean>;
  readonly mapped: MappedPages;
}

export class DumpedMemory {
  readonly #machine: Machine;
  readonly #layout: PageLayout;
  #known: Known | undefined;

  constructor(machine: Machine, layout: PageLayout) {
    this.#machine = machine;
    this.#layout = layout;
  }

  /** max_pfn. */
  get endPfn(): number {
    return this.#now().ram.at(-1)?.end ?? 0;
  }

  /** Has kmalloc() an object for one more request? */
  get hasObjects(): boolean {
    return this.#now().hasObjects;
  }

  page(pfn: number): PageAnswer {
    const known = this.#now();
    const range = known.ram.find(({ end }) => pfn < end);
    if (range === undefined) return { kind: 'error', text: `page ${pfn} is beyond max_pfn` };
    if (pfn < range.first) return { kind: 'reserved', next: range.first };
    if (!this.#hasStruct(known, pfn)) {
      return { kind: 'error', text: `page ${pfn} has no struct page that can be read` };
    }
    // kern_addr_valid(), and where the address leads to.
    const found = this.#read(() => known.mapped.pfnBehind(pfn));
    if (found === undefined) {
      return { kind: 'error', text: `page ${pfn} is not in the direct map` };
    }
    const { bytes } = this.#machine.memory.stablePage(found);
    // Nobody knows what the machine had where its image has a hole.
    return bytes === undefined ? { kind: 'reserved', next: pfn + 1 } : { kind: 'page', bytes };
  }

  #now(): Known {
    const { memory, panicCpu, kernel } = this.#machine;
    if (this.#known?.generation === memory.generation) return this.#known;
    const base = kernel.symbols.inKernel('vmemmap_base');
    const reader = { memory: panicCpu.memory, types: kernel.types };
    const tree = systemRam(reader, kernel.symbol('iomem_resource').address);
    const ram = tree.map((range: PhysicalRange) => pagesOf(range, basePageSize));
    this.#known = {
      generation: memory.generation,
      ram,
      vmemmap: base === undefined ? this.#layout.vmemmap : panicCpu.memory.u64(base.address),
      hasObjects: canAllocate(this.#machine, this.#layout),
      structs: new Map(),
      mapped: directMap(this.#machine),
    };
    return this.#known;
  }

  #hasStruct({ vmemmap, structs }: Known, pfn: number): boolean {
    const at = pfn * this.#layout.size;
    const page = Math.floor(at / basePageSize);
    let is = structs.get(page);
    if (is === undefined) {
      const address = vmemmap + BigInt(at);
      is = this.#read(() => this.#machine.panicCpu.memory.u64(address)) !== undefined;
      structs.set(page, is);
    }
    return is;
  }

  /** Undefined where page tables do not lead there. A hole of the input decides nothing. */
  #read<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      if (this.#machine.stopOf(error).kind === 'lacking') throw error;
      return undefined;
    }
  }
}
