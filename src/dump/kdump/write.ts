/**
 * Writes KDUMP version 6: what crash and makedumpfile open without an option. The whole layout
 * before the data is known from the image's runs: header, sub header and notes, two bitmaps,
 * descriptors; descriptors and data are then written side by side.
 *
 * A page that turns out unreadable keeps a descriptor of zeros (offset 0: lost), and the header
 * says incomplete.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { Appender, appenderOfKept, type Sink } from '../../bytes/sink.ts';
import type { Codecs, CompressionName } from '../../codec/types.ts';
import {
  type DumpContent,
  isZeroPage,
  type Progress,
  pfnsToWrite,
  type WriteSummary,
} from '../content.ts';
import { descOffset, encodeNotes, NT_PRSTATUS } from '../notes.ts';
import type { ElfNote } from '../types.ts';
import { NewUtsname } from '../utsname.ts';
import {
  compressionFlags,
  DiskDumpHeader,
  DumpStatus,
  KdumpSubHeader,
  newestVersion,
  PageDescriptor,
  signature,
} from './layout.ts';

export interface KdumpOptions {
  readonly compression: Exclude<CompressionName, 'rle'>;
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
  readonly codecs: Codecs;
  readonly progress?: Progress;
}

const pagesPerProgress = 1024;
/** makedumpfile's own buffers (-b 4): what a dump that is cut short can still say of its pages. */
const pieceBytes = 64 * 1024;

interface Plan {
  readonly blockSize: number;
  readonly endPfn: number;
  readonly ram: Bitmap;
  readonly stored: Bitmap;
  readonly pages: number;
  readonly notes: Uint8Array;
  readonly subHeaderBlocks: number;
  readonly bitmapBlocks: number;
  readonly descriptorsAt: number;
  readonly dataAt: number;
}

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeKdump(sink: Sink, content: DumpContent, options: KdumpOptions): WriteSummary {
  const plan = planOf(content);
  const { blockSize, stored, ram } = plan;
  const half = (plan.bitmapBlocks / 2) * blockSize;
  const bitmapsAt = (1 + plan.subHeaderBlocks) * blockSize;
  writeHeaders(sink, content, options, plan, 0);
  sink.write(bitmapsAt, ram.bytes);
  sink.write(bitmapsAt + half, stored.bytes);
  const written = writePages(sink, content, options, plan);
  if (written.unreadable > 0) {
    writeHeaders(sink, content, options, plan, DumpStatus.incomplete);
  }
  return written;
}

function planOf(content: DumpContent): Plan {
  const { image } = content;
  const blockSize = image.pageSize;
  const runs = [...image.runs()];
  const endPfn = Math.max(1, image.endPfn);
  const bitmapBlocks = 2 * Math.ceil(Math.ceil(endPfn / 8) / blockSize);
  const bitmapSize = (bitmapBlocks / 2) * blockSize;
  const ram = new Bitmap(new Uint8Array(bitmapSize));
  const stored = new Bitmap(new Uint8Array(bitmapSize));
  let pages = 0;
  for (const { first, end, state } of runs) {
    const kept = state === 'stored' || state === 'zero';
    if (!kept && state !== 'excluded') continue;
    for (let pfn = first; pfn < end; pfn++) {
      ram.add(pfn);
      if (kept) stored.add(pfn);
    }
    if (kept) pages += end - first;
  }
  const notes = encodeNotes(content.notes);
  const subHeaderBlocks = Math.ceil((KdumpSubHeader.size + notes.length) / blockSize);
  const descriptorsAt = (1 + subHeaderBlocks + bitmapBlocks) * blockSize;
  const dataAt = descriptorsAt + pages * PageDescriptor.size;
  return {
    blockSize, endPfn, ram, stored, pages, notes, subHeaderBlocks, bitmapBlocks, descriptorsAt,
    dataAt,
  }; // biome-ignore format: a list
}

