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
import { type DumpContent, keptRuns, type WriteSummary } from '../content.ts';
import { type Plan, planOf } from '../described-write.ts';
import { type PageKind, type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import { partitionBlockSize } from './detect.ts';
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

const subHeaderBlock = partitionHeaderBlock + 1;

/** Writes the whole partition; finishing or aborting the sink is the caller's. */
export function writeDiskdumpPartition(
  sink: Sink,
  content: DumpContent,
  options: PartitionOptions & PageOptions,
): PartitionSummary {
  return writePages(partitionWriter(sink, content, options), content.image, options);
}

export function partitionWriter(
  sink: Sink,
  content: DumpContent,
  options: PartitionOptions,
): PageWriter<PartitionSummary> {
  const { pageSize } = content.image;
  if (pageSize !== partitionBlockSize) {
    throw new DumpError('unsupported', `a dump partition has no pages of ${pageSize} bytes`, {
      hint: 'diskdump files have',
    });
  }
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
  const pages = new PartitionPages(sink, plan, dataBlock * blockSize, options);
  return {
    compression: options.compression,
    zeros: 'packed',
    due: [...keptRuns(content.image)],
    add: (pfn, kind, bytes) => pages.add(pfn, kind, bytes),
    finish({ pages: written, zeroPages, unreadable: absent }) {
      const writtenBlocks = pages.end() / blockSize;
      const { leftOut } = pages;
      const unreadable = absent - leftOut;
      const mapsAt = (subHeaderBlock + plan.subHeaderBlocks) * blockSize;
      sink.write(mapsAt, ram.bytes);
      if (isPartial) sink.write(mapsAt + ram.bytes.length, placesOf(ram, stored).bytes);
      const short = isPartial ? DumpStatus.shortArea : DumpStatus.incompleted;
      const unfit = leftOut > 0 ? short : DumpStatus.completed;
      for (let block = writtenBlocks; block < (options.blocks ?? 0); block++) {
        sink.write(block * blockSize, formattedBlock(block, blockSize));
      }
      writeHeader(unreadable > 0 ? DumpStatus.incompleted : unfit, writtenBlocks);
      const bytes = Math.max(writtenBlocks, options.blocks ?? 0) * blockSize;
      return { bytes, pages: written, zeroPages, unreadable, leftOut };
    },
  };
}

/** The memory on the partition. Takes back the bits of what is not written. */
class PartitionPages {
  readonly #data: Appender;
  readonly #plan: Plan;
  readonly #isPacked: boolean;
  /** No page is begun that might not fit, as in the kernel. */
  readonly #lastStart: number;
  #leftOut = 0;

  constructor(sink: Sink, plan: Plan, dataAt: number, options: PartitionOptions) {
    this.#data = new Appender(sink, dataAt);
    this.#plan = plan;
    this.#isPacked = options.compression === 'zlib';
    const largest = plan.blockSize + (this.#isPacked ? StreamPage.size : 0);
    const end = (options.blocks ?? Number.POSITIVE_INFINITY) * plan.blockSize;
    this.#lastStart = end - largest;
  }

  get leftOut(): number {
    return this.#leftOut;
  }

  add(pfn: number, kind: PageKind, bytes: Uint8Array): boolean {
    const { ram, stored } = this.#plan;
    if (this.#leftOut > 0 || this.#data.offset > this.#lastStart) {
      stored.remove(pfn);
      this.#leftOut++;
      return false;
    }
    if (kind === 'lost') {
      ram.remove(pfn);
      stored.remove(pfn);
      return false;
    }
    if (this.#isPacked) {
      const flags = kind === 'packed' ? StreamFlags.zlib : 0;
      this.#data.append(StreamPage.encode({ size: bytes.length, flags }));
    }
    this.#data.append(bytes);
    return true;
  }

  /** The result is where the memory ends: after whole blocks. */
  end(): number {
    const { blockSize } = this.#plan;
    const padding = (blockSize - (this.#data.offset % blockSize)) % blockSize;
    this.#data.append(new Uint8Array(padding).fill(streamPadding));
    this.#data.flush();
    return this.#data.offset;
  }
}

/** A bit for each page of RAM, in their order: whether it is in `stored`. */
export function placesOf(ram: Bitmap, stored: Bitmap): Bitmap {
  const places = new Bitmap(new Uint8Array(ram.bytes.length));
  let place = 0;
  for (let pfn = ram.next(0); pfn >= 0; pfn = ram.next(pfn + 1), place++) {
    if (stored.has(pfn)) places.add(place);
  }
  return places;
}
