/**
 * A dump while it is written. Every format is written by one loop: pages come one after another,
 * read and packed by whoever has time for it, and the writer puts each where the format wants it.
 */

import type { Codecs, CompressionName } from '../codec/types.ts';
import { isZeroPage, type Progress, type WriteSummary, zeroPageOf } from './content.ts';
import { batchesOf, type PackedPages, type PagePool } from './packed-pages.ts';
import type { MemoryImage, PfnRange } from './types.ts';

/**
 * What comes for a page: its own bytes, those that the codec made of it, a page of zeros, or
 * nothing because it cannot be read.
 */
export type PageKind = 'raw' | 'packed' | 'zero' | 'lost';

/** What is known of the pages when all have come. */
export type PageCounts = Omit<WriteSummary, 'bytes'>;

/** Whoever makes one has what stands before the pages written; the sink stays the caller's. */
export interface PageWriter<Summary extends WriteSummary = WriteSummary> {
  /** What pages are to be packed with; with `none` they all come raw. */
  readonly compression: CompressionName;
  /** Whether pages of zeros come as such, or as the codec packs them. */
  readonly zeros: 'apart' | 'packed';
  /** The pages that it waits for, in the order in which it is to be given them. */
  readonly due: Iterable<PfnRange>;
  /**
   * The next page: `bytes` is the whole page but for a packed one, and of no meaning for a lost
   * one. Nobody changes it any more. The result is whether the page is in the file.
   */
  add(pfn: number, kind: PageKind, bytes: Uint8Array): boolean;
  /** Writes what stands behind the pages, and what could not be known before. */
  finish(counts: PageCounts): Summary;
}

export interface PageOptions {
  readonly codecs: Codecs;
  readonly progress?: Progress;
}

/** Reads, packs and writes page by page. */
export function writePages<Summary extends WriteSummary>(
  writer: PageWriter<Summary>,
  image: MemoryImage,
  options: PageOptions,
): Summary {
  const codec = options.codecs.get(writer.compression);
  const pages = new Feed(writer, image.pageSize, options);
  for (const { first, end } of writer.due) {
    for (let pfn = first; pfn < end; pfn++) {
      const { bytes } = image.readPage(pfn);
      if (bytes === undefined) {
        pages.lose(pfn);
      } else if (isZeroPage(bytes)) {
        pages.addZeros(pfn);
      } else {
        const packed = codec.compress(bytes);
        pages.add(pfn, packed === undefined ? 'raw' : 'packed', packed ?? bytes);
      }
    }
  }
  return pages.finish();
}

/** The same with the pages that a pool reads and packs. */
export async function writePooledPages<Summary extends WriteSummary>(
  writer: PageWriter<Summary>,
  pageSize: number,
  pool: PagePool,
  options: PageOptions,
): Promise<Summary> {
  const pages = new Feed(writer, pageSize, options);
  for await (const packed of pool.pack(batchesOf(writer.due), writer.compression)) {
    addAll(pages, packed, pageSize);
  }
  return pages.finish();
}

function addAll(pages: Feed<WriteSummary>, packed: PackedPages, pageSize: number): void {
  const { runs, sizes, data } = packed;
  let index = 0;
  let at = 0;
  for (const { first, end } of runs) {
    for (let pfn = first; pfn < end; pfn++, index++) {
      const size = sizes[index]!;
      if (size === 0) {
        pages.lose(pfn);
      } else if (size > pageSize) {
        pages.addZeros(pfn);
      } else {
        pages.add(pfn, size < pageSize ? 'packed' : 'raw', data.subarray(at, at + size));
        at += size;
      }
    }
  }
}

const pagesPerProgress = 1024;
const nothing = new Uint8Array(0);

/** Hands pages on and counts them. */
class Feed<Summary extends WriteSummary> {
  readonly #writer: PageWriter<Summary>;
  readonly #progress: Progress | undefined;
  readonly #total: number;
  readonly #zeroKind: PageKind;
  readonly #zeros: Uint8Array;
  #pages = 0;
  #zeroPages = 0;
  #unreadable = 0;

  constructor(writer: PageWriter<Summary>, pageSize: number, { codecs, progress }: PageOptions) {
    this.#writer = writer;
    this.#progress = progress;
    let total = 0;
    for (const { first, end } of writer.due) total += end - first;
    this.#total = total;
    const zeros = zeroPageOf(pageSize);
    const isApart = writer.zeros === 'apart';
    const packed = isApart ? undefined : codecs.get(writer.compression).compress(zeros);
    this.#zeros = packed ?? zeros;
    if (isApart) this.#zeroKind = 'zero';
    else this.#zeroKind = packed === undefined ? 'raw' : 'packed';
  }

  add(pfn: number, kind: PageKind, bytes: Uint8Array): void {
    if (this.#writer.add(pfn, kind, bytes)) this.#pages++;
    else this.#unreadable++;
    this.#onPage();
  }

  addZeros(pfn: number): void {
    if (this.#writer.add(pfn, this.#zeroKind, this.#zeros)) {
      this.#pages++;
      this.#zeroPages++;
    } else {
      this.#unreadable++;
    }
    this.#onPage();
  }

  lose(pfn: number): void {
    this.add(pfn, 'lost', nothing);
  }

  finish(): Summary {
    const summary = this.#writer.finish({
      pages: this.#pages,
      zeroPages: this.#zeroPages,
      unreadable: this.#unreadable,
    });
    this.#tell();
    return summary;
  }

  #onPage(): void {
    if ((this.#pages + this.#unreadable) % pagesPerProgress === 0) this.#tell();
  }

  #tell(): void {
    this.#progress?.(this.#pages + this.#unreadable, this.#total);
  }
}
