/**
 * Diskdump of RHEL 3 and 4, in both its forms.
 *
 * The partition, as the dying kernel writes it. Block = page size:
 *
 *     block 0                 the partition's own header; never written to by the kernel
 *     block 1                 main header (disk-dump.ts), tasks of the CPUs behind it
 *     block 2 ...             sub header: registers of the CPU that dumped
 *     then                    bitmap of RAM by PFN
 *     then, unless all pages  bitmap of dumped pages, a bit for each page *of RAM*, in their order
 *     are dumped as they are
 *     then                    memory: the pages one after another, or packed as a stream
 *
 * The file, as savecore makes it of that: the same without block 0, with page descriptors.
 *
 * Before a dump every block of the partition carries its signature and number: the kernel dumps to
 * no other partition (RHEL 4: or to a swap area). Blocks that still do were not reached.
 *
 * Sources: drivers/block/diskdump.c, include/linux/diskdump.h, include/asm-i386/diskdump.h and
 * include/asm-x86_64/diskdump.h of the kernels of RHEL 3 and 4; crash diskdump.c for the file.
 */

import { struct, u32, u64 } from '../../bytes/struct.ts';
import { latin1 } from '../../bytes/text.ts';

/** The header's status; below `compressed` one value, not bits. */
export const DumpStatus = {
  completed: 0,
  /** Started; RHEL 4 also leaves it where the partition was too small for a whole dump. */
  incompleted: 1,
  inProgress: 2,
  shortArea: 4,
  compressed: 8,
} as const;

/** Where the main header stands on a partition. */
export const partitionHeaderBlock = 1;
/** What the formatter keeps its settings in, and the sub header overwrites. */
const userParametersBlock = 2;

/** `struct dump_page`: before each page of a packed stream. */
export const StreamPage = struct(
  'dump_page',
  {
    page_flags: u64('Flags of the struct page.'),
    size: u32('Bytes that follow.'),
    flags: u32('StreamFlags.'),
  },
  { size: 16 },
);

/** In a stream, and in the descriptors that savecore makes of it: 2 is not LZO there. */
export const StreamFlags = { zlib: 1, anonymous: 2 } as const;

/** Fills up the last block of a packed stream. */
export const streamPadding = 0x6d;

export const partitionSignature = 'diskdump';

/** What the formatter of a release adds to each word before it goes on with it. */
const formatSteps = { '1.0': 7, '2004-05': 3 } as const;
/** `2004-05`: the first release, of May 2004. */
export type FormatRelease = keyof typeof formatSteps;
export const formatReleases = Object.keys(formatSteps) as readonly FormatRelease[];

/** A block as the formatter leaves it. */
export function formattedBlock(
  block: number,
  size: number,
  release: FormatRelease = '1.0',
): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < partitionSignature.length; at++) {
    bytes[at] = partitionSignature.charCodeAt(at);
  }
  const view = new DataView(bytes.buffer);
  let word = block;
  for (let at = partitionSignature.length; at < size; at += 4) {
    view.setUint32(at, word, true);
    word = Math.imul(word + formatSteps[release], 11) >>> 0;
  }
  return bytes;
}

/** As the kernel checks it: the first four characters, and all words from the block's number on. */
export function isFormatted(
  bytes: Uint8Array,
  block: number,
  release: FormatRelease = '1.0',
): boolean {
  if (block === userParametersBlock) return true;
  const expected = formattedBlock(block, bytes.length, release);
  if (latin1(bytes.subarray(0, 4)) !== partitionSignature.slice(0, 4)) return false;
  for (let at = partitionSignature.length; at < bytes.length; at++) {
    if (bytes[at] !== expected[at]) return false;
  }
  return true;
}

/** A swap area's mark, at the end of its first page; RHEL 4 dumps to one as well. */
export const swapMark = { offset: 4086, text: 'SWAPSPACE2' } as const;
