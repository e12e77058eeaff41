/** Memory made by hand: pages, page tables over them, and an address space to read through. */

import type { MemoryImage, Page, PageRun, PageState } from '../../src/dump/types.ts';
import { AddressSpace } from '../../src/linux/memory.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';

const pageSize = 4096;

/** A physical memory of which only what was written is there. */
export class HandMadeMemory implements MemoryImage {
  readonly name = 'hand-made memory';
  readonly pageSize = pageSize;
  readonly pages = new Map<number, Uint8Array>();
  readonly states = new Map<number, PageState>();
  #nextTable: bigint;

  /** Page tables are put from `tables` upwards. */
  constructor(tables = 0x100_0000n) {
    this.#nextTable = tables;
  }

  get endPfn(): number {
    return Math.max(0, ...this.pages.keys()) + 1;
  }

  state(pfn: number): PageState {
    return this.states.get(pfn) ?? (this.pages.has(pfn) ? 'stored' : 'missing');
  }

  readPage(pfn: number): Page {
    const state = this.state(pfn);
    return { state, bytes: state === 'stored' ? this.pages.get(pfn) : undefined };
  }

  *runs(): Iterable<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
    }
  }

  write(physical: bigint, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      const address = Number(physical) + at;
      const pfn = Math.floor(address / pageSize);
      let page = this.pages.get(pfn);
      if (page === undefined) {
        page = new Uint8Array(pageSize);
        this.pages.set(pfn, page);
      }
      page[address % pageSize] = bytes[at]!;
    }
  }

  writeU64(physical: bigint, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(physical, bytes);
  }

  readU64(physical: bigint): bigint {
    return new PhysicalMemory(this).u64(physical);
  }

  newTable(): bigint {
    const table = this.#nextTable;
    this.#nextTable += BigInt(pageSize);
    this.write(table, new Uint8Array(pageSize));
    return table;
  }

  /** Maps one page; `size` 4096, 2 MB or 1 GB. */
  map(root: bigint, levels: 4 | 5, virtual: bigint, physical: bigint, size = pageSize): void {
    const lastLevel = size === pageSize ? 1 : size === 2 * 1024 * 1024 ? 2 : 3;
    let table = root;
    for (let level: number = levels; level > lastLevel; level--) {
      const entry = table + ((virtual >> BigInt(12 + 9 * (level - 1))) & 0x1ffn) * 8n;
      if (this.readU64(entry) === 0n) this.writeU64(entry, this.newTable() | 0x3n);
      table = this.readU64(entry) & 0x000f_ffff_ffff_f000n;
    }
    const entry = table + ((virtual >> BigInt(12 + 9 * (lastLevel - 1))) & 0x1ffn) * 8n;
    this.writeU64(entry, physical | 0x3n | (lastLevel > 1 ? 0x80n : 0n));
  }
}

/**
 * An address space in which `pages` 4 KB pages from `virtual` are mapped and written with `bytes`.
 */
export function addressSpaceWith(virtual: bigint, bytes: Uint8Array): AddressSpace {
  const memory = new HandMadeMemory();
  const root = memory.newTable();
  const start = virtual & ~0xfffn;
  const end = virtual + BigInt(bytes.length);
  let physical = 0x20_0000n;
  for (let page = start; page < end; page += 4096n, physical += 4096n) {
    memory.map(root, 4, page, physical);
    memory.write(physical, new Uint8Array(pageSize));
  }
  memory.write(0x20_0000n + (virtual - start), bytes);
  return new AddressSpace(new PhysicalMemory(memory), {
    physical: root,
    levels: 4,
    encryptionMask: 0n,
  });
}
