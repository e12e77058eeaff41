/**
 * Page frames taken from the kernel's free lists, as its own allocator takes them: unlinked,
 * counted off, their struct pages turned from free to in use. Source: mm/page_alloc.c (rmqueue,
 * del_page_from_free_list), include/linux/mmzone.h.
 */

import { DumpError } from '../bytes/errors.ts';
import { type KernelObject, memberAddress } from '../linux/objects.ts';
import type { PageLayout } from '../linux/page-layout.ts';
import { memoryNodes } from '../linux/system.ts';
import { u32Bytes, u64Bytes } from './edit.ts';
import type { Machine } from './machine.ts';

export interface FreeBlock {
  readonly pfn: number;
  readonly order: number;
  readonly zone: bigint;
}

/** LIST_POISON1 and LIST_POISON2 of x86-64, include/linux/poison.h. */
const listPoison = [0xdead_0000_0000_0100n, 0xdead_0000_0000_0122n] as const;
const pageTypeNone = 0xffff_ffff;
/** More blocks than this on one list are a list that runs wild. */
const maxBlocks = 1 << 20;

/** Every block on the free lists of every zone, by address. Stops a list at what it cannot read. */
export function freeBlocks(machine: Machine, layout: PageLayout): FreeBlock[] {
  const blocks: FreeBlock[] = [];
  const { types } = machine.kernel;
  const firstZone = BigInt(types.offsetOf('struct pglist_data', 'node_zones'));
  const zoneSize = BigInt(types.sizeOf('struct zone'));
  for (const node of memoryNodes(machine.kernel)) {
    const zones = Number(machine.object('struct pglist_data', node).nr_zones);
    for (let index = 0; index < Math.min(zones, 8); index++) {
      const zone = node + firstZone + BigInt(index) * zoneSize;
      for (let order = 0; order < layout.orders; order++) {
        // Not spread: a list may have more blocks than a call may have arguments.
        for (const block of blocksOfOrder(machine, layout, zone, order)) blocks.push(block);
      }
    }
  }
  return blocks.sort((a, b) => a.pfn - b.pfn);
}

/**
 * The lowest run of neighbouring free blocks of at least `pages` frames, starting at a multiple of
 * `align` frames; as many blocks of it as are needed. Undefined where there is none.
 */
export function findRun(
  blocks: readonly FreeBlock[],
  pages: number,
  align: number,
): FreeBlock[] | undefined {
  for (let first = 0; first < blocks.length; first++) {
    if (blocks[first]!.pfn % align !== 0) continue;
    let end = blocks[first]!.pfn;
    for (let last = first; last < blocks.length && blocks[last]!.pfn === end; last++) {
      end += 2 ** blocks[last]!.order;
      if (end - blocks[first]!.pfn >= pages) return blocks.slice(first, last + 1);
    }
  }
  return undefined;
}

/** Takes a block off its list. Its pages are cleared: what they held is nobody's any more. */
export function takeBlock(machine: Machine, layout: PageLayout, block: FreeBlock): void {
  const link = pageLink(machine, layout, block.pfn);
  const next = machine.virtual.u64(link);
  const previous = machine.virtual.u64(link + 8n);
  machine.poke(previous, u64Bytes(next));
  machine.poke(next + 8n, u64Bytes(previous));
  machine.poke(link, u64Bytes(listPoison[0]));
  machine.poke(link + 8n, u64Bytes(listPoison[1]));
  const page = pageAddress(layout, block.pfn);
  const refcount = machine.kernel.types.offsetOf('struct page', '_refcount');
  machine.poke(page + BigInt(layout.offsets.mapcount), u32Bytes(pageTypeNone));
  machine.poke(page + BigInt(layout.offsets.private), u64Bytes(0n));
  machine.poke(page + BigInt(refcount), u32Bytes(1));
  countOff(machine, block);
  const pageSize = machine.memory.pageSize;
  for (let pfn = block.pfn; pfn < block.pfn + 2 ** block.order; pfn++) {
    machine.memory.write(BigInt(pfn) * BigInt(pageSize), new Uint8Array(pageSize));
  }
}

function blocksOfOrder(
  machine: Machine,
  layout: PageLayout,
  zone: bigint,
  order: number,
): FreeBlock[] {
  const area = machine.object('struct zone', zone).free_area[order] as KernelObject;
  const lists = machine.kernel.types.member('struct free_area', 'free_list');
  const listType = machine.kernel.types.resolve(lists.type);
  const count = listType.kind === 'array' ? listType.length : 1;
  const blocks: FreeBlock[] = [];
  for (let list = 0; list < count; list++) {
    const head = memberAddress(area, 'free_list') + BigInt(list) * 16n;
    for (const link of walkLinks(machine, head)) {
      const page = link - BigInt(linkOffset(machine));
      const pfn = Number((page - layout.vmemmap) / BigInt(layout.size));
      blocks.push({ pfn, order, zone });
    }
  }
  return blocks;
}

/** The links between a list's head and the first one that cannot be read. */
function walkLinks(machine: Machine, head: bigint): bigint[] {
  const links: bigint[] = [];
  try {
    let link = machine.virtual.u64(head);
    while (link !== head && links.length < maxBlocks) {
      const next = machine.virtual.u64(link);
      links.push(link);
      link = next;
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
  }
  return links;
}

function countOff(machine: Machine, block: FreeBlock): void {
  const { types, vmcoreinfo } = machine.kernel;
  const area = machine.object('struct zone', block.zone).free_area[block.order] as KernelObject;
  const listed = memberAddress(area, 'nr_free');
  machine.poke(listed, u64Bytes(machine.virtual.u64(listed) - 1n));
  const index = vmcoreinfo.number('NR_FREE_PAGES');
  if (index === undefined) return;
  const counter =
    block.zone + BigInt(types.offsetOf('struct zone', 'vm_stat')) + BigInt(index) * 8n;
  const pages = 2n ** BigInt(block.order);
  machine.poke(counter, u64Bytes(machine.virtual.u64(counter) - pages));
}

function pageLink(machine: Machine, layout: PageLayout, pfn: number): bigint {
  return pageAddress(layout, pfn) + BigInt(linkOffset(machine));
}

function linkOffset(machine: Machine): number {
  // Since v6.1 (bf75f200569d) free pages are linked by a member of their own, at the place of lru.
  const member = ['buddy_list', 'lru'].find((name) =>
    machine.kernel.types.hasMember('struct page', name),
  );
  return machine.kernel.types.offsetOf('struct page', member ?? 'lru');
}

export function pageAddress(layout: PageLayout, pfn: number): bigint {
  return layout.vmemmap + BigInt(pfn) * BigInt(layout.size);
}
