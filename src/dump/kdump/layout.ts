/**
 * KDUMP compressed format, as makedumpfile and QEMU write it: see disk-dump.ts. The ELF notes stand
 * behind the sub header in its blocks.
 *
 * Sources: makedumpfile diskdump_mod.h (kdump_sub_header) and its IMPLEMENTATION file; crash
 * diskdump.h; libkdumpfile diskdump.c (kdump_sub_header_32pack).
 */

import {
  count64,
  type Field,
  i32,
  struct,
  u32,
  u64,
  type Values,
  word32,
} from '../../bytes/struct.ts';
import { PageCompression } from '../disk-dump.ts';
import type { Architecture } from '../types.ts';

export const signature = 'KDUMP   ';

interface Words {
  /** A pointer, or an unsigned long that is an address or a PFN. */
  readonly long: (doc: string) => Field<bigint>;
  /** An unsigned long that is a size. */
  readonly count: (doc: string) => Field<number>;
}

function subHeaderOf(
  name: string,
  { long, count }: Words,
  options: { size: number; maxAlign: number },
) {
  return struct(
    name,
    {
      phys_base: long("Two's complement. QEMU <= 7.2 writes a wrong one: prefer VMCOREINFO."),
      dump_level: i32('makedumpfile -d. Since header version 1.'),
      split: i32('1 for a part of a split dump. Since 2.'),
      start_pfn: long('Since 2, 32 bits only: see start_pfn_64.'),
      end_pfn: long('Since 2, 32 bits only: see end_pfn_64.'),
      offset_vmcoreinfo: count64('Where the text of VMCOREINFO starts. Since 3.'),
      size_vmcoreinfo: count('Its length. Since 3.'),
      offset_note: count64('Where the ELF notes start. Since 4.'),
      size_note: count('Their length. Since 4.'),
      offset_eraseinfo: count64("makedumpfile's list of erased data. Since 5."),
      size_eraseinfo: count('Its length. Since 5.'),
      start_pfn_64: u64('First PFN of this part. Since 6.'),
      end_pfn_64: u64('One past the last PFN of this part. Since 6.'),
      max_mapnr_64: count64('One past the last PFN. Since 6.'),
    },
    options,
  );
}

/** `struct kdump_sub_header`. Members newer than header_version are to be ignored. */
export const KdumpSubHeaders = {
  x86_64: subHeaderOf(
    'kdump_sub_header',
    { long: u64, count: count64 },
    { size: 104, maxAlign: 8 },
  ),
  i386: subHeaderOf(
    'kdump_sub_header (i386)',
    { long: word32, count: u32 },
    { size: 80, maxAlign: 4 },
  ),
} as const satisfies Readonly<Record<Architecture, unknown>>;

export type SubHeader = Values<typeof KdumpSubHeaders.x86_64.fields>;

/** How much of the sub header each header version defines. */
export const subHeaderSizes: Readonly<Record<Architecture, readonly number[]>> = {
  x86_64: [8, 12, 32, 48, 64, 80, 104],
  i386: [4, 8, 20, 32, 44, 56, 80],
};
export const newestVersion = 6;

/** Bits of the header's status; those of compression are informational. */
export const DumpStatus = {
  ...PageCompression,
  /** The writer ran out of space. */
  incomplete: 8,
  /** makedumpfile -e: struct pages of pages that are not there were left out as well. */
  excludedVmemmap: 0x10,
} as const;
