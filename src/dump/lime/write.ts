/**
 * Writes LiME: one range for each run of pages that are there. What a filter left out and what is
 * missing lies in no range; registers, notes and time have no place. Pages of zeros are holes of
 * the file.
 *
 * A range whose page turns out unreadable ends before it, and its header is written again.
 */

import type { Sink } from '../../bytes/sink.ts';
import { SparseAppender } from '../../bytes/sparse.ts';
import { type DumpContent, keptRuns, type WriteSummary } from '../content.ts';
import { type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import { refuseManyRanges } from '../segments.ts';
import { LimeHeader, limeMagic, limeVersion } from './layout.ts';

const pieceBytes = 1024 * 1024;

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeLime(sink: Sink, content: DumpContent, options: PageOptions): WriteSummary {
  return writePages(limeWriter(sink, content), content.image, options);
}

export function limeWriter(sink: Sink, { image }: DumpContent): PageWriter {
  const { pageSize } = image;
  const due = [...keptRuns(image)];
  refuseManyRanges(due, 'LiME');
  const data = new SparseAppender(sink, 0, pieceBytes);
  let index = 0;
  /** PFN and file offset of the range that is being written. */
  let range: { readonly first: number; readonly at: number } | undefined;
  return {
    compression: 'none',
    zeros: 'apart',
    due,
    add(pfn, kind, bytes) {
      while (pfn >= due[index]!.end) {
        index++;
        range = undefined;
      }
      if (kind === 'lost') {
        if (range === undefined) return false;
        data.flush();
        sink.write(range.at, headerOf(range.first * pageSize, pfn * pageSize));
        range = undefined;
        return false;
      }
      if (range === undefined) {
        range = { first: pfn, at: data.offset };
        data.append(headerOf(pfn * pageSize, due[index]!.end * pageSize));
      }
      if (kind === 'zero') data.appendZeros(pageSize);
      else data.append(bytes);
      return true;
    },
    finish(counts) {
      data.flush();
      return { bytes: data.offset, ...counts };
    },
  };
}

function headerOf(start: number, end: number): Uint8Array {
  return LimeHeader.encode({
    magic: limeMagic,
    version: limeVersion,
    s_addr: start,
    e_addr: end - 1,
  });
}
