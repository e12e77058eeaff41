/**
 * Changes of the kernel's own page tables at set-up: a page mapped as vmap() or the module loader
 * map one, and the direct map of a loaded crash kernel made read-only, by smaller pages where a
 * large one reaches beyond it. Source: arch/x86/kernel/machine_kexec_64.c kexec_mark_crashkres(),
 * arch/x86/mm/pat/set_memory.c, arch/x86/include/asm/pgtable_64_types.h.
 */

import { assert, attempt } from '../bytes/errors.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { addressMask, basePageSize, pageLarge, pageWritable } from '../linux/paging.ts';
import { u64Bytes } from './edit.ts';
import type { Machine } from './machine.ts';
import { PageTables, smallPage, tableEntry } from './page-tables.ts';
import { type PhysicalRange, without } from './ram.ts';
import { takePages } from './region.ts';

/** VMALLOC_START without CONFIG_RANDOMIZE_MEMORY, by levels of paging. */
const defaultVmalloc = { 4: 0xffff_c900_0000_0000n, 5: 0xffa0_0000_0000_0000n } as const;
/** What one entry of the top table of four levels maps: all processes share the table behind it. */
const sharedSize = 1n << 39n;
const windowSize = 2n * 1024n * 1024n;

const entries = 512;

/** Maps a page read-write and executable at an address of the vmalloc area; gives that address. */
export function mapIntoKernel(machine: Machine, layout: PageLayout, physical: bigint): bigint {
  const address = freeAddress(machine);
  const allocate = (): bigint => {
    const [page] = takePages(machine, layout, 1, 'page table');
    assert(page !== undefined, 'a page was taken');
    return page;
  };
  const tables = new PageTables(machine.memory, machine.kernel.memory.root, allocate);
  tables.map(address, physical, smallPage);
  return address;
}

/** Far from whatever the kernel itself maps there, which starts at the bottom. */
function freeAddress(machine: Machine): bigint {
  const { symbols, memory } = machine.kernel;
  const base = symbols.inKernel('vmalloc_base');
  const start = base === undefined ? defaultVmalloc[memory.root.levels] : memory.u64(base.address);
  const end = (start / sharedSize + 1n) * sharedSize;
  for (let address = end - windowSize; address < end; address += smallPage) {
    if (attempt(() => machine.virtual.translate(address)) === undefined) return address;
  }
  throw new Error('assertion failed: a window of the vmalloc area has a free page');
}

/** Makes a region read-only in the direct map, but for the page that the jump is written to. */
export function protectRegion(
  machine: Machine,
  layout: PageLayout,
  region: PhysicalRange,
  writable: PhysicalRange,
): void {
  let split = 0;
  for (const { start, end } of without([region], writable)) {
    for (let at = start; at < end; ) {
      const virtual = machine.kernel.toVirtual(BigInt(at));
      const { entry, entryAddress, pageSize } = machine.virtual.translate(virtual);
      const first = at - (at % pageSize);
      if (first >= start && first + pageSize <= end) {
        machine.memory.write(entryAddress, u64Bytes(entry & ~pageWritable));
        at = first + pageSize;
        continue;
      }
      assert(pageSize > basePageSize, 'a region is made of whole pages');
      splitPage(machine, layout, { entry, entryAddress, pageSize });
      split++;
    }
  }
  const what = `direct map of the crash kernel's region made read-only, ${split} large pages split`;
  machine.edits.push({ what });
}

/** The same mapping by a table of 512 smaller pages. */
function splitPage(
  machine: Machine,
  layout: PageLayout,
  page: { readonly entry: bigint; readonly entryAddress: bigint; readonly pageSize: number },
): void {
  const { encryptionMask } = machine.kernel.memory.root;
  const [table] = takePages(machine, layout, 1, 'page table');
  assert(table !== undefined, 'a page was taken');
  const size = BigInt(page.pageSize / entries);
  const first = page.entry & addressMask & ~encryptionMask & ~(BigInt(page.pageSize) - 1n);
  const allFlags = page.entry & ~addressMask;
  const flags = size === smallPage ? allFlags & ~pageLarge : allFlags;
  const bytes = new Uint8Array(basePageSize);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < entries; index++) {
    const entry = first | (page.entry & encryptionMask) | flags;
    view.setBigUint64(index * 8, entry + BigInt(index) * size, true);
  }
  machine.memory.write(table, bytes);
  machine.memory.write(page.entryAddress, u64Bytes(tableEntry(table) | encryptionMask));
}