function writeHeaders(
  sink: Sink,
  content: DumpContent,
  options: KdumpOptions,
  plan: Plan,
  status: number,
): void {
  const { blockSize, endPfn } = plan;
  const seconds = Math.floor(content.time);
  const cpus = content.notes.filter(isPrstatus).length;
  const header = new Uint8Array(blockSize);
  DiskDumpHeader.write(header, 0, {
    signature,
    header_version: newestVersion,
    utsname: NewUtsname.encode(content.uts),
    tv_sec: BigInt(seconds),
    tv_usec: BigInt(Math.round((content.time - seconds) * 1e6)),
    status: status | compressionFlags.get(options.compression)!,
    block_size: blockSize,
    sub_hdr_size: plan.subHeaderBlocks,
    bitmap_blocks: plan.bitmapBlocks,
    max_mapnr: Math.min(endPfn, 0xffffffff),
    nr_cpus: Math.max(1, cpus),
  });
  sink.write(0, header);
  const notesAt = blockSize + KdumpSubHeader.size;
  const sub = new Uint8Array(plan.subHeaderBlocks * blockSize);
  KdumpSubHeader.write(sub, 0, {
    phys_base: content.physBase,
    dump_level: options.level,
    ...vmcoreinfoPlace(content.notes, notesAt),
    offset_note: plan.notes.length > 0 ? notesAt : 0,
    size_note: plan.notes.length,
    max_mapnr_64: endPfn,
  });
  sub.set(plan.notes, KdumpSubHeader.size);
  sink.write(blockSize, sub);
}

function isPrstatus({ name, type }: ElfNote): boolean {
  return name === 'CORE' && type === NT_PRSTATUS;
}

/** The text stands inside the notes; the sub header points at it. */
function vmcoreinfoPlace(
  notes: readonly ElfNote[],
  notesAt: number,
): { offset_vmcoreinfo: number; size_vmcoreinfo: number } {
  const index = notes.findIndex(({ name }) => name === 'VMCOREINFO');
  if (index < 0) return { offset_vmcoreinfo: 0, size_vmcoreinfo: 0 };
  return {
    offset_vmcoreinfo: notesAt + descOffset(notes, index),
    size_vmcoreinfo: notes[index]!.desc.length,
  };
}

function writePages(
  sink: Sink,
  content: DumpContent,
  options: KdumpOptions,
  plan: Plan,
): WriteSummary {
  const { image } = content;
  const codec = options.codecs.get(options.compression);
  const packedFlag = compressionFlags.get(options.compression)!;
  const descriptors = new Appender(sink, plan.descriptorsAt, pieceBytes);
  // Not by PageDescriptor.encode: this is the inner loop.
  const described = new Uint8Array(PageDescriptor.size);
  const view = new DataView(described.buffer);
  const describe = ({ offset, size, flags }: typeof lost): void => {
    view.setUint32(0, offset % 2 ** 32, true);
    view.setUint32(4, offset / 2 ** 32, true);
    view.setUint32(8, size, true);
    view.setUint32(12, flags, true);
    descriptors.append(described);
  };
  const data = appenderOfKept(sink, plan.dataAt, pieceBytes);
  const lost = { offset: 0, size: 0, flags: 0 };
  // One raw page for all zero pages, as makedumpfile does.
  let shared: typeof lost | undefined;
  const store = (bytes: Uint8Array, packed: Uint8Array | undefined): typeof lost => {
    const stored = packed ?? bytes;
    const offset = data.offset;
    data.append(stored);
    return { offset, size: stored.length, flags: packed === undefined ? 0 : packedFlag };
  };
  let pages = 0;
  let zeroPages = 0;
  let unreadable = 0;
  for (const pfn of pfnsToWrite(image)) {
    const { bytes } = image.readPage(pfn);
    let descriptor = lost;
    if (bytes === undefined) {
      unreadable++;
    } else if (isZeroPage(bytes)) {
      shared ??= store(bytes, undefined);
      descriptor = shared;
      zeroPages++;
    } else {
      descriptor = store(bytes, codec.compress(bytes));
    }
    if (bytes !== undefined) pages++;
    describe(descriptor);
    if ((pages + unreadable) % pagesPerProgress === 0) options.progress?.(pages, plan.pages);
  }
  descriptors.flush();
  data.flush();
  options.progress?.(pages, plan.pages);
  return { bytes: data.offset, pages, zeroPages, unreadable };
}
