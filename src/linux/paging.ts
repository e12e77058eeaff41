/**
 * x86-64 page tables of four and five levels with 2 MB and 1 GB pages.
 * Source: Intel SDM volume 3, chapter 4 (paging); Linux arch/x86/include/asm/pgtable_types.h.
 */

import { DumpError, within } from '../bytes/errors.ts';
import type { PhysicalMemory } from './physical.ts';

/** The smallest page of x86-64, bytes. */
export const basePageSize = 4096;

export interface PageTableRoot {
  /** Physical address of the top table. */
  readonly physical: bigint;
  readonly levels: 4 | 5;
  /** Bits of an entry that are no address although they lie in its field: AMD memory encryption. */
  readonly encryptionMask: bigint;
}

export interface Translation {
  readonly physical: bigint;
  /** 4096, 2 MB or 1 GB: the size of the mapping that was found. */
  readonly pageSize: number;
  /** May the kernel write there? Every level must allow it. */
  readonly writable: boolean;
  /** May it be executed? No level forbids it. */
  readonly executable: boolean;
  /** The entry that maps the page, with all its flags. */
  readonly entry: bigint;
  /** The physical address of that entry. */
  readonly entryAddress: bigint;
}

export const pagePresent = 1n << 0n;
export const pageWritable = 1n << 1n;
/** PSE: in entries of the second and third level. */
export const pageLarge = 1n << 7n;
const pageNoExecute = 1n << 63n;
/** Set in a not-present entry whose page is there all the same (PROT_NONE, NUMA hinting). */
export const pageProtNone = 1n << 8n;
/** The address field of an entry. */
export const addressMask = 0x000f_ffff_ffff_f000n;

const levelNames = ['', 'PTE', 'PMD', 'PUD', 'P4D', 'PGD'] as const;

/** Is the address sign-extended from the top bit that this many levels translate? */
export function isCanonical(address: bigint, levels: 4 | 5): boolean {
  const bits = levels === 5 ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address;
}

/** One entry on the way down. */
export interface WalkStep {
  /** `PGD`, `P4D`, `PUD`, `PMD`, `PTE`; with four levels the top one is the PGD. */
  readonly level: string;
  /** Physical address of the entry. */
  readonly address: bigint;
  readonly entry: bigint;
}

/**
 * Walks the tables; `absent` names the level whose entry is not present. `visit` sees every entry,
 * also the one that ends the walk.
 */
export function walk(
  memory: PhysicalMemory,
  root: PageTableRoot,
  virtual: bigint,
  visit?: (step: WalkStep) => void,
): Translation {
  if (!isCanonical(virtual, root.levels)) {
    throw new DumpError('absent', 'not a canonical address', { where: { virtual } });
  }
  // Numbers hold a page and a physical address; the tables are walked for millions of pages.
  const page = Number(BigInt.asUintN(57, virtual) >> 12n);
  let table = Number(root.physical);
  let allowed = pageWritable;
  let forbidden = 0n;
  for (let level: number = root.levels; ; level--) {
    const shift = 9 * (level - 1);
    // Four levels: the P4D is folded, the top table is called PGD.
    const name = level === root.levels ? 'PGD' : levelNames[level]!;
    const address = table + (Math.floor(page / 2 ** shift) % 512) * 8;
    const entry = entryAt(memory, address, name, virtual);
    visit?.({ level: name, address: BigInt(address), entry });
    const target = entryTarget(entry, level, root);
    if (target === undefined) {
      throw new DumpError('absent', `not mapped: the ${name} entry is 0x${entry.toString(16)}`, {
        where: { virtual },
      });
    }
    allowed &= entry;
    forbidden |= entry & pageNoExecute;
    if (target.isPage) {
      const offsetMask = (1n << BigInt(12 + shift)) - 1n;
      return {
        physical: (target.physical & ~offsetMask) | (virtual & offsetMask),
        pageSize: basePageSize * 2 ** shift,
        writable: allowed !== 0n,
        executable: forbidden === 0n,
        entry,
        entryAddress: BigInt(address),
      };
    }
    table = Number(target.physical);
  }
}

function entryAt(memory: PhysicalMemory, address: number, name: string, virtual: bigint): bigint {
  try {
    return memory.u64At(address);
  } catch (error) {
    return within(`${name} entry`, { virtual }, () => {
      throw error;
    });
  }
}

export interface EntryTarget {
  /** It maps a page; else it leads to a table. */
  readonly isPage: boolean;
  /** Of a large page, low bits that are flags may be set. */
  readonly physical: bigint;
}

/** Where an entry of a table of `level` (1: PTE) leads; undefined where nothing is mapped. */
export function entryTarget(
  entry: bigint,
  level: number,
  { encryptionMask }: PageTableRoot,
): EntryTarget | undefined {
  const isPage = level === 1 || ((level === 2 || level === 3) && (entry & pageLarge) !== 0n);
  const protNone = isPage && (entry & pageProtNone) !== 0n;
  if ((entry & pagePresent) === 0n && !protNone) return undefined;
  return { isPage, physical: frameOf(entry) & ~encryptionMask };
}

/**
 * The address field of an entry. A PROT_NONE entry holds it inverted, so that speculation misses
 * memory (since v4.19, 6b28baca9b1f "x86/speculation/l1tf: Protect PROT_NONE PTEs").
 */
function frameOf(entry: bigint): bigint {
  const inverted = entry !== 0n && (entry & pagePresent) === 0n;
  return (inverted ? ~entry : entry) & addressMask;
}
