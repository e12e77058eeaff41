/**
 * KDUMP compressed format, as makedumpfile and QEMU write it: see disk-dump.ts. The ELF notes stand
 * behind the sub header in its blocks.
 *
 * Sources: makedumpfile diskdump_mod.h (kdump_sub_header) and its IMPLEMENTATION file; crash
 * diskdump.h.
 */

import { count64, i32, struct, u64 } from '../../bytes/struct.ts';
import { PageCompression } from '../disk-dump.ts';

export const signature = 'KDUMP   ';

/** `struct kdump_sub_header`, 64-bit. Members newer than header_version are to be ignored. */
export const KdumpSubHeader = struct(
  'kdump_sub_header',
  {
    phys_base: u64("Two's complement. QEMU <= 7.2 writes a wrong one: prefer VMCOREINFO."),
    dump_level: i32('makedumpfile -d. Since header version 1.'),
    split: i32('1 for a part of a split dump. Since 2.'),
    start_pfn: u64('Since 2, 32 bits only: see start_pfn_64.'),
    end_pfn: u64('Since 2, 32 bits only: see end_pfn_64.'),
    offset_vmcoreinfo: count64('Where the text of VMCOREINFO starts. Since 3.'),
    size_vmcoreinfo: count64('Its length. Since 3.'),
    offset_note: count64('Where the ELF notes start. Since 4.'),
    size_note: count64('Their length. Since 4.'),
    offset_eraseinfo: count64("makedumpfile's list of erased data. Since 5."),
    size_eraseinfo: count64('Its length. Since 5.'),
    start_pfn_64: u64('First PFN of this part. Since 6.'),
    end_pfn_64: u64('One past the last PFN of this part. Since 6.'),
    max_mapnr_64: count64('One past the last PFN. Since 6.'),
  },
  { size: 104 },
);

/** How much of the sub header each header version defines. */
export const subHeaderSizes: readonly number[] = [8, 12, 32, 48, 64, 80, 104];
export const newestVersion = 6;

/** Bits of the header's status; those of compression are informational. */
export const DumpStatus = {
  ...PageCompression,
  /** The writer ran out of space. */
  incomplete: 8,
  /** makedumpfile -e: struct pages of pages that are not there were left out as well. */
  /** makedumpfile -e: struct pages of pages that are not there were left out as well. */
  excludedVmemmap: 0x10,
} as const;
