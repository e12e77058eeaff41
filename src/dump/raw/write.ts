/**
 * Writes padded raw memory: every page at its physical address. What is not there reads back as
 * zeros, so the summary has the ranges that are: without that list, `iomemText` of it in a file
 * beside, nobody can tell.
 */

import type { Sink } from '../../bytes/sink.ts';
import { SparseAppender } from '../../bytes/sparse.ts';
import {
  appendPage,
  type DumpContent,
  type Progress,
  pagesDue,
  pfnsToWrite,
  type WriteSummary,
} from '../content.ts';
import type { MemoryRange } from '../types.ts';

export interface RawOptions {
  readonly progress?: Progress;
}

export interface RawSummary extends WriteSummary {
  /** What is memory in the file, ascending. */
  readonly ranges: readonly MemoryRange[];
}

const pagesPerProgress = 1024;
const pieceBytes = 1024 * 1024;

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeRaw(sink: Sink, content: DumpContent, options: RawOptions): RawSummary {
  const { image } = content;
  const total = pagesDue(image);
  const data = new SparseAppender(sink, 0, pieceBytes);
  const runs: { readonly first: number; end: number }[] = [];
  let pages = 0;
  let zeroPages = 0;
  let unreadable = 0;
  for (const pfn of pfnsToWrite(image)) {
    const { bytes } = image.readPage(pfn);
    if (bytes === undefined) {
      unreadable++;
    } else {
      data.skipTo(pfn * image.pageSize);
      const isZero = appendPage(data, bytes);
      const last = runs.at(-1);
      if (last?.end === pfn) last.end++;
      else runs.push({ first: pfn, end: pfn + 1 });
      pages++;
      if (isZero) zeroPages++;
    }
    if ((pages + unreadable) % pagesPerProgress === 0) options.progress?.(pages, total);
  }
  data.flush();
  options.progress?.(pages, total);
  const addressOf = (pfn: number): bigint => BigInt(pfn) * BigInt(image.pageSize);
  const ranges = runs.map(({ first, end }) => ({ start: addressOf(first), end: addressOf(end) }));
  return { bytes: data.offset, pages, zeroPages, unreadable, ranges };
}
