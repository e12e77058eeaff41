/**
 * What diskdump leaves in a healthy kernel: the modules diskdump and scsi_dump, each with a CRC of
 * itself that is taken when a partition is registered; in ordinary memory the list of registered
 * partitions, what changes while it dumps, a stack, and four pages that pages are copied to because
 * drivers want memory that they can address.
 */

import { crc32 } from '../../bytes/crc32.ts';
import { assert } from '../../bytes/errors.ts';
import { count64, i32, struct, u32, u64 } from '../../bytes/struct.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { mapIntoKernel } from '../../machine/kernel-mapping.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { takePages } from '../../machine/region.ts';
import { standInCode } from '../stand-in-code.ts';
import type { Registered } from './scsi.ts';

/** At the end of a module's page, covered by the CRC with `crc` taken as 0. */
export const ModuleFacts = struct(
  'diskdump_module',
  {
    crc: u32('CRC-32 of the module, this member as 0.'),
    partitions: u32('How many are registered.'),
    list: u64('Virtual address of their descriptions.'),
    data: u64('Virtual address of what changes.'),
    stack: u64('Virtual address of the end of its own stack.'),
    scratch: u64('Virtual address of the pages that it copies to.'),
    vmcoreinfo: u64('Virtual address of a text of our own about the kernel.'),
    vmcoreinfo_size: u32('Bytes of it.'),
  },
  { size: 56 },
);
const factsOffset = 3072;
/** What the CRC covers. */
export const moduleSize = factsOffset + ModuleFacts.size;

/** Kmalloc'ed when a partition is registered. */
export const DumpPartition = struct('diskdump_partition', {
  device: u64('Its struct scsi_device.'),
  start: count64('First byte on its disk.'),
  size: count64('Bytes.'),
});

/** The tasks of the CPUs follow, 8 bytes each. */
export const DumpData = struct('diskdump_data', {
  mutex: i32('1: free.'),
  diskdump_mode: u32('1: timers, tasklets and work go to the lists here.'),
  timers: u64('List head; empty: its own address.'),
  tasklets: u64('The same.'),
  workqueues: u64('The same.'),
});
export const tasksOffset = 64;

/** Plain data; virtual addresses. */
export interface Resident {
  readonly diskdump: bigint;
  readonly scsiDump: bigint;
  /** Where the kernel's struct new_utsname is: compiled in. */
  readonly uts: bigint;
  /** Physical: the code, and what leads to it. */
  readonly code: readonly PhysicalRange[];
  readonly structures: readonly PhysicalRange[];
}

interface Code {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Of the module's code, what runs before the CRC is known to be right, and what after it. */
const diskdumpCode: readonly Code[] = [
  { name: 'disk_dump', offset: 0, size: 512 },
  { name: 'diskdump_write', offset: 512, size: 2048 },
  { name: 'freeze_cpu', offset: 2560, size: 256 },
];
const scsiDumpCode: readonly Code[] = [
  { name: 'scsi_dump_sanity_check', offset: 0, size: 256 },
  { name: 'scsi_dump_rw_block', offset: 256, size: 2048 },
];

const stackPages = 2;
export const scratchPages = 4;

/** The address of a module's facts. */
export function factsAddress(module: bigint): bigint {
  return module + BigInt(factsOffset);
}

/** CRC of a module's bytes as they are checked. */
export function moduleCrc(bytes: Uint8Array): number {
  const checked = bytes.slice();
  checked.fill(0, factsOffset, factsOffset + 4);
  return crc32(checked);
}

export interface ToRegister extends Registered {
  readonly start: number;
  readonly size: number;
}

export function loadModules(
  machine: Machine,
  layout: PageLayout,
  registered: readonly ToRegister[],
): Resident {
  const { kernel } = machine;
  const take = (count: number, what: string): bigint[] =>
    takePages(machine, layout, count, `diskdump: ${what}`);
  const [diskdumpPage, scsiPage, data, list, text, ...rest] = take(
    5 + stackPages + scratchPages,
    'modules, data, stack',
  );
  assert(
    diskdumpPage !== undefined && scsiPage !== undefined && data !== undefined,
    'pages were taken',
  );
  assert(list !== undefined && text !== undefined, 'pages were taken');
  // The direct map is not executable: modules have mappings of their own.
  const diskdump = mapIntoKernel(machine, layout, diskdumpPage);
  const scsiDump = mapIntoKernel(machine, layout, scsiPage);
  const virtual = (page: bigint): bigint => kernel.toVirtual(page);
  const own = [data, ...rest];
  const pageRange = (page: bigint): PhysicalRange => {
    const start = Number(page);
    return { start, end: start + basePageSize };
  };
  machine.ownWrites.declare(own.map(pageRange));
  placeCode(machine, diskdump, diskdumpCode, 31);
  placeCode(machine, scsiDump, scsiDumpCode, 57);
  const dataAddress = virtual(data);
  machine.poke(
    dataAddress,
    DumpData.encode({ mutex: 1, diskdump_mode: 0, timers: 0n, tasklets: 0n, workqueues: 0n }),
  );
  for (const [index, { device, start, size }] of registered.entries()) {
    const entry = DumpPartition.encode({ device, start, size });
    machine.poke(virtual(list) + BigInt(index * DumpPartition.size), entry);
  }
  const vmcoreinfo = encodeUtf8(kernel.vmcoreinfo.source).subarray(0, basePageSize);
  machine.poke(virtual(text), vmcoreinfo);
  const facts = {
    crc: 0,
    partitions: registered.length,
    list: virtual(list),
    data: dataAddress,
    stack: virtual(rest[stackPages - 1]!) + BigInt(basePageSize),
    scratch: virtual(rest[stackPages]!),
    vmcoreinfo: virtual(text),
    vmcoreinfo_size: vmcoreinfo.length,
  };
  for (const module of [diskdump, scsiDump]) seal(machine, module, facts);
  return {
    diskdump,
    scsiDump,
    uts: utsAddress(machine),
    code: [diskdumpPage, scsiPage].map((page) => ({
      start: Number(page),
      end: Number(page) + moduleSize,
    })),
    structures: [data, list].map(pageRange),
  };
}

function placeCode(machine: Machine, module: bigint, code: readonly Code[], factor: number): void {
  for (const [index, { name, offset, size }] of code.entries()) {
    machine.placeCode(name, module + BigInt(offset), standInCode(size, factor + 14 * index));
  }
}

/** What registering a partition does last: the module as it is now is the one to be trusted. */
function seal(
  machine: Machine,
  module: bigint,
  facts: Parameters<typeof ModuleFacts.encode>[0],
): void {
  machine.poke(factsAddress(module), ModuleFacts.encode(facts));
  const crc = moduleCrc(machine.virtual.read(module, moduleSize));
  machine.poke(factsAddress(module), ModuleFacts.encode({ ...facts, crc }));
}

function utsAddress({ kernel }: Machine): bigint {
  const told = kernel.vmcoreinfo.offset('uts_namespace.name');
  const offset = told ?? kernel.types.offsetOf('struct uts_namespace', 'name');
  return kernel.symbol('init_uts_ns').address + BigInt(offset);
}
