/**
 * Writes a dump partition as the kernels of RHEL 3 and 4 left it: for what reads such partitions.
 * The header says incomplete until all is written.
 *
 * A page that cannot be read has no place here: its bit in the bitmap of RAM is taken back, and the
 * status stays incomplete.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { DumpError } from '../../bytes/errors.ts';
import { Appender, type Sink } from '../../bytes/sink.ts';
import { type DumpContent, isZeroPage, pfnsToWrite, type WriteSummary } from '../content.ts';
import { type Plan, planOf } from '../described-write.ts';
import { type DiskdumpOptions, encodeMainHeader, encodeSubHeader } from './encode.ts';
import {
  DumpStatus,
  formattedBlock,
  partitionHeaderBlock,
  StreamFlags,
  StreamPage,
  streamPadding,
} from './layout.ts';

export interface PartitionOptions extends DiskdumpOptions {
  /** Size of the partition in blocks; what is needed, unless said. */
  readonly blocks?: number;
}

export interface PartitionSummary extends WriteSummary {
  /** Pages that did not fit the partition. */
  readonly leftOut: number;
}

const pagesPerProgress = 1024;
const subHeaderBlock = partitionHeaderBlock + 1;

/** Writes the whole partition; finishing or aborting the sink is the caller's. */
export function writeDiskdumpPartition(
  sink: Sink,
  content: DumpContent,
  options: PartitionOptions,
): PartitionSummary {
  const subHeader = encodeSubHeader(content, options.level);
  const plan = planOf(content.image, subHeader.length);
  const { blockSize, ram, stored } = plan;
  const isPartial = options.compression === 'zlib' || stored.count < ram.count;
  const bitmapBlocks = isPartial ? plan.bitmapBlocks : plan.bitmapBlocks / 2;
  const dataBlock = subHeaderBlock + plan.subHeaderBlocks + bitmapBlocks;
  if (options.blocks !== undefined && options.blocks < dataBlock) {
    const message = `a partition of ${options.blocks} blocks, the headers alone need ${dataBlock}`;
    throw new DumpError('unsupported', message, { hint: 'take a larger partition' });
  }
  const writeHeader = (status: number, writtenBlocks: number): void => {
    const extent = {
      status,
      subHeaderBlocks: plan.subHeaderBlocks,
      bitmapBlocks,
      ramPages: ram.count,
      deviceBlocks: options.blocks ?? writtenBlocks,
      writtenBlocks,
    };
    const header = encodeMainHeader(content, options, extent);
    sink.write(partitionHeaderBlock * blockSize, header);
  };
  writeHeader(DumpStatus.incompleted, dataBlock);
  sink.write(0, formattedBlock(0, blockSize));
  const subHeaderBlocks = new Uint8Array(plan.subHeaderBlocks * blockSize);
  subHeaderBlocks.set(subHeader);
  sink.write(subHeaderBlock * blockSize, subHeaderBlocks);
  const written = writeMemory(sink, content, options, plan, dataBlock * blockSize);
  const mapsAt = (subHeaderBlock + plan.subHeaderBlocks) * blockSize;
  sink.write(mapsAt, ram.bytes);
  if (isPartial) sink.write(mapsAt + ram.bytes.length, byPlace(ram, stored).bytes);
  const short = isPartial ? DumpStatus.shortArea : DumpStatus.incompleted;
  const unfit = written.leftOut > 0 ? short : DumpStatus.completed;
  const status = written.unreadable > 0 ? DumpStatus.incompleted : unfit;
  const writtenBlocks = written.bytes / blockSize;
  for (let block = writtenBlocks; block < (options.blocks ?? 0); block++) {
    sink.write(block * blockSize, formattedBlock(block, blockSize));
  }
  writeHeader(status, writtenBlocks);
  return { ...written, bytes: Math.max(writtenBlocks, options.blocks ?? 0) * blockSize };
}

/** `bytes` of the result: where the memory ends. Takes back the bits of what is not written. */
function writeMemory(
  sink: Sink,
  { image }: DumpContent,
  { compression, codecs, blocks, progress }: PartitionOptions,
  { ram, stored, pages: total, blockSize }: Plan,
  dataAt: number,
): PartitionSummary {
  const codec = codecs.get(compression);
  const data = new Appender(sink, dataAt);
  const overhead = compression === 'zlib' ? StreamPage.size : 0;
  const end = blocks === undefined ? Number.POSITIVE_INFINITY : blocks * blockSize;
  const counts = { pages: 0, zeroPages: 0, unreadable: 0, leftOut: 0 };
  for (const pfn of pfnsToWrite(image)) {
    // As the kernel: no page is begun that might not fit.
    if (counts.leftOut > 0 || data.offset + overhead + blockSize > end) {
      stored.remove(pfn);
      counts.leftOut++;
      continue;
    }
    const { bytes } = image.readPage(pfn);
    if (bytes === undefined) {
      ram.remove(pfn);
      stored.remove(pfn);
      counts.unreadable++;
      continue;
    }
    const packed = overhead === 0 ? undefined : codec.compress(bytes);
    if (overhead > 0) {
      const { length } = packed ?? bytes;
      const flags = packed === undefined ? 0 : StreamFlags.zlib;
      data.append(StreamPage.encode({ size: length, flags }));
    }
    data.append(packed ?? bytes);
    counts.pages++;
    if (isZeroPage(bytes)) counts.zeroPages++;
    if (counts.pages % pagesPerProgress === 0) progress?.(counts.pages, total);
  }
  const padding = (blockSize - (data.offset % blockSize)) % blockSize;
  data.append(new Uint8Array(padding).fill(streamPadding));
  data.flush();
  progress?.(counts.pages, total);
  return { ...counts, bytes: data.offset };
}

/** A bit for each page of RAM, in their order: whether it is in `stored`. */
function byPlace(ram: Bitmap, stored: Bitmap): Bitmap {
  const places = new Bitmap(new Uint8Array(ram.bytes.length));
  let place = 0;
  for (let pfn = ram.next(0); pfn >= 0; pfn = ram.next(pfn + 1), place++) {
    if (stored.has(pfn)) places.add(place);
  }
  return places;
}
