/**
 * Memory as the mini kernel sees it: by its own page tables, which should map all RAM at its own
 * address. Each large page is looked up once, as a TLB would.
 */

import type { Page } from '../../dump/types.ts';
import type { AddressSpace } from '../../linux/memory.ts';
import { basePageSize } from '../../linux/paging.ts';
import type { Machine } from '../../machine/machine.ts';
import { largePage } from '../../machine/page-tables.ts';
import { tablesAt } from '../jump.ts';

const pagesInLarge = Number(largePage) / basePageSize;

export class MappedPages {
  readonly #machine: Machine;
  readonly #tables: AddressSpace;
  /** By number of the large page: the PFN that its first page is mapped to. */
  readonly #large = new Map<number, number>();

  /** `top`: physical address of the top page table. */
  constructor(machine: Machine, top: number) {
    this.#machine = machine;
    this.#tables = tablesAt(machine, top);
  }

  /** What is read at a PFN; its bytes never change. DumpErrors are faults. */
  page(pfn: number): Page {
    return this.#machine.memory.stablePage(this.#pfnBehind(pfn));
  }

  #pfnBehind(pfn: number): number {
    const index = Math.floor(pfn / pagesInLarge);
    const known = this.#large.get(index);
    if (known !== undefined) return known + (pfn % pagesInLarge);
    const { physical, pageSize } = this.#tables.translate(BigInt(pfn) * BigInt(basePageSize));
    const found = Number(physical / BigInt(basePageSize));
    if (pageSize >= Number(largePage)) this.#large.set(index, found - (pfn % pagesInLarge));
    return found;
  }
}
