/**
 * Pages in batches, read and packed: the unit in which work is given to other threads. A batch is
 * large enough that handing it over costs little beside the work, and small enough that many of
 * them are no memory to speak of.
 */

import type { Codec, CompressionName } from '../codec/types.ts';
import { isZeroPage } from './content.ts';
import type { MemoryImage, PfnRange } from './types.ts';

/** PFNs of one batch, ascending. Plain data: other threads get a copy. */
export type Batch = readonly PfnRange[];

export interface PackedPages {
  readonly runs: Batch;
  /**
   * By page: 0 for one that cannot be read, more than the page size for one of zeros, else its
   * bytes in `data`: less than a page where it is packed.
   */
  readonly sizes: Uint32Array;
  readonly data: Uint8Array;
}

/** Whoever reads and packs pages of one dump; results come in the order of the batches. */
export interface PagePool {
  pack(batches: Iterable<Batch>, compression: CompressionName): AsyncIterable<PackedPages>;
  /** Says of each page whether it is one of zeros, in `sizes`; there is no data. */
  findZeros(batches: Iterable<Batch>): AsyncIterable<PackedPages>;
  close(): Promise<void>;
}

const pagesPerBatch = 256;

/** The pages of the runs in batches. */
export function* batchesOf(runs: Iterable<PfnRange>): Generator<Batch> {
  let batch: PfnRange[] = [];
  let room = pagesPerBatch;
  for (const run of runs) {
    for (let first = run.first; first < run.end; ) {
      const end = Math.min(run.end, first + room);
      batch.push({ first, end });
      room -= end - first;
      first = end;
      if (room > 0) continue;
      yield batch;
      batch = [];
      room = pagesPerBatch;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Reads and packs the pages of one image, batch by batch. */
export class PagePacker {
  readonly #image: MemoryImage;
  /** What a batch is packed into; what it came to is copied: most have much less. */
  #scratch = new Uint8Array(0);

  constructor(image: MemoryImage) {
    this.#image = image;
  }

  pack(runs: Batch, codec: Codec): PackedPages {
    const { pageSize } = this.#image;
    const count = pagesIn(runs);
    const sizes = new Uint32Array(count);
    if (this.#scratch.length < count * pageSize) this.#scratch = new Uint8Array(count * pageSize);
    let index = 0;
    let at = 0;
    for (const { first, end } of runs) {
      for (let pfn = first; pfn < end; pfn++, index++) {
        const bytes = this.#look(pfn);
        if (bytes === undefined) continue;
        if (isZeroPage(bytes)) {
          sizes[index] = pageSize + 1;
          continue;
        }
        const stored = codec.compress(bytes) ?? bytes;
        this.#scratch.set(stored, at);
        at += stored.length;
        sizes[index] = stored.length;
      }
    }
    return { runs, sizes, data: this.#scratch.slice(0, at) };
  }

  markZeros(runs: Batch): PackedPages {
    const { pageSize } = this.#image;
    const sizes = new Uint32Array(pagesIn(runs));
    let index = 0;
    for (const { first, end } of runs) {
      for (let pfn = first; pfn < end; pfn++, index++) {
        const bytes = this.#look(pfn);
        if (bytes !== undefined) sizes[index] = isZeroPage(bytes) ? pageSize + 1 : pageSize;
      }
    }
    return { runs, sizes, data: new Uint8Array(0) };
  }

  /** Pages are looked at one after another and forgotten. */
  #look(pfn: number): Uint8Array | undefined {
    return (this.#image.glance?.(pfn) ?? this.#image.readPage(pfn)).bytes;
  }
}

function pagesIn(runs: Batch): number {
  return runs.reduce((sum, { first, end }) => sum + end - first, 0);
}
