/** The pages of a pass, read through the crashed kernel's direct map and packed. */

import type { Bitmap } from '../../bytes/bitmap.ts';
import type { Codecs, CompressionName } from '../../codec/types.ts';
import { isZeroPage, zeroPageOf } from '../../dump/content.ts';
import { PageFlags } from '../../dump/lkcd/layout.ts';
import type { Machine } from '../../machine/machine.ts';
import { directMap } from '../mapped-pages.ts';

/** A page as it stands in a file behind its record. */
export interface PackedPage {
  readonly pfn: number;
  /** PageFlags. */
  readonly flags: number;
  readonly data: Uint8Array;
}

/** The clock is moved by so many pages at a time. */
const pagesPerStep = 16;

/** A page that the machine does not have is left out. */
export function* packedPages(
  machine: Machine,
  pages: Bitmap,
  compression: CompressionName,
  codecs: Codecs,
): Generator<PackedPage> {
  const memory = directMap(machine);
  const codec = codecs.get(compression);
  const { pageSize } = machine.memory;
  const speed = machine.hardware.cpu.compressBytesPerSecond[compression];
  const zeros = zeroPageOf(pageSize);
  let count = 0;
  for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) {
    const { bytes } = memory.page(pfn);
    if (bytes === undefined) continue;
    if (count++ % pagesPerStep === 0) machine.work(pagesPerStep * pageSize, speed, 'compress');
    const page = isZeroPage(bytes) ? zeros : bytes;
    const packed = codec.compress(page);
    if (packed === undefined) yield { pfn, flags: PageFlags.raw, data: page };
    else yield { pfn, flags: PageFlags.compressed, data: packed };
  }
}
