/**
 * All RAM as a kernel sees it that maps it in one piece: a mini kernel at its own address, the
 * crashed kernel in its direct map. Each large page is looked up once, as a TLB would, and the
 * table of one that is mapped page by page is kept as a CPU keeps it, until somebody writes to it.
 */

import type { Page } from '../dump/types.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { basePageSize, pagePresent, type Translation } from '../linux/paging.ts';
import type { Machine } from '../machine/machine.ts';
import { largePage } from '../machine/page-tables.ts';

const pagesInLarge = Number(largePage) / basePageSize;
const presentBit = Number(pagePresent);

/** All RAM, as the panicking CPU sees it in the kernel's direct map. */
export function directMap(machine: Machine): MappedPages {
  const { panicCpu } = machine;
  return new MappedPages(machine, panicCpu.memory, panicCpu.pageOffset);
}

export class MappedPages {
  readonly #machine: Machine;
  readonly #tables: AddressSpace;
  readonly #base: bigint;
  /** By number of the large page. */
  readonly #known = new Map<number, Mapping>();

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
    const inLarge = pfn % pagesInLarge;
    const known = this.#known.get(index);
    const cached = known === undefined ? undefined : this.#by(known, inLarge);
    if (cached !== undefined) return cached;
    const found = this.#tables.translate(this.#base + BigInt(pfn) * BigInt(basePageSize));
    const frame = Number(found.physical / BigInt(basePageSize));
    if (found.pageSize >= Number(largePage)) this.#known.set(index, { first: frame - inLarge });
    else if (this.#isPlain) this.#known.set(index, this.#tableOf(found));
    return frame;
  }

  /** An entry is at the number of its page, and its address field holds nothing else. */
  get #isPlain(): boolean {
    return this.#base % largePage === 0n && this.#tables.root.encryptionMask === 0n;
  }

  #tableOf({ entryAddress }: Translation): Mapping {
    const pfn = Number(entryAddress / BigInt(basePageSize));
    const table = this.#machine.memory.stablePage(pfn).bytes!;
    return { pfn, table, entries: new DataView(table.buffer, table.byteOffset, table.length) };
  }

  /** Undefined where the tables must be asked: they changed, or nothing is mapped. */
  #by(mapping: Mapping, inLarge: number): number | undefined {
    if ('first' in mapping) return mapping.first + inLarge;
    const { pfn, table, entries } = mapping;
    const { memory } = this.#machine;
    if (memory.readPage(pfn).bytes !== table) return undefined;
    memory.watcher?.onRead(pfn, 8 * inLarge, 8 * inLarge + 8, 'page table');
    const low = entries.getUint32(8 * inLarge, true);
    if ((low & presentBit) === 0) return undefined;
    return (entries.getUint32(8 * inLarge + 4, true) & 0xfffff) * 2 ** 20 + (low >>> 12);
  }
}

/** In one piece, from a page frame on; or page by page, by the table in that page frame. */
type Mapping =
  | { readonly first: number }
  | { readonly pfn: number; readonly table: Uint8Array; readonly entries: DataView };
