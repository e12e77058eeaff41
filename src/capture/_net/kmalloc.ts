/**
 * kmalloc(GFP_ATOMIC) on a dead kernel: whether the slab allocator has an object left, by its own
 * lists. What it takes it gives back before the next one, so that nothing of it is written here.
 * Source: mm/slub.c (slab_alloc_node, ___slab_alloc, get_partial_node), mm/slab_common.c.
 */

import type { PageLayout } from '../../linux/page-layout.ts';
import { freeBlocks } from '../../machine/free-blocks.ts';
import type { Machine } from '../../machine/machine.ts';

/** kmalloc-64, of the first type: a request with its list links. */
const cacheIndex = 6n;

/** Reads as the allocator does: DumpErrors are its faults. */
export function canAllocate(machine: Machine, layout: PageLayout): boolean {
  const { kernel, panicCpu: cpu } = machine;
  const { types } = kernel;
  const caches = kernel.symbols.inKernel('kmalloc_caches');
  // Another allocator than SLUB, or none whose structures are known: nothing is asked of it.
  if (caches === undefined || types.find('struct kmem_cache_cpu') === undefined) return true;
  const cache = cpu.memory.u64(caches.address + cacheIndex * 8n);
  const own = cpu.perCpu(cpu.pointer('struct kmem_cache', cache, 'cpu_slab'), cpu.number);
  const freelist = cpu.pointer('struct kmem_cache_cpu', own, 'freelist');
  if (freelist !== 0n) {
    // get_freepointer(): the object's own link becomes the list.
    const offset = types.offsetOf('struct kmem_cache', 'offset');
    cpu.memory.u64(freelist + BigInt(cpu.memory.u32(cache + BigInt(offset))));
    return true;
  }
  const hasMore = (slab: bigint): boolean => {
    return slab !== 0n && cpu.pointer('struct slab', slab, 'freelist') !== 0n;
  };
  if (hasMore(cpu.pointer('struct kmem_cache_cpu', own, 'slab'))) return true;
  const isPartial = types.hasMember('struct kmem_cache_cpu', 'partial');
  if (isPartial && hasMore(cpu.pointer('struct kmem_cache_cpu', own, 'partial'))) return true;
  const node = cpu.pointer('struct kmem_cache', cache, 'node');
  const lock = node + BigInt(types.offsetOf('struct kmem_cache_node', 'list_lock'));
  if (cpu.memory.u32(lock) !== 0) {
    machine.clock.hang('kmalloc() spins on the list_lock of kmalloc-64', 'kmem_cache_node');
  }
  const head = node + BigInt(types.offsetOf('struct kmem_cache_node', 'partial'));
  return cpu.memory.u64(head) !== head || freeBlocks(machine, layout).length > 0;
}
