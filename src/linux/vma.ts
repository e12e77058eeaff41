/**
 * The mappings of a process: its maple tree since v6.1, the list of its mm before.
 * Source: include/linux/maple_tree.h, lib/maple_tree.c; include/linux/mm_types.h.
 */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, hasMember, type KernelObject, memberAddress } from './objects.ts';
import type { TypeTable } from './types.ts';

/** What walking mappings needs of the kernel; `KernelCore` is one. */
export interface VmaKernel {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
  object(type: string, address: bigint): KernelObject;
}

export interface VmaWalk {
  /** Views of struct vm_area_struct, by address. */
  readonly vmas: readonly KernelObject[];
  /** Why some may be missing; empty where the walk came to its end. */
  readonly problems: readonly DumpError[];
}

/** vm.max_map_count can be raised at will; no process of ours has had more. */
const maxVmas = 1024 * 1024;
/** Every node branches at least in two: a sound tree of 2^64 indexes is no deeper. */
const maxDepth = 31;

/** The mappings of an mm_struct. What cannot be read is left out and told. */
export function vmasOf(kernel: VmaKernel, mm: KernelObject): VmaWalk {
  // Since v6.1 (763ecb035029 "mm: remove the vma linked list").
  return hasMember(mm, 'mm_mt') ? new MapleWalk(kernel).run(mm) : walkVmaList(mm);
}

/** The mapping that holds `address`. */
export function findVma(walk: VmaWalk, address: bigint): KernelObject | undefined {
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

/** enum maple_type. */
const leaf64 = 1;
const range64 = 2;
const allocationRange64 = 3;
/** Nodes are aligned to 256 bytes; their pointers carry the type in bits 3 to 6. */
const nodeMask = ~0xffn;
const wholeRange = 0xffff_ffff_ffff_ffffn;

interface NodeLayout {
  readonly pivots: bigint;
  readonly slots: bigint;
  readonly count: number;
}

class MapleWalk {
  readonly #kernel: VmaKernel;
  readonly #vmas: KernelObject[] = [];
  readonly #problems: DumpError[] = [];
  readonly #seen = new Set<bigint>();
  readonly #layouts = new Map<number, NodeLayout>();

  constructor(kernel: VmaKernel) {
    this.#kernel = kernel;
  }

  run(mm: KernelObject): VmaWalk {
    this.#attempt(() => {
      const root = this.#kernel.memory.u64(memberAddress(mm, 'mm_mt.ma_root'));
      if (isNode(root)) this.#node(root, wholeRange, 0);
      else this.#entry(root);
    });
    return { vmas: this.#vmas, problems: this.#problems };
  }

  /** `last` is the highest index that the node is responsible for. */
  #node(entry: bigint, last: bigint, depth: number): void {
    const virtual = entry & nodeMask;
    if (this.#seen.has(virtual) || depth > maxDepth || this.#seen.size >= maxVmas) {
      throw new DumpError('corrupt', 'the maple tree of mappings has no end', {
        where: { virtual },
      });
    }
    this.#seen.add(virtual);
    const type = Number((entry >> 3n) & 0xfn);
    const { pivots, slots, count } = this.#layoutOf(type, virtual);
    const { memory } = this.#kernel;
    for (let index = 0; index < count; index++) {
      const pivot = index === count - 1 ? last : memory.u64(virtual + pivots + BigInt(index * 8));
      // Behind its last entry a node has zeros.
      const end = pivot === 0n && index > 0 ? last : pivot;
      const slot = memory.u64(virtual + slots + BigInt(index * 8));
      this.#attempt(() => {
        if (type === leaf64) this.#entry(slot);
        else this.#node(slot, end, depth + 1);
      });
      if (end >= last) return;
    }
  }

  #entry(entry: bigint): void {
    // Entries below one page are the tree's own: XA_ZERO_ENTRY marks what fork() did not copy.
    if (entry < 4096n) return;
    const vma = this.#kernel.object('struct vm_area_struct', entry);
    if (vma.vm_start >= vma.vm_end) {
      throw new DumpError('corrupt', 'a mapping ends before it begins', {
        where: { virtual: entry },
      });
    }
    this.#vmas.push(vma);
  }

  #layoutOf(type: number, virtual: bigint): NodeLayout {
    let layout = this.#layouts.get(type);
    if (layout === undefined) {
      if (type !== leaf64 && type !== range64 && type !== allocationRange64) {
        throw new DumpError('corrupt', `a maple node of type ${type}`, { where: { virtual } });
      }
      const name = type === allocationRange64 ? 'struct maple_arange_64' : 'struct maple_range_64';
      const { types } = this.#kernel;
      const slots = types.member(name, 'slot');
      const array = types.resolve(slots.type);
      layout = {
        pivots: BigInt(types.offsetOf(name, 'pivot')),
        slots: BigInt(slots.offset),
        count: array.size / 8,
      };
      this.#layouts.set(type, layout);
    }
    return layout;
  }

  /** One branch that is lost does not take the others with it. */
  #attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      this.#problems.push(error);
    }
  }
}

/** xa_is_node(): an internal entry that is a pointer. */
function isNode(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry > 4096n;
}
