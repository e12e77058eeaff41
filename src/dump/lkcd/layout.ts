/**
 * LKCD (Linux Kernel Crash Dumps), versions 1 to 10, x86_64 and i386, little endian. A header area
 * (main header, arch header, zeros), then page records without an index: 16 bytes of header and the
 * page, in any order.
 *
 * Sources: LKCD's include/linux/dump.h, include/asm-x86_64/dump.h, include/asm-i386/dump.h; crash
 * lkcd_vmdump_v1.h, lkcd_vmdump_v2_v3.h, lkcd_dump_v5.h, lkcd_dump_v7.h, lkcd_dump_v8.h,
 * lkcd_x86_trace.h; libkdumpfile lkcd.c.
 */

import {
  array,
  count64,
  type Field,
  i32,
  raw,
  struct,
  text,
  u32,
  u64,
  word32,
} from '../../bytes/struct.ts';
import type { CompressionName } from '../../codec/types.ts';
import type { Architecture } from '../types.ts';

export const dumpMagic = 0xa8190173618f23edn;
/** A dump of a running system. libkdumpfile refuses it. */
export const liveMagic = 0xa8190173618f23cdn;
export const archMagic = 0xdeaddeadn;
export const headerAreaSize = 65536;

/** The low bits of dh_version; bits 30 and 31 mark MCLX's variants. */
export const versionMask = 0x3fffffff;

const start = {
  dh_magic: u64('dumpMagic or liveMagic.'),
  dh_version: u32('1 to 3, 5 to 10; bits 30 and 31: MCLX variants.'),
  dh_header_size: u32('Where the arch header starts; crash seeks there.'),
  dh_dump_level: u32("LKCD's own levels: 1 header, 2 kernel, 4 used, 8 all; in 1 to 3: 0 to 4."),
  dh_page_size: u32('4096.'),
  dh_memory_size: u64('Pages of memory; informational.'),
  dh_memory_start: u64('PAGE_OFFSET, a virtual address.'),
  dh_memory_end: u64('The magic again; nobody reads it.'),
};

const counted = {
  dh_num_pages: u32('Page records; often stale.'),
  dh_panic_string: text(256, 'Panic message.'),
};

const packing = {
  dh_dump_compress: u32('0 none, 1 RLE, 2 zlib.'),
  dh_dump_flags: u32('1 non-disruptive; in v9 kernels: polling.'),
  dh_dump_device: u32('dev_t.'),
};

/** What all versions start with: enough to tell which one it is. */
export const HeaderStart = struct('_dump_header_s', start, { size: 48 });

/** Versions 8 and up: packed, the same on every machine. */
export const HeaderV8 = struct(
  '_dump_header_s (v8)',
  {
    ...start,
    ...counted,
    tv_sec: u64('Time of the dump.'),
    tv_usec: u64('Microseconds.'),
    utsname: raw(390, 'struct new_utsname.'),
    dh_current_task: u64('task_struct of the panicking task; 0 if unknown.'),
    ...packing,
  },
  { size: 734, packed: true },
);

/** The member that version 9 added, after HeaderV8. */
export const HeaderV9Tail = struct(
  '_dump_header_s (v9)',
  { dh_dump_buffer_size: count64('Bytes before the first page record.') },
  { size: 8 },
);

interface OldSizes {
  readonly v1: number;
  readonly v2: number;
  readonly v5: number;
}

