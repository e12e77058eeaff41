/**
 * Page tables written into the machine's physical memory.
 * Source: Intel SDM volume 3, chapter 4; arch/x86/include/asm/pgtable_types.h.
 */

import { DumpError } from '../bytes/errors.ts';
import { addressMask, type PageTableRoot, pageLarge, pagePresent } from '../linux/paging.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { u64Bytes } from './edit.ts';
import type { MachineMemory } from './memory.ts';

/** _KERNPG_TABLE: present, writable, accessed, dirty. */
const tableFlags = 0x63n;
/** __PAGE_KERNEL_EXEC without its global bit: crosses a change of page tables. */
const pageFlags = 0x63n;

export const smallPage = 4096n;
export const largePage = 2n * 1024n * 1024n;

/** An entry that leads to a table. */
export function tableEntry(table: bigint): bigint {
  return table | tableFlags;
}

export class PageTables {
  readonly root: PageTableRoot;
  readonly #memory: MachineMemory;
  readonly #physical: PhysicalMemory;
  readonly #allocate: () => bigint;

  /**
   * `allocate` gives the physical address of a page for one more table, zeroed or a valid table.
   */
  constructor(memory: MachineMemory, root: PageTableRoot, allocate: () => bigint) {
    this.root = root;
    this.#memory = memory;
    this.#physical = new PhysicalMemory(memory);
    this.#allocate = allocate;
  }

  /**
   * Maps one page of 4 KB, or of 2 MB, read-write and executable. An existing mapping is replaced.
   */
  map(virtual: bigint, physical: bigint, size: typeof smallPage | typeof largePage): void {
    const leaf = size === largePage ? 2 : 1;
    let table = this.root.physical;
    for (let level: number = this.root.levels; level > leaf; level--) {
      const entryAddress = entryOf(table, level, virtual);
      const entry = this.#physical.u64(entryAddress);
      if ((entry & pagePresent) === 0n) {
        table = this.#allocate();
        this.#set(entryAddress, tableEntry(table));
      } else {
        if (level <= 3 && (entry & pageLarge) !== 0n) {
          throw new DumpError('usage', 'a larger page is mapped there', { where: { virtual } });
        }
        table = entry & addressMask & ~this.root.encryptionMask;
      }
    }
    const flags = leaf === 2 ? pageFlags | pageLarge : pageFlags;
    this.#set(entryOf(table, leaf, virtual), physical | flags);
  }

  #set(entryAddress: bigint, entry: bigint): void {
    this.#memory.write(entryAddress, u64Bytes(entry | this.root.encryptionMask));
  }
}

function entryOf(table: bigint, level: number, virtual: bigint): bigint {
  return table + ((virtual >> BigInt(12 + 9 * (level - 1))) & 0x1ffn) * 8n;
}
