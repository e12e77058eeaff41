/**
 * What KDUMP and diskdump files share: the main header, two bitmaps, and a descriptor for every
 * stored page in PFN order. Block = page size; all file offsets are absolute.
 *
 * Block 0 has the main header, block 1 the sub header, in which the two formats differ.
 *
 * Sources: makedumpfile diskdump_mod.h (disk_dump_header, page_desc); include/linux/diskdump.h of
 * RHEL 3 and 4; crash diskdump.h; libkdumpfile diskdump.c (disk_dump_header_32).
 */

import { Bitmap } from '../bytes/bitmap.ts';
import { DumpError } from '../bytes/errors.ts';
import { readExactly, type Source } from '../bytes/source.ts';
import {
  count64,
  type Field,
  i32,
  raw,
  struct,
  text,
  u32,
  u64,
  type Values,
  word32,
} from '../bytes/struct.ts';
import type { CompressionName } from '../codec/types.ts';
import { architectureOf } from './architecture.ts';
import type { Architecture, PfnRange } from './types.ts';
import { NewUtsname } from './utsname.ts';

export const diskdumpSignature = 'DISKDUMP';

function headerOf(
  name: string,
  long: (doc: string) => Field<bigint>,
  options: { size: number; maxAlign: number },
) {
  return struct(
    name,
    {
      signature: text(8, '"KDUMP   " or "DISKDUMP".'),
      header_version: i32('KDUMP: 1 to 6. diskdump: 0 or 1.'),
      utsname: raw(390, 'struct new_utsname of the dumped system; QEMU fills in the machine only.'),
      tv_sec: long('Time of the dump, seconds since 1970.'),
      tv_usec: long('Microseconds; diskdump of RHEL 4: nanoseconds.'),
      status: u32('Each format has bits of its own.'),
      block_size: i32('Page size.'),
      sub_hdr_size: i32('Blocks of the sub header.'),
      bitmap_blocks: u32('Blocks of both bitmaps together.'),
      max_mapnr: u32('One past the last PFN; cut to 32 bits, see max_mapnr_64 of KDUMP.'),
      total_ram_blocks: u32('Pages of RAM. Diskdump only.'),
      device_blocks: u32('Blocks of the dump partition. Diskdump only.'),
      written_blocks: u32('Blocks written, with those before the memory. Diskdump only.'),
      current_cpu: u32('The CPU that dumped. Diskdump only.'),
      nr_cpus: i32('At least 1.'),
    },
    options,
  );
}

/** `struct disk_dump_header`. In diskdump an array of pointers follows: the tasks of the CPUs. */
export const DiskDumpHeaders = {
  x86_64: headerOf('disk_dump_header', u64, { size: 464, maxAlign: 8 }),
  i386: headerOf('disk_dump_header (i386)', word32, { size: 452, maxAlign: 4 }),
} as const satisfies Readonly<Record<Architecture, unknown>>;

export type DiskDumpHeader = Values<typeof DiskDumpHeaders.x86_64.fields>;

/** `struct page_desc`: the same on both machines. */
export const PageDescriptor = struct(
  'page_desc',
  {
    offset: count64('File offset of the data; 0 for a page that was lost.'),
    size: u32('Bytes there.'),
    flags: u32('PageCompression; 0 is raw.'),
    page_flags: u64('0; diskdump: flags of the struct page.'),
  },
  { size: 24 },
);

/** Bits of a descriptor's flags. */
export const PageCompression = { zlib: 1, lzo: 2, snappy: 4, zstd: 0x20 } as const;

export const compressionFlags: ReadonlyMap<CompressionName, number> = new Map([
  ['none', 0],
  ...(Object.entries(PageCompression) as [CompressionName, number][]),
]);

export const compressionBits =
  PageCompression.zlib | PageCompression.lzo | PageCompression.snappy | PageCompression.zstd;

export function isBlockSize(size: number): boolean {
  return size >= 4096 && size <= 65536 && (size & (size - 1)) === 0;
}

/**
 * Whose header stands at `offset`: by its utsname; without one, by where a block size stands.
 * `unsupported` for another machine.
 */
export function headerMachine(source: Source, offset: number): Architecture {
  const { x86_64, i386 } = DiskDumpHeaders;
  const start = readExactly(source, offset, i386.size, x86_64.name);
  const { machine } = NewUtsname.read(i386.read(start).utsname);
  const known = architectureOf(machine);
  if (known !== undefined) return known;
  const where = {
    file: source.name,
    offset: offset + i386.offsetOf('utsname') + NewUtsname.offsetOf('machine'),
  };
  if (machine !== '') {
    throw new DumpError('unsupported', `a dump of machine type ${machine}`, {
      where,
      hint: 'x86_64 and i386 dumps are read',
    });
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const size64 = x86_64.offsetOf('block_size');
  if (isBlockSize(view.getInt32(size64, true))) return 'x86_64';
  if (isBlockSize(view.getInt32(i386.offsetOf('block_size'), true))) return 'i386';
  if (isBlockSize(view.getInt32(size64, false))) {
    throw new DumpError('unsupported', 'a dump of a big-endian machine', { where });
  }
  return 'x86_64';
}

/** Where the pages of a file are. */
export interface Geometry {
  readonly pageSize: number;
  readonly endPfn: number;
  /** Pages that are RAM, and pages that have a descriptor: the same where the file has but one. */
  readonly ram: Bitmap;
  readonly stored: Bitmap;
  readonly descriptorsAt: number;
  /** In a part of a split dump: the pages whose descriptors are here. */
  readonly held?: PfnRange;
  /** Which flags of a descriptor tell how its page is packed; the others are the page's. */
  readonly packingFlags: number;
}

export interface GeometryOf {
  /** What errors call the header's format. */
  readonly name: string;
  readonly architecture: Architecture;
  readonly endPfn: number;
  readonly packingFlags: number;
}

export function geometryOf(source: Source, header: DiskDumpHeader, of: GeometryOf): Geometry {
  const { name, endPfn, packingFlags } = of;
  const pageSize = header.block_size;
  const where = {
    file: source.name,
    offset: DiskDumpHeaders[of.architecture].offsetOf('sub_hdr_size'),
  };
  if (header.sub_hdr_size < 1) {
    throw new DumpError('corrupt', `${name} header: sub header of ${header.sub_hdr_size} blocks`, {
      where,
    });
  }
  const bitmapsAt = (1 + header.sub_hdr_size) * pageSize;
  const bitmapsSize = header.bitmap_blocks * pageSize;
  const blocksOfOne = Math.ceil(Math.ceil(endPfn / 8) / pageSize);
  if (header.bitmap_blocks < blocksOfOne || endPfn === 0) {
    const message = `${name} header: ${header.bitmap_blocks} bitmap blocks for ${endPfn} pages`;
    throw new DumpError('corrupt', message, { where });
  }
  const two = header.bitmap_blocks >= 2 * blocksOfOne;
  const halfSize = two ? Math.floor(bitmapsSize / 2) : bitmapsSize;
  const bitmapAt = (offset: number): Bitmap =>
    new Bitmap(readExactly(source, offset, Math.ceil(endPfn / 8), 'page bitmap').slice());
  const ram = bitmapAt(bitmapsAt);
  const stored = two ? bitmapAt(bitmapsAt + halfSize) : ram;
  return { pageSize, endPfn, ram, stored, descriptorsAt: bitmapsAt + bitmapsSize, packingFlags };
}
