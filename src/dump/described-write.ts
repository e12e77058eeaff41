/**
 * Writes what KDUMP and diskdump files share: bitmaps, descriptors, pages. The whole layout before
 * the data is known from the image's runs; descriptors and data are written side by side.
 *
 * A page that turns out unreadable keeps a descriptor of zeros (offset 0: lost).
 */

import { Bitmap } from '../bytes/bitmap.ts';
import { Appender, type Appending, appenderOfKept, type Sink } from '../bytes/sink.ts';
import type { CompressionName } from '../codec/types.ts';
import type { WriteSummary } from './content.ts';
import { compressionFlags, PageDescriptor } from './disk-dump.ts';
import { refuseWildSize } from './filtered.ts';
import type { PageCounts, PageWriter } from './page-writer.ts';
import type { MemoryImage, PfnRange } from './types.ts';

/** makedumpfile's own buffers (-b 4): what a dump that is cut short can still say of its pages. */
const pieceBytes = 64 * 1024;

/** Where everything goes. */
export interface Plan {
  readonly blockSize: number;
  readonly endPfn: number;
  readonly ram: Bitmap;
  readonly stored: Bitmap;
  readonly pages: number;
  readonly subHeaderBlocks: number;
  readonly bitmapBlocks: number;
  readonly descriptorsAt: number;
}

/**
 * `subHeaderSize`: bytes between the main header's block and the bitmaps. `unsupported` for more
 * pages than bitmaps are made for.
 */
export function planOf(image: MemoryImage, subHeaderSize: number): Plan {
  refuseWildSize(image);
  const blockSize = image.pageSize;
  const endPfn = Math.max(1, image.endPfn);
  const bitmapBlocks = 2 * Math.ceil(Math.ceil(endPfn / 8) / blockSize);
  const bitmapSize = (bitmapBlocks / 2) * blockSize;
  const ram = new Bitmap(new Uint8Array(bitmapSize));
  const stored = new Bitmap(new Uint8Array(bitmapSize));
  let pages = 0;
  for (const { first, end, state } of image.runs()) {
    const kept = state === 'stored' || state === 'zero';
    if (!kept && state !== 'excluded') continue;
    ram.addRange(first, end);
    if (kept) stored.addRange(first, end);
    if (kept) pages += end - first;
  }
  const subHeaderBlocks = Math.ceil(subHeaderSize / blockSize);
  const descriptorsAt = (1 + subHeaderBlocks + bitmapBlocks) * blockSize;
  return {
    blockSize, endPfn, ram, stored, pages, subHeaderBlocks, bitmapBlocks, descriptorsAt,
  }; // biome-ignore format: a list
}

/**
 * Bitmaps, descriptors and data of the pages in `held`. The headers are the caller's, who is told
 * the counts when all else is written.
 */
export function describedWriter(
  sink: Sink,
  plan: Plan,
  compression: Exclude<CompressionName, 'rle'>,
  held: PfnRange,
  finishHeaders: (counts: PageCounts) => void,
): PageWriter {
  const half = (plan.bitmapBlocks / 2) * plan.blockSize;
  const bitmapsAt = (1 + plan.subHeaderBlocks) * plan.blockSize;
  sink.write(bitmapsAt, plan.ram.bytes);
  sink.write(bitmapsAt + half, plan.stored.bytes);
  const total = plan.stored.rank(held.end) - plan.stored.rank(held.first);
  const dataAt = plan.descriptorsAt + total * PageDescriptor.size;
  const pages = new DescribedWriter(sink, plan.descriptorsAt, dataAt, compression);
  return {
    compression,
    zeros: 'apart',
    due: { [Symbol.iterator]: () => plan.stored.runs(held.first, held.end) },
    add(_, kind, bytes) {
      if (kind === 'lost') pages.describe(0, 0, 0);
      else if (kind === 'zero') pages.addZeros(bytes);
      else pages.add(bytes, kind);
      return kind !== 'lost';
    },
    finish(counts): WriteSummary {
      const end = pages.flush();
      finishHeaders(counts);
      return { bytes: end, ...counts };
    },
  };
}

class DescribedWriter {
  readonly #descriptors: Appender;
  readonly #data: Appending;
  readonly #packedFlag: number;
  // Not by PageDescriptor.encode: this is the inner loop.
  readonly #described = new Uint8Array(PageDescriptor.size);
  readonly #view = new DataView(this.#described.buffer);
  /** One raw page for all zero pages, as makedumpfile does. */
  #zerosAt: number | undefined;

  constructor(
    sink: Sink,
    descriptorsAt: number,
    dataAt: number,
    compression: Exclude<CompressionName, 'rle'>,
  ) {
    this.#descriptors = new Appender(sink, descriptorsAt, pieceBytes);
    this.#data = appenderOfKept(sink, dataAt, pieceBytes);
    this.#packedFlag = compressionFlags.get(compression)!;
  }

  describe(offset: number, size: number, flags: number): void {
    this.#view.setUint32(0, offset % 2 ** 32, true);
    this.#view.setUint32(4, offset / 2 ** 32, true);
    this.#view.setUint32(8, size, true);
    this.#view.setUint32(12, flags, true);
    this.#descriptors.append(this.#described);
  }

  add(bytes: Uint8Array, kind: 'raw' | 'packed'): void {
    const offset = this.#data.offset;
    this.#data.append(bytes);
    this.describe(offset, bytes.length, kind === 'raw' ? 0 : this.#packedFlag);
  }

  addZeros(zeros: Uint8Array): void {
    if (this.#zerosAt === undefined) {
      this.#zerosAt = this.#data.offset;
      this.#data.append(zeros);
    }
    this.describe(this.#zerosAt, zeros.length, 0);
  }

  /** The result is where the file ends. */
  flush(): number {
    this.#descriptors.flush();
    this.#data.flush();
    return this.#data.offset;
  }
}
