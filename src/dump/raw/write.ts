/**
 * Writes padded raw memory: every page at its physical address. What is not there reads back as
 * zeros, so the summary has the ranges that are: without that list, `iomemText` of it in a file
 * beside, nobody can tell.
 */

import type { Sink } from '../../bytes/sink.ts';
import { SparseAppender } from '../../bytes/sparse.ts';
import { type DumpContent, keptRuns, type WriteSummary } from '../content.ts';
import { type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import { refuseManyRanges } from '../segments.ts';
import type { MemoryRange } from '../types.ts';

export interface RawSummary extends WriteSummary {
  /** What is memory in the file, ascending. */
  readonly ranges: readonly MemoryRange[];
}

const pieceBytes = 1024 * 1024;

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeRaw(sink: Sink, content: DumpContent, options: PageOptions): RawSummary {
  return writePages(rawWriter(sink, content), content.image, options);
}

export function rawWriter(sink: Sink, { image }: DumpContent): PageWriter<RawSummary> {
  const { pageSize } = image;
  const due = [...keptRuns(image)];
  refuseManyRanges(due, 'raw memory');
  const data = new SparseAppender(sink, 0, pieceBytes);
  const runs: { readonly first: number; end: number }[] = [];
  return {
    compression: 'none',
    zeros: 'apart',
    due,
    add(pfn, kind, bytes) {
      if (kind === 'lost') return false;
      data.skipTo(pfn * pageSize);
      if (kind === 'zero') data.appendZeros(pageSize);
      else data.append(bytes);
      const last = runs.at(-1);
      if (last?.end === pfn) last.end++;
      else runs.push({ first: pfn, end: pfn + 1 });
      return true;
    },
    finish(counts) {
      data.flush();
      const addressOf = (pfn: number): bigint => BigInt(pfn) * BigInt(pageSize);
      const ranges = runs.map(({ first, end }) => ({
        start: addressOf(first),
        end: addressOf(end),
      }));
      return { bytes: data.offset, ...counts, ranges };
    },
  };
}
