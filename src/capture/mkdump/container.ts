/**
 * The mkdump container: what the mini kernel writes to the raw dump partition, and what `save`
 * makes a dump of after the reboot. The layout is our own: that of the original mkdump is lost.
 * Blocks of one page: header, VMCOREINFO text, CPU slots, three bitmaps by PFN (RAM, pages whose
 * bytes follow, pages of zeros that were left out as such), then the pages, ascending, raw.
 */

import { count64, i64, raw, struct, text, u32, u64 } from '../../bytes/struct.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import { CpuSlot } from '../cpu-slots.ts';

export const containerMagic = 0x0031_504d_5544_4b4dn; // "MKDUMP1\0"
export const containerVersion = 1;
export const blockSize = 4096;

/** Written as incomplete first, as complete last. */
export const ContainerStatus = { complete: 0, incomplete: 1 } as const;

/** What tells a container from a partition that holds none. */
export const ContainerMagic = struct(
  'mkdump_magic',
  { magic: u64('containerMagic.') },
  { size: 8 },
);

export const ContainerHeader = struct('mkdump_header', {
  magic: u64('"MKDUMP1" and a NUL.'),
  version: u32('1.'),
  block_size: u32('4096; a page.'),
  status: u32('ContainerStatus.'),
  level: u32("makedumpfile's filter bits that chose the pages."),
  end_pfn: count64('One past the highest PFN of the bitmaps.'),
  pages: count64('Pages to write.'),
  pages_written: count64('Pages that are there; brought up to date now and then.'),
  time: count64('Seconds since 1970.'),
  phys_base: i64('Of the crashed kernel.'),
  panic_task: u64('Virtual address of its task_struct.'),
  panic_cpu: u32('CPU number, as its slot has it.'),
  cpu_slots: u32('Number of CPU slots.'),
  vmcoreinfo_size: u32('Bytes of text in its block.'),
  bitmap_blocks: u32('Blocks of each of the three bitmaps.'),
  vmcoreinfo_block: u32('First block of the text.'),
  cpu_block: u32('First block of the CPU slots.'),
  ram_block: u32('First block of the bitmap of RAM.'),
  stored_block: u32('First block of the bitmap of stored pages.'),
  zero_block: u32('First block of the bitmap of zero pages.'),
  data_block: u32('First page.'),
  uts: raw(NewUtsname.size, 'struct new_utsname.'),
  panic_message: text(256, 'What panic() was called with.'),
});

export const slotsPerBlock = Math.floor(blockSize / CpuSlot.size);

export interface ContainerPlan {
  readonly bitmapBlocks: number;
  readonly vmcoreinfoBlock: number;
  readonly cpuBlock: number;
  readonly ramBlock: number;
  readonly storedBlock: number;
  readonly zeroBlock: number;
  readonly dataBlock: number;
}

/** Where everything lies, in blocks. */
export function planContainer(cpuSlots: number, endPfn: number): ContainerPlan {
  const bitmapBlocks = Math.ceil(Math.ceil(endPfn / 8) / blockSize);
  const vmcoreinfoBlock = 1;
  const cpuBlock = 2;
  const ramBlock = cpuBlock + Math.ceil(cpuSlots / slotsPerBlock);
  const storedBlock = ramBlock + bitmapBlocks;
  const zeroBlock = storedBlock + bitmapBlocks;
  const dataBlock = zeroBlock + bitmapBlocks;
  return { bitmapBlocks, vmcoreinfoBlock, cpuBlock, ramBlock, storedBlock, zeroBlock, dataBlock };
}

/** The header's members that only the plan decides. */
export function plannedFields(plan: ContainerPlan) {
  return {
    bitmap_blocks: plan.bitmapBlocks,
    vmcoreinfo_block: plan.vmcoreinfoBlock,
    cpu_block: plan.cpuBlock,
    ram_block: plan.ramBlock,
    stored_block: plan.storedBlock,
    zero_block: plan.zeroBlock,
    data_block: plan.dataBlock,
  };
}
