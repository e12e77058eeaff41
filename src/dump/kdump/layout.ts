/**
 * KDUMP compressed format, as makedumpfile and QEMU write it. Block = page size; all file offsets
 * are absolute. Block 0 has the header, block 1 the sub header, then come the notes, the two
 * bitmaps, a descriptor for every stored page in PFN order, and page data.
 *
 * Sources: makedumpfile diskdump_mod.h (disk_dump_header, kdump_sub_header, page_desc) and its
 * IMPLEMENTATION file; crash diskdump.h.
 */

import { count64, i32, raw, struct, text, u32, u64 } from '../../bytes/struct.ts';
import type { CompressionName } from '../../codec/types.ts';

export const signature = 'KDUMP   ';
export const diskdumpSignature = 'DISKDUMP';

/** `struct disk_dump_header`, 64-bit. 32-bit files have everything after utsname 4 bytes lower. */
export const DiskDumpHeader = struct(
  'disk_dump_header',
  {
    signature: text(8, '"KDUMP   ".'),
    header_version: i32('1 to 6.'),
    utsname: raw(390, 'struct new_utsname of the dumped system; QEMU fills in the machine only.'),
    tv_sec: u64('Time of the dump, seconds since 1970.'),
    tv_usec: u64('Microseconds.'),
    status: u32('DumpStatus bits.'),
    block_size: i32('Page size.'),
    sub_hdr_size: i32('Blocks of the sub header with the notes.'),
    bitmap_blocks: u32('Blocks of both bitmaps together.'),
    max_mapnr: u32('One past the last PFN; cut to 32 bits, see max_mapnr_64.'),
    total_ram_blocks: u32('Classic diskdump only.'),
    device_blocks: u32('Classic diskdump only.'),
    written_blocks: u32('Classic diskdump only.'),
    current_cpu: u32('Classic diskdump only.'),
    nr_cpus: i32('At least 1.'),
  },
  { size: 464 },
);

/** Where `block_size` stands in a file of a 32-bit kernel. */
export const blockSizeOffset32 = 416;

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

/** `struct page_desc`. */
export const PageDescriptor = struct(
  'page_desc',
  {
    offset: count64('File offset of the data; 0 for a page that was lost.'),
    size: u32('Bytes there.'),
    flags: u32('PageCompression; 0 is raw.'),
    page_flags: u64('0.'),
  },
  { size: 24 },
);

export const DumpStatus = {
  zlib: 1,
  lzo: 2,
  snappy: 4,
  /** The writer ran out of space. */
  incomplete: 8,
  excludedVmemmap: 0x10,
  zstd: 0x20,
} as const;

/** Bits of a descriptor's flags, and of the header's status. */
export const compressionFlags: ReadonlyMap<CompressionName, number> = new Map([
  ['none', 0],
  ['zlib', DumpStatus.zlib],
  ['lzo', DumpStatus.lzo],
  ['snappy', DumpStatus.snappy],
  ['zstd', DumpStatus.zstd],
]);

export const compressionBits =
  DumpStatus.zlib | DumpStatus.lzo | DumpStatus.snappy | DumpStatus.zstd;
