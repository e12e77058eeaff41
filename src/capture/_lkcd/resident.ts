/**
 * What LKCD's module leaves in a healthy kernel: its code, and in pages of its own the
 * configuration that `lkcd config` wrote, room for every CPU's registers, and a buffer. Sizes are
 * chosen but for the buffer, which is as large as the header area of the file.
 */

import { assert } from '../../bytes/errors.ts';
import { struct, u32, u64 } from '../../bytes/struct.ts';
import { headerAreaSize } from '../../dump/lkcd/layout.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import { mapIntoKernel } from '../../machine/kernel-mapping.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { takePages, takeRegion } from '../../machine/region.ts';
import { RegionPages } from '../../machine/region-pages.ts';
import { CpuSlot } from '../cpu-slots.ts';
import { standInCode } from '../stand-in-code.ts';

export const Config = struct('dump_config', {
  okay: u64('configured: "DUMPOKAY".'),
  lock: u32('dump_lock: not 0 while a dump is made.'),
  reserved: u32('Zeros.'),
  device: u64("Virtual address of the dump device's struct block_device; 0 for none."),
  slots: u64('Virtual address of the CPU slots.'),
  buffer: u64('Virtual address of the buffer.'),
});

export const configured = 0x5941_4b4f_504d_5544n;

/** Plain data. */
export interface Resident {
  /** Its code; physical. */
  readonly code: readonly PhysicalRange[];
  /** Configuration, slots and buffer; physical. */
  readonly region: PhysicalRange;
  /** Virtual address of the configuration. */
  readonly config: bigint;
}

/** The module's functions, in its one page: name and size. */
const functions = [
  ['dump_execute', 768],
  ['dump_save_cpu', 256],
  ['dump_silence', 512],
  ['dump_page', 768],
  ['dump_write', 512],
  ['dump_end', 256],
  ['dump_boot', 256],
] as const;

export type Executed = (typeof functions)[number][0];

/** Executes functions of the module: they may not be the kernel's own of the same name. */
export function execute({ panicCpu }: Machine, ...names: readonly Executed[]): void {
  panicCpu.execute(...names.map(codeName));
}

export function codeName(name: Executed): string {
  return `lkcd ${name}`;
}

/** `device`: of the dump device, 0 where the crashed kernel writes to none. */
export function loadLkcd(machine: Machine, layout: PageLayout, device: bigint): Resident {
  const slotsSize = machine.cpus.length * CpuSlot.size;
  const pageSize = machine.memory.pageSize;
  const size = pageSize + Math.ceil(slotsSize / pageSize) * pageSize + headerAreaSize;
  const { start, end } = takeRegion(machine, layout, size, "LKCD's configuration and buffer");
  const region = { start, end };
  const pages = new RegionPages(machine.memory, region);
  const config = pages.take(Config.size);
  const slots = pages.take(slotsSize);
  const buffer = pages.take(headerAreaSize);
  const virtual = (physical: number): bigint => machine.kernel.toVirtual(BigInt(physical));
  const values = { lock: 0, reserved: 0, slots: virtual(slots), buffer: virtual(buffer) };
  machine.memory.write(BigInt(config), Config.encode({ okay: configured, device, ...values }));
  machine.ownWrites.declare([region]);
  return { code: placeModule(machine, layout), region, config: virtual(config) };
}

function placeModule(machine: Machine, layout: PageLayout): PhysicalRange[] {
  const [page] = takePages(machine, layout, 1, "LKCD's module");
  assert(page !== undefined, 'a page was taken');
  // The direct map is not executable: a module has a mapping of its own.
  const address = mapIntoKernel(machine, layout, page);
  let at = 0;
  return functions.map(([name, size], index) => {
    const place = address + BigInt(at);
    machine.placeCode(codeName(name), place, standInCode(size, 37 + 14 * index));
    const start = Number(page) + at;
    at += size;
    return { start, end: start + size };
  });
}
