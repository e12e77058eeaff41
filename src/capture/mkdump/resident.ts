/**
 * What `mkexec` leaves in a healthy kernel: a module with two small functions and a pointer, the
 * control structure in ordinary kmalloc'ed memory (release 1.0), and the mini kernel's own region
 * with its code, page tables, stack, parameters, table of RAM and room for registers. Nothing of
 * the old kernel is overwritten by it later, so nothing needs to be saved. In later generations the
 * control structure is in the region, too, which the kernel maps read-only: that was asked for on
 * LKML on 2005-01-05, and agreed to.
 */

import { assert } from '../../bytes/errors.ts';
import { count64, i64, raw, struct, u64, type Values } from '../../bytes/struct.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { utsname } from '../../linux/system.ts';
import { u64Bytes } from '../../machine/edit.ts';
import { mapIntoKernel, protectRegion } from '../../machine/kernel-mapping.ts';
import type { Machine } from '../../machine/machine.ts';
import { largePage, PageTables } from '../../machine/page-tables.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { takePages, takeRegion } from '../../machine/region.ts';
import { RegionPages } from '../../machine/region-pages.ts';
import { CpuSlot } from '../cpu-slots.ts';
import type { CaptureOptions } from '../method.ts';
import { standInCode } from '../stand-in-code.ts';

export const Control = struct(
  'mkdump_control',
  {
    entry: u64('Physical address of the mini kernel.'),
    page_tables: u64('Physical address of its top page table.'),
    registers: u64('Virtual address of the CPU slots in its region.'),
    message: u64("Virtual address of panic()'s message there."),
  },
  { size: 32 },
);

/** In the region, where only the mini kernel reads. */
export const Parameters = struct('mkdump_parameters', {
  ram_table: count64('Physical address of (start, end) pairs.'),
  ram_entries: count64('How many.'),
  registers: count64('Physical address of the CPU slots.'),
  slots: count64('How many.'),
  message: count64("Physical address of panic()'s message."),
  level: count64('Filter bits.'),
  partition_start: count64('Byte on the disk.'),
  partition_size: count64('Bytes.'),
  phys_base: i64('Of the kernel that loaded it.'),
  vmcoreinfo: count64("Physical address of that kernel's VMCOREINFO."),
  vmcoreinfo_size: count64('Bytes.'),
  uts: raw(NewUtsname.size, "That kernel's struct new_utsname."),
});

/** Plain data: what the loader knows of what it loaded. */
export interface Resident {
  readonly region: PhysicalRange;
  /** The module's two functions and the mini kernel. Physical. */
  readonly code: readonly PhysicalRange[];
  /** The mini kernel's first instruction. Physical. */
  readonly entry: number;
  /** Physical address of the parameters. */
  readonly parameters: number;
  /** Virtual address of the module's pointer to the control structure. */
  readonly controlPointer: bigint;
}

export const messageSize = 256;
const codeSize = 64 * 1024;
const stackSize = 16 * 1024;
/** In the module's page. */
const panicCode = { offset: 0, size: 512 };
const nmiCode = { offset: 512, size: 256 };
const pointerOffset = 2048;

