/**
 * An image without the pages that a filter leaves out, and the pages that are known by content.
 * Nothing is held but bitmaps, a bit for each page frame.
 */

import { Bitmap } from '../bytes/bitmap.ts';
import { DumpError } from '../bytes/errors.ts';
import { isZeroPage, type Progress } from './content.ts';
import { batchesOf, type PagePool } from './packed-pages.ts';
import { joinRuns } from './runs.ts';
import type { MemoryImage, Page, PageRun, PageState, PfnRange } from './types.ts';

/** What of an image stays. */
export interface PageSelection {
  /** PFNs of the pages that stay; others that are there become `excluded`. */
  readonly kept: Bitmap;
  /** PFNs of RAM: all others become `missing`. Without it, the image knows. */
  readonly ram?: Bitmap;
  /** Of the selection, where it ends before the image. */
  readonly endPfn?: number;
}

export class FilteredImage implements MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #image: MemoryImage;
  readonly #selection: PageSelection;

  constructor(image: MemoryImage, selection: PageSelection) {
    this.name = image.name;
    this.pageSize = image.pageSize;
    this.endPfn = Math.min(image.endPfn, selection.endPfn ?? image.endPfn);
    this.#image = image;
    this.#selection = selection;
  }

  state(pfn: number): PageState {
    const { kept, ram } = this.#selection;
    if (pfn >= this.endPfn || ram?.has(pfn) === false) return 'missing';
    const state = this.#image.state(pfn);
    return kept.has(pfn) || !isThere(state) ? state : 'excluded';
  }

  readPage(pfn: number): Page {
    const state = this.state(pfn);
    // Why a page is not there, the image knows.
    const isItsOwn = isThere(state) || state === this.#image.state(pfn);
    return isItsOwn ? this.#image.readPage(pfn) : { state, bytes: undefined };
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pieces());
  }

  *#pieces(): Generator<PageRun> {
    const { kept, ram } = this.#selection;
    for (const { first, end, state } of this.#image.runs()) {
      const run = { first, end: Math.min(end, this.endPfn), state };
      const pieces = ram === undefined ? [run] : outlined(run, ram, 'missing');
      for (const piece of pieces) {
        if (isThere(piece.state)) yield* outlined(piece, kept, 'excluded');
        else yield piece;
      }
    }
  }
}

/**
 * The pages of `within` that are all zeros. Those in state `zero` are known without reading; a page
 * that cannot be read is none.
 */
export function findZeroPages(image: MemoryImage, within: Bitmap): Bitmap {
  const zero = pageMap(image);
  for (const { first, end } of unknownPages(image, within, zero)) {
    addZeroPages(image, first, end, zero);
  }
  return zero;
}

/** The same, by a pool that reads the pages. */
export async function findPooledZeroPages(
  image: MemoryImage,
  within: Bitmap,
  pool: PagePool,
  progress?: Progress,
): Promise<Bitmap> {
  const zero = pageMap(image);
  let total = 0;
  for (const { first, end } of unknownPages(image, within, zero)) total += end - first;
  let done = 0;
  const batches = batchesOf(unknownPages(image, within, zero));
  for await (const { runs, sizes } of pool.findZeros(batches)) {
    let index = 0;
    for (const { first, end } of runs) {
      for (let pfn = first; pfn < end; pfn++) {
        if (sizes[index++]! > image.pageSize) zero.add(pfn);
      }
    }
    done += sizes.length;
    progress?.(done, total);
  }
  return zero;
}

/** What must be read to know whether it is zeros; what is known to be is added to `zero`. */
function* unknownPages(image: MemoryImage, within: Bitmap, zero: Bitmap): Generator<PfnRange> {
  for (const run of image.runs()) {
    if (!isThere(run.state)) continue;
    for (const { first, end } of within.runs(run.first, run.end)) {
      if (run.state === 'zero') zero.addRange(first, end);
      else yield { first, end };
    }
  }
}

function addZeroPages(image: MemoryImage, first: number, end: number, zero: Bitmap): void {
  for (let pfn = first; pfn < end; pfn++) {
    const { bytes } = image.readPage(pfn);
    if (bytes !== undefined && isZeroPage(bytes)) zero.add(pfn);
  }
}

/** 16 TiB of addresses, as LKCD and diskdump have: beyond that it is a wild header. */
const maxPages = 2 ** 32;

/** A bit for each page frame of an image, none set; `unsupported` for more than there can be. */
export function pageMap(image: MemoryImage): Bitmap {
  refuseWildSize(image);
  return Bitmap.ofSize(image.endPfn);
}

/** Throws `unsupported` for more page frames than a bitmap is made for. */
export function refuseWildSize({ name, endPfn, pageSize }: MemoryImage): void {
  if (endPfn <= maxPages) return;
  throw new DumpError('unsupported', 'addresses beyond 16 TiB: no bitmap of pages is that large', {
    where: { file: name, physical: BigInt(endPfn - 1) * BigInt(pageSize) },
    hint: 'elf and mkdump need none, where nothing is filtered',
  });
}

/** Pages that an image has, by its index. */
export function pagesThere(image: MemoryImage): Bitmap {
  const pages = pageMap(image);
  for (const { first, end, state } of image.runs()) {
    if (isThere(state)) pages.addRange(first, end);
  }
  return pages;
}

function isThere(state: PageState): boolean {
  return state === 'stored' || state === 'zero';
}

/** The run in pieces, in state `otherwise` where the map has no bit; some may be empty. */
export function* outlined(run: PageRun, map: Bitmap, otherwise: PageState): Generator<PageRun> {
  let at = run.first;
  for (const { first, end } of map.runs(run.first, run.end)) {
    yield { first: at, end: first, state: otherwise };
    yield { first, end, state: run.state };
    at = end;
  }
  yield { first: at, end: run.end, state: otherwise };
}
