/**
 * Writes LiME: one range for each run of pages that are there. What a filter left out and what is
 * missing lies in no range; registers, notes and time have no place. Pages of zeros are holes of
 * the file.
 *
 * A range whose page turns out unreadable ends before it, and its header is written again.
 */

import type { Sink } from '../../bytes/sink.ts';
import { SparseAppender } from '../../bytes/sparse.ts';
import {
  appendPage,
  type DumpContent,
  keptRuns,
  type Progress,
  pagesDue,
  type WriteSummary,
} from '../content.ts';
import { LimeHeader, limeMagic, limeVersion } from './layout.ts';

export interface LimeOptions {
  readonly progress?: Progress;
}

const pagesPerProgress = 1024;
const pieceBytes = 1024 * 1024;

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeLime(sink: Sink, content: DumpContent, options: LimeOptions): WriteSummary {
  const { image } = content;
  const { pageSize } = image;
  const total = pagesDue(image);
  const data = new SparseAppender(sink, 0, pieceBytes);
  let pages = 0;
  let zeroPages = 0;
  let unreadable = 0;
  for (const run of keptRuns(image)) {
    /** PFN and file offset of the range that is being written. */
    let range: { readonly first: number; readonly at: number } | undefined;
    for (let pfn = run.first; pfn < run.end; pfn++) {
      const { bytes } = image.readPage(pfn);
      if (bytes === undefined) {
        unreadable++;
        if (range !== undefined) {
          data.flush();
          sink.write(range.at, headerOf(range.first * pageSize, pfn * pageSize));
          range = undefined;
        }
      } else {
        if (range === undefined) {
          range = { first: pfn, at: data.offset };
          data.append(headerOf(pfn * pageSize, run.end * pageSize));
        }
        const isZero = appendPage(data, bytes);
        pages++;
        if (isZero) zeroPages++;
      }
      if ((pages + unreadable) % pagesPerProgress === 0) options.progress?.(pages, total);
    }
  }
  data.flush();
  options.progress?.(pages, total);
  return { bytes: data.offset, pages, zeroPages, unreadable };
}

function headerOf(start: number, end: number): Uint8Array {
  return LimeHeader.encode({
    magic: limeMagic,
    version: limeVersion,
    s_addr: start,
    e_addr: end - 1,
  });
}
