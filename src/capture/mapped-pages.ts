/**
 * All RAM as a kernel sees it that maps it in one piece: a mini kernel at its own address, the
 * crashed kernel in its direct map. Each large page is looked up once, as a TLB would.
 */

import type { Page } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { basePageSize } from '../linux/paging.ts';
import type { Machine } from '../machine/machine.ts';
import { largePage } from '../machine/page-tables.ts';

const pagesInLarge = Number(largePage) / basePageSize;

/** All RAM, as the panicking CPU sees it in the kernel's direct map. */
export function directMap(machine: Machine): MappedPages {
  const { panicCpu } = machine;
  return new MappedPages(machine, panicCpu.memory, panicCpu.pageOffset);
}

export class MappedPages {
  readonly #machine: Machine;
  readonly #tables: AddressSpace;
  readonly #base: bigint;
  /** By number of the large page: the PFN that its first page is mapped to. */
  readonly #large = new Map<number, number>();

  /** `base`: where the tables map physical address 0. */
  constructor(machine: Machine, tables: AddressSpace, base: bigint) {
    this.#machine = machine;
    this.#tables = tables;
    this.#base = base;
  }

  /** What is read at a PFN; its bytes never change. DumpErrors are faults. */
  page(pfn: number): Page {
    return this.#machine.memory.stablePage(this.pfnBehind(pfn));
  }

  /** The page frame that a PFN's address really leads to. */
  pfnBehind(pfn: number): number {
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
