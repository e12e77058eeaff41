/**
 * mkdump's container. Of the format that Mini Kernel Dump wrote to its partition (2004 to 2006) no
 * description survives: this one is our own, and no other program reads it. It keeps what it was
 * made for: a capture kernel writes all of memory to a raw partition, from front to back, with next
 * to no memory of its own; and it can say everything that a dump can say here.
 *
 * Block 0 has the header. Then come the notes, a table of ranges, and at `data_offset` the pages of
 * the ranges that have any, one after another in the table's order, as they are. The header is
 * written first, with `status` writing; `data_done` follows the data, so that what an interrupted
 * writer left can be told from what the partition held before.
 */

import { count64, i32, raw, struct, text, u32, u64 } from '../../bytes/struct.ts';

export const signature = 'TSMKDUMP';
export const formatVersion = 1;

export const Status = {
  writing: 1,
  complete: 2,
  /** The writer came to its end, but what it wrote was not whole. */
  partial: 3,
} as const;

export const MkdumpHeader = struct(
  'mkdump_header',
  {
    signature: text(8, '"TSMKDUMP".'),
    version: u32('1.'),
    status: u32('Status.'),
    page_size: u32('A power of two, 4096 to 65536.'),
    level: u32("makedumpfile's filter bits that the memory was filtered by."),
    tv_sec: u64('Time of the panic, seconds since 1970.'),
    tv_usec: u64('Microseconds.'),
    phys_base: u64("Two's complement, as in KDUMP."),
    panic_task: u64('Address of the panicking task; 0 where it is not known.'),
    panic_cpu: i32('Its CPU; -1 where there was no panic.'),
    range_count: u32('Entries of the table.'),
    notes_offset: count64('ELF notes: NT_PRSTATUS of each CPU, VMCOREINFO.'),
    notes_size: count64('Their length.'),
    ranges_offset: count64('Table of mkdump_range, ascending, without overlaps.'),
    data_offset: count64('Where the first page is.'),
    data_done: count64('Bytes of pages that were written so far.'),
    utsname: raw(390, 'struct new_utsname.'),
    panic: text(256, 'Panic message, NUL-terminated.'),
  },
  { size: 752 },
);

export const MkdumpRange = struct(
  'mkdump_range',
  {
    first_pfn: count64('First page.'),
    pages: count64('How many; at least 1.'),
    kind: u32('RangeKind.'),
    reserved: u32('0.'),
  },
  { size: 24 },
);

/** Pages in no range are missing. */
export const RangeKind = {
  /** The pages are in the data. */
  stored: 0,
  /** All zeros, and not in the data. */
  zero: 1,
  /** Left out by the filter. */
  excluded: 2,
  /** They have room in the data, but could not be read. */
  lost: 3,
} as const;
