/**
 * All RAM through page tables that map it in one piece: at its own address, as a mini kernel has
 * it, or in the kernel's direct map. Each large page is looked up once, as a TLB would.
 */

import type { Page } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { basePageSize } from '../linux/paging.ts';
import type { Machine } from '../machine/machine.ts';
import { largePage } from '../machine/page-tables.ts';

const pagesInLarge = Number(largePage) / basePageSize;

export class MappedPages {
  readonly #machine: Machine;
  readonly #tables: AddressSpace;
  /** Where physical address 0 is mapped to. */
  readonly #base: bigint;
  /** By number of the large page: the PFN that its first page is mapped to. */
  readonly #large = new Map<number, number>();

  /** `base`: where physical address 0 is mapped to. */
  constructor(machine: Machine, tables: AddressSpace, base: bigint) {
    this.#machine = machine;
    this.#tables = tables;
    this.#base = base;
  }

  /** What is read at a PFN; its bytes never change. DumpErrors are faults. */
  page(pfn: number): Page {
    return this.#machine.memory.stablePage(this.#pfnBehind(pfn));
  }

  #pfnBehind(pfn: number): number {
    const index = Math.floor(pfn / pagesInLarge);
    const known = this.#large.get(index);
    if (known !== undefined) return known + (pfn % pagesInLarge);
    const { physical, pageSize } = this.#tables.translate(
      this.#base + BigInt(pfn) * BigInt(basePageSize),
    );
    const found = Number(physical / BigInt(basePageSize));
    if (pageSize >= Number(largePage)) this.#large.set(index, found - (pfn % pagesInLarge));
    return found;
  }
}
