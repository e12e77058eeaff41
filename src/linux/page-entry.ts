/**
 * What an x86-64 page table entry says apart from its place: flags, and where a page was swapped
 * to.
 * Source: Intel SDM volume 3, chapter 4; Linux arch/x86/include/asm/{pgtable_types,pgtable_64}.h.
 */

import { addressMask, pagePresent, pageProtNone } from './paging.ts';

const flagBits: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'PRESENT'],
  [1n, 'RW'],
  [2n, 'USER'],
  [3n, 'PWT'],
  [4n, 'PCD'],
  [5n, 'ACCESSED'],
  [6n, 'DIRTY'],
  [7n, 'PSE'],
  [8n, 'GLOBAL'],
  [63n, 'NX'],
];

export interface SwapPlace {
  /** Index in swap_info[]; the highest ones are no devices but migration and poison marks. */
  readonly type: number;
  /** In pages. */
  readonly offset: bigint;
}

export interface PageEntry {
  readonly kind: 'present' | 'none' | 'swap';
  /** The page's physical address; 0 for `none` and `swap`. */
  readonly physical: bigint;
  /** PRESENT RW USER PWT PCD ACCESSED DIRTY PSE (or PAT) GLOBAL NX, PROTNONE. */
  readonly flags: readonly string[];
  readonly swap?: SwapPlace;
}

export function readPageEntry(entry: bigint): PageEntry {
  if (entry === 0n) return { kind: 'none', physical: 0n, flags: [] };
  if ((entry & pagePresent) !== 0n) {
    const flags = flagBits.filter(([bit]) => ((entry >> bit) & 1n) !== 0n).map(([, name]) => name);
    return { kind: 'present', physical: entry & addressMask, flags };
  }
  if ((entry & pageProtNone) !== 0n) {
    // Inverted since v4.19 (6b28baca9b1f "x86/speculation/l1tf: Protect PROT_NONE PTEs").
    const flags = flagBits
      .filter(([bit, name]) => name !== 'GLOBAL' && ((entry >> bit) & 1n) !== 0n)
      .map(([, name]) => name);
    return { kind: 'present', physical: ~entry & addressMask, flags: ['PROTNONE', ...flags] };
  }
  // Type in bits 59 to 63, offset inverted in bits 9 to 58, since v4.18 (bcd11afa7adad
  // "x86/speculation/l1tf: Change order of offset/type in swap entry").
  const swap = { type: Number(entry >> 59n), offset: ((~entry << 5n) & (2n ** 64n - 1n)) >> 14n };
  return { kind: 'swap', physical: 0n, flags: [], swap };
}
