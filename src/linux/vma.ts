/**
 * The mappings of a process: its maple tree since v6.1, the list of its mm before.
 * Source: include/linux/mm_types.h.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { ObjectOf } from './kernel-types.ts';
import { mapleRoot, walkMaple } from './maple.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, hasMember, type KernelObject, memberAddress } from './objects.ts';
import type { TypeTable } from './types.ts';

/** What walking mappings needs of the kernel; `KernelCore` is one. */
export interface VmaKernel {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
  object(type: string, address: bigint): KernelObject;
}

/** What naming flags needs of it. */
export interface FlagKernel {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
  symbol(name: string): { readonly address: bigint };
}

type Vma = ObjectOf<'struct vm_area_struct'>;

export interface VmaWalk {
  /** By address. */
  readonly vmas: readonly Vma[];
  /** Why some may be missing; empty where the walk came to its end. */
  readonly problems: readonly DumpError[];
}

/** vm.max_map_count can be raised at will; no process of ours has had more. */
const maxVmas = 1024 * 1024;

/** The mappings of an mm_struct. What cannot be read is left out and told. */
export function vmasOf(kernel: VmaKernel, mm: KernelObject): VmaWalk {
  // Since v6.1 (763ecb035029 "mm: remove the vma linked list").
  return hasMember(mm, 'mm_mt') ? walkVmaTree(kernel, mm) : walkVmaList(mm);
}

/** The mapping that holds `address`. */
export function findVma(walk: VmaWalk, address: bigint): Vma | undefined {
  return walk.vmas.find((vma) => vma.vm_start <= address && address < vma.vm_end);
}

function walkVmaList(mm: KernelObject): VmaWalk {
  const vmas: KernelObject[] = [];
  const problems: DumpError[] = [];
  const seen = new Set<bigint>();
  try {
    for (let vma = mm.mmap as KernelObject | null; vma !== null; vma = vma.vm_next) {
      const virtual = addressOf(vma);
      if (seen.has(virtual) || seen.size >= maxVmas) {
        throw new DumpError('corrupt', 'the list of mappings has no end', { where: { virtual } });
      }
      seen.add(virtual);
      // A mapping that cannot be read is not one.
      void vma.vm_start;
      vmas.push(vma);
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    problems.push(error);
  }
  return { vmas, problems };
}

function walkVmaTree(kernel: VmaKernel, mm: KernelObject): VmaWalk {
  const vmas: Vma[] = [];
  const problems: DumpError[] = [];
  const onProblem = (problem: DumpError): void => void problems.push(problem);
  attempt(() => {
    const root = mapleRoot(kernel, memberAddress(mm, 'mm_mt'));
    for (const found of walkMaple(kernel, root, onProblem)) {
      // Entries below one page are the tree's own: XA_ZERO_ENTRY marks what fork() did not copy.
      if (found.kind === 'node' || found.entry < 4096n) continue;
      attempt(() => vmas.push(vmaAt(kernel, found.entry)), onProblem);
    }
  }, onProblem);
  return { vmas, problems };
}

function vmaAt(kernel: VmaKernel, virtual: bigint): Vma {
  const vma = kernel.object('struct vm_area_struct', virtual);
  if (vma.vm_start >= vma.vm_end) {
    throw new DumpError('corrupt', 'a mapping ends before it begins', { where: { virtual } });
  }
  return vma;
}

/** What one of the bits of vm_flags, or several together, are called. */
export interface MappingFlag {
  readonly mask: bigint;
  /** `read`, `maywrite`, `pfnmap`. */
  readonly name: string;
}

/** vm_flags has 64 bits, few of which have two names. */
const maxFlags = 128;
const maxFlagName = 32;

/**
 * In the kernel's own words: mm/debug.c has them in a table since v4.6 (edf14cdbf9a0 "mm, printk:
 * introduce new format string for flags"). The numbers differ between kernels.
 */
export function mappingFlagNames(kernel: FlagKernel): readonly MappingFlag[] {
  const { memory, types } = kernel;
  const entry = 'struct trace_print_flags';
  const table = kernel.symbol('vmaflag_names').address;
  const size = BigInt(types.sizeOf(entry));
  const flags: MappingFlag[] = [];
  for (let at = table; flags.length < maxFlags; at += size) {
    const name = memory.u64(at + BigInt(types.offsetOf(entry, 'name')));
    if (name === 0n) return flags;
    const mask = memory.u64(at + BigInt(types.offsetOf(entry, 'mask')));
    flags.push({ mask, name: memory.cstring(name, maxFlagName) });
  }
  throw new DumpError('corrupt', 'the names of vm_flags have no end', {
    where: { virtual: table },
  });
}
