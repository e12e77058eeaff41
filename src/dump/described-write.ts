/**
 * Writes what KDUMP and diskdump files share: bitmaps, descriptors, pages. The whole layout before
 * the data is known from the image's runs; descriptors and data are written side by side.
 *
 * A page that turns out unreadable keeps a descriptor of zeros (offset 0: lost).
 */

import { Bitmap } from '../bytes/bitmap.ts';
import { Appender, appenderOfKept, type Sink } from '../bytes/sink.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import { isZeroPage, type Progress, type WriteSummary } from './content.ts';
import { compressionFlags, PageDescriptor, type PfnRange } from './disk-dump.ts';
import type { MemoryImage } from './types.ts';

interface PageOptions {
  readonly compression: Exclude<CompressionName, 'rle'>;
  readonly codecs: Codecs;
  readonly progress?: Progress;
}

const pagesPerProgress = 1024;
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

/** `subHeaderSize`: bytes between the main header's block and the bitmaps. */
export function planOf(image: MemoryImage, subHeaderSize: number): Plan {
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
  const subHeaderBlocks = Math.ceil(subHeaderSize / blockSize);
  const descriptorsAt = (1 + subHeaderBlocks + bitmapBlocks) * blockSize;
  return {
    blockSize, endPfn, ram, stored, pages, subHeaderBlocks, bitmapBlocks, descriptorsAt,
  }; // biome-ignore format: a list
}

/** Bitmaps, descriptors and data of the pages in `held`; the headers are the caller's. */
export function writeDescribed(
  sink: Sink,
  image: MemoryImage,
  options: PageOptions,
  plan: Plan,
  held: PfnRange = { first: 0, end: plan.endPfn },
): WriteSummary {
  const total = plan.stored.rank(held.end) - plan.stored.rank(held.first);
  const half = (plan.bitmapBlocks / 2) * plan.blockSize;
  const bitmapsAt = (1 + plan.subHeaderBlocks) * plan.blockSize;
  sink.write(bitmapsAt, plan.ram.bytes);
  sink.write(bitmapsAt + half, plan.stored.bytes);
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
  const data = appenderOfKept(sink, plan.descriptorsAt + total * PageDescriptor.size, pieceBytes);
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
  for (let pfn = plan.stored.next(held.first); pfn >= 0 && pfn < held.end; ) {
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
    if ((pages + unreadable) % pagesPerProgress === 0) options.progress?.(pages, total);
    pfn = plan.stored.next(pfn + 1);
  }
  descriptors.flush();
  data.flush();
  options.progress?.(pages, total);
  return { bytes: data.offset, pages, zeroPages, unreadable };
}
