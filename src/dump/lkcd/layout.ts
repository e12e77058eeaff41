/**
 * LKCD (Linux Kernel Crash Dumps), versions 5 to 10, x86_64, little endian. A header area of 64 KiB
 * (main header, arch header, zeros), then page records without an index: 16 bytes of header and the
 * page, in any order.
 *
 * Sources: LKCD's include/linux/dump.h and include/asm-x86_64/dump.h; crash lkcd_dump_v5.h,
 * lkcd_dump_v7.h, lkcd_dump_v8.h, lkcd_x86_trace.h; libkdumpfile lkcd.c.
 */

import { array, count64, i32, i64, raw, struct, text, u32, u64 } from '../../bytes/struct.ts';
import type { CompressionName } from '../../codec/types.ts';

export const dumpMagic = 0xa8190173618f23edn;
/** A dump of a running system. libkdumpfile refuses it. */
export const liveMagic = 0xa8190173618f23cdn;
export const archMagic = 0xdeaddeadn;
export const headerAreaSize = 65536;

/** The low bits of dh_version; bits 30 and 31 mark MCLX's variants. */
export const versionMask = 0x3fffffff;

const head = {
  dh_magic: u64('dumpMagic or liveMagic.'),
  dh_version: u32('5 to 10 here; bits 30 and 31: MCLX variants.'),
  dh_header_size: u32('Where the arch header starts; crash seeks there.'),
  dh_dump_level: u32("LKCD's own levels: 1 header, 2 kernel, 4 used, 8 all."),
  dh_page_size: u32('4096.'),
  dh_memory_size: u64('Pages of memory; informational.'),
  dh_memory_start: u64('PAGE_OFFSET, a virtual address.'),
  dh_memory_end: u64('The magic again; nobody reads it.'),
  dh_num_pages: u32('Page records; often stale.'),
  dh_panic_string: text(256, 'Panic message.'),
};

const tail = {
  dh_current_task: u64('task_struct of the panicking task; 0 if unknown.'),
  dh_dump_compress: u32('0 none, 1 RLE, 2 zlib.'),
  dh_dump_flags: u32('1 non-disruptive; in v9 kernels: polling.'),
  dh_dump_device: u32('dev_t.'),
};

/** Versions 8 and up: packed, the same on every machine. */
export const HeaderV8 = struct(
  '_dump_header_s (v8)',
  {
    ...head,
    tv_sec: u64('Time of the dump.'),
    tv_usec: u64('Microseconds.'),
    utsname: raw(390, 'struct new_utsname.'),
    ...tail,
  },
  { size: 734, packed: true },
);

/** The member that version 9 added, after HeaderV8. */
export const HeaderV9Tail = struct(
  '_dump_header_s (v9)',
  { dh_dump_buffer_size: count64('Bytes before the first page record.') },
  { size: 8 },
);

/** Versions 5, 6 and 7 of a 64-bit kernel: native alignment. */
export const HeaderV5 = struct(
  '_dump_header_s (v5)',
  {
    ...head,
    tv_sec: i64('Time of the dump.'),
    tv_usec: i64('Microseconds.'),
    utsname: raw(390, 'struct new_utsname.'),
    ...tail,
  },
  { size: 744 },
);

export const cpuRegisters = 21;
export const archVersion = 2;

/** x86_64's arch header up to its per-CPU arrays; packed. */
export const ArchHeader = struct(
  '_dump_header_asm_s',
  {
    dha_magic: u64('archMagic.'),
    dha_version: u32('2.'),
    dha_header_size: u32('192 + 192 * slots: the only place that tells the number of slots.'),
    dha_regs: array(u64('struct pt_regs of the dumping CPU.'), cpuRegisters),
    dha_smp_num_cpus: u32('CPUs online.'),
    dha_dumping_cpu: i32('Number of the dumping CPU.'),
  },
  { size: 192, packed: true },
);

/**
 * After it, N of each in a row: pt_regs, task, stack (address of a saved copy), stack_ptr (base of
 * the task's stack).
 */
export const registersSize = cpuRegisters * 8;
export const slotSize = registersSize + 3 * 8;

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

export const compressionIds: ReadonlyMap<CompressionName, number> = new Map([
  ['none', 0],
  ['rle', 1],
  ['zlib', 2],
]);

/**
 * Ours: LKCD has no place for VMCOREINFO, without which a kernel with KASLR cannot be understood,
 * nor for a filter by classes of pages. This block stands in the unused zeros of the header area,
 * after the arch header, at a multiple of `vmcoreinfoAlign`. Other readers do not look there.
 */
export const VmcoreinfoBlock = struct(
  'tsdump VMCOREINFO block',
  {
    magic: raw(12, '"TSDUMP-VMCI", NUL-padded.'),
    size: u32('Bytes of text that follow; 0 where it is in the dumped memory only.'),
    level: u32("makedumpfile's filter bits that the pages were chosen by."),
    reserved: raw(12, 'Zeros.'),
  },
  { size: 32 },
);
export const vmcoreinfoMagic = 'TSDUMP-VMCI\0';
export const vmcoreinfoAlign = 16;