/** Versions 1 to 7: as the kernel's own compiler laid them out. `word`: its pointers and longs. */
function oldHeaders(
  word: (doc: string) => Field<bigint>,
  maxAlign: number,
  registers: number,
  sizes: OldSizes,
) {
  const system = {
    tv_sec: word('Time of the dump.'),
    tv_usec: word('Microseconds.'),
    utsname: raw(390, 'struct new_utsname.'),
  };
  const task = { dh_current_task: word('task_struct of the panicking task.') };
  const options = (size: number) => ({ size, maxAlign });
  return {
    /** 1: the registers of the dumping CPU stand here, pages are RLE. */
    v1: struct(
      '_dump_header_s (v1)',
      {
        ...start,
        dh_esp: u32('Stack pointer, i386 only.'),
        dh_eip: u32('Instruction pointer, i386 only.'),
        ...counted,
        ...system,
        dh_regs: array(word('struct pt_regs.'), registers),
        ...task,
      },
      options(sizes.v1),
    ),
    /** 2 and 3: registers are in an arch header. */
    v2: struct(
      '_dump_header_s (v2)',
      { ...start, ...counted, ...system, ...task },
      options(sizes.v2),
    ),
    /** 5, 6 and 7: the packing is named. */
    v5: struct(
      '_dump_header_s (v5)',
      { ...start, ...counted, ...system, ...task, ...packing },
      options(sizes.v5),
    ),
  };
}

export const oldHeadersOf: Readonly<Record<Architecture, ReturnType<typeof oldHeaders>>> = {
  x86_64: oldHeaders(u64, 8, 21, { v1: 904, v2: 728, v5: 744 }),
  i386: oldHeaders(word32, 4, 15, { v1: 780, v2: 712, v5: 724 }),
};

const archStart = {
  dha_magic: u64('archMagic.'),
  dha_version: u32('1 in versions 2 and 3; x86_64: 2; i386: 3, in the last kernels 5.'),
  dha_header_size: u32('The only place that tells the number of slots.'),
};

const archPoint = {
  dha_esp: u32('Stack pointer of the dumping CPU on i386.'),
  dha_eip: u32('Its instruction pointer.'),
};

const archCpus = {
  dha_smp_num_cpus: u32('CPUs online.'),
  dha_dumping_cpu: i32('Number of the dumping CPU.'),
};

/**
 * The arch header of versions 8 and up, to its per-CPU arrays; packed. After it, N of each in a
 * row: pt_regs, task, stack (address of a saved copy), stack_ptr (base of the task's stack).
 */
export const ArchHeaders = {
  x86_64: struct(
    '_dump_header_asm_s',
    { ...archStart, dha_regs: array(u64('struct pt_regs of the dumping CPU.'), 21), ...archCpus },
    { size: 192, packed: true },
  ),
  i386: struct(
    '_dump_header_asm_s (i386)',
    {
      ...archStart,
      ...archPoint,
      dha_regs: array(word32('struct pt_regs of the dumping CPU.'), 15),
      ...archCpus,
    },
    { size: 92, packed: true },
  ),
};

/** The arch header of versions 2 and 3: one CPU. */
export const ArchHeadersV2 = {
  x86_64: struct(
    '_dump_header_asm_s (v2)',
    { ...archStart, ...archPoint, dha_regs: array(u64('struct pt_regs.'), 21) },
    { size: 192 },
  ),
  i386: struct(
    '_dump_header_asm_s (v2, i386)',
    { ...archStart, ...archPoint, dha_regs: array(word32('struct pt_regs.'), 15) },
    { size: 84, maxAlign: 4 },
  ),
};

export const archVersions: Readonly<Record<Architecture, number>> = { x86_64: 2, i386: 3 };

export const PageRecord = struct(
  '_dump_page_s',
  {
    dp_address: u64('Physical address.'),
    dp_size: u32('Bytes that follow.'),
    dp_flags: u32('PageFlags.'),
  },
  { size: 16 },
);

export const PageFlags = { raw: 1, compressed: 2, end: 4, truncated: 8 } as const;

/**
 * Early version 1 kernels of i386 named pages by their address in the kernel's linear mapping: then
 * the first page has this address, and all others are that much too high. Source: crash
 * lkcd_common.c, lkcd_load_dump_page_header().
 */
export const linearMapping386 = 0xc0000000;

export const compressionIds: ReadonlyMap<CompressionName, number> = new Map([
  ['none', 0],
  ['rle', 1],
  ['zlib', 2],
]);