export function loadMiniKernel(
  machine: Machine,
  layout: PageLayout,
  { level, generation }: CaptureOptions,
): Resident {
  const top = Math.max(...machine.ram.map((range) => range.end));
  const tables = (Math.ceil(top / 2 ** 30) + 8) * basePageSize;
  const room = codeSize + stackSize + tables + 64 * 1024;
  const { start, end } = takeRegion(machine, layout, room, "the mini kernel's region");
  const region = { start, end };
  const pages = new RegionPages(machine.memory, region);
  const code = pages.fill(standInCode(codeSize, 89));
  pages.take(stackSize);
  const registers = pages.take(machine.cpus.length * CpuSlot.size);
  const message = pages.take(messageSize);
  const isProtected = generation === 'later';
  const inside = isProtected ? BigInt(pages.take(Control.size)) : undefined;
  const pageTables = identityMap(machine, pages, region);
  const parameters = writeParameters(machine, pages, { registers, message, level });
  const controlPointer = placeModule(machine, layout, inside, {
    entry: BigInt(code.start),
    page_tables: BigInt(pageTables),
    registers: machine.kernel.toVirtual(BigInt(registers)),
    message: machine.kernel.toVirtual(BigInt(message)),
  });
  const miniKernel = { start: code.start, end: code.start + codeSize };
  machine.noteCode('mini kernel', miniKernel);
  if (isProtected) {
    // What the dying kernel hands over is written there.
    const handed = { start: registers, end: message + basePageSize };
    protectRegion(machine, layout, region, handed);
  }
  const module = Number(machine.virtual.translate(controlPointer).physical) - pointerOffset;
  const functions = [panicCode, nmiCode].map(({ offset, size }) => ({
    start: module + offset,
    end: module + offset + size,
  }));
  const { start: entry } = miniKernel;
  return { region, code: [...functions, miniKernel], entry, parameters, controlPointer };
}

function identityMap(machine: Machine, pages: RegionPages, region: PhysicalRange): number {
  const top = pages.take(basePageSize);
  const root = { ...machine.kernel.memory.root, physical: BigInt(top) };
  const tables = new PageTables(machine.memory, root, () => BigInt(pages.take(basePageSize)));
  for (const range of [...machine.ram, region]) {
    const first = BigInt(range.start) & ~(largePage - 1n);
    for (let at = first; at < BigInt(range.end); at += largePage) tables.map(at, at, largePage);
  }
  return top;
}

function writeParameters(
  machine: Machine,
  pages: RegionPages,
  places: { readonly registers: number; readonly message: number; readonly level: number },
): number {
  const { kernel, ram } = machine;
  const table = new Uint8Array(ram.length * 16);
  for (const [index, range] of ram.entries()) {
    table.set(u64Bytes(BigInt(range.start)), index * 16);
    table.set(u64Bytes(BigInt(range.end)), index * 16 + 8);
  }
  const vmcoreinfo = encodeUtf8(kernel.vmcoreinfo.source).subarray(0, basePageSize);
  const partition = machine.disk.partition('dump');
  const parameters = Parameters.encode({
    ...places,
    ram_table: pages.fill(table).start,
    ram_entries: ram.length,
    slots: machine.cpus.length,
    partition_start: partition.start,
    partition_size: partition.size,
    phys_base: kernel.vmcoreinfo.physBase ?? 0n,
    vmcoreinfo: pages.fill(vmcoreinfo).start,
    vmcoreinfo_size: vmcoreinfo.length,
    uts: NewUtsname.encode(utsname(kernel)),
  });
  return pages.fill(parameters).start;
}

/**
 * The module's page and, where it is not `inside` the region, the control structure's; returns
 * where the pointer stands.
 */
function placeModule(
  machine: Machine,
  layout: PageLayout,
  inside: bigint | undefined,
  control: Values<typeof Control.fields>,
): bigint {
  const what = inside === undefined ? 'mkexec: module, control structure' : 'mkexec: module';
  const taken = takePages(machine, layout, inside === undefined ? 2 : 1, what);
  const [modulePage, controlPage = inside] = taken;
  assert(modulePage !== undefined && controlPage !== undefined, 'a page for each');
  // The direct map is not executable: a module has a mapping of its own.
  const module = mapIntoKernel(machine, layout, modulePage);
  const controlAddress = machine.kernel.toVirtual(controlPage);
  machine.placeCode('mkdump_panic', module, standInCode(panicCode.size, 31));
  machine.placeCode('mkdump_nmi', module + BigInt(nmiCode.offset), standInCode(nmiCode.size, 57));
  machine.poke(controlAddress, Control.encode(control));
  machine.poke(module + BigInt(pointerOffset), u64Bytes(controlAddress));
  return module + BigInt(pointerOffset);
}
