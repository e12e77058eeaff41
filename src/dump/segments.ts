/**
 * Program headers, LiME's and raw ranges as memory: which bytes of physical memory are where in the
 * file.
 *
 * Segments may overlap (the kernel's text comes twice in /proc/vmcore, hundreds of times in QEMU's
 * paging dumps): the first header wins. Bytes that are in the file win over bytes that a segment
 * only promises (its tail beyond p_filesz, or beyond the end of a cut file).
 * Edges need not be page aligned: e820 may hand the kernel half pages.
 */

import { DumpError } from '../bytes/errors.ts';
import { firstWins, pieceFrom, type RangeMap } from '../bytes/ranges.ts';
import { joinRuns } from './runs.ts';
import type { PageRun, PageState, PfnRange } from './types.ts';

/**
 * So many ranges of LiME and of raw memory are read, and written: a filtered dump has about a
 * thousand for each gigabyte.
 */
export const maxRanges = 1024 * 1024;

/** Throws `unsupported` for an image in more ranges than are read again. */
export function refuseManyRanges({ length }: readonly PfnRange[], format: string): void {
  if (length <= maxRanges) return;
  throw new DumpError('unsupported', `${format} with ${length} ranges of pages is not read again`, {
    hint: 'a KDUMP file has place for any number',
  });
}

/** A PT_LOAD or its like; offsets and physical addresses in bytes. */
export interface Segment {
  readonly offset: number;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** Part of one page, `start` and `end` relative to the page. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly state: 'stored' | 'excluded' | 'missing';
  /** File offset of `start`. */
  readonly offset: number;
}

export class SegmentMap {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #segments: readonly Segment[];
  /** Three ranges for each segment: owners are class * segments + segment. */
  readonly #map: RangeMap;
  /** The piece that the last whole page was found in. */
  #lastPiece = 0;

  constructor(segments: readonly Segment[], fileSize: number, pageSize: number) {
    this.pageSize = pageSize;
    this.#segments = segments;
    const starts: number[] = [];
    const ends: number[] = [];
    const inFile = (segment: Segment): number =>
      Math.max(0, Math.min(segment.fileSize, fileSize - segment.offset));
    for (const segment of segments) {
      starts.push(segment.physical);
      ends.push(segment.physical + inFile(segment));
    }
    for (const { physical, fileSize: size, memorySize } of segments) {
      starts.push(physical + size);
      ends.push(physical + memorySize);
    }
    for (const segment of segments) {
      starts.push(segment.physical + inFile(segment));
      ends.push(segment.physical + segment.fileSize);
    }
    this.#map = firstWins(starts, ends);
    this.endPfn = Math.ceil((this.#map.end.at(-1) ?? 0) / pageSize);
  }

  /** What is known of a page, in ascending order; bytes in no segment are left out. */
  piecesOf(pfn: number): Piece[] {
    const pageStart = pfn * this.pageSize;
    const pageEnd = pageStart + this.pageSize;
    const { start, end, owner } = this.#map;
    const pieces: Piece[] = [];
    for (let index = pieceFrom(this.#map, pageStart); index < start.length; index++) {
      if (start[index]! >= pageEnd) break;
      const from = Math.max(pageStart, start[index]!);
      const to = Math.min(pageEnd, end[index]!);
      const segment = this.#segments[owner[index]! % this.#segments.length]!;
      pieces.push({
        start: from - pageStart,
        end: to - pageStart,
        state: this.#stateOf(owner[index]!),
        offset: segment.offset + (from - segment.physical),
      });
    }
    return pieces;
  }

  /** The file offset of a page that is in the file in one piece; undefined for all others. */
  wholePageAt(pfn: number): number | undefined {
    const { start, end, owner } = this.#map;
    const from = pfn * this.pageSize;
    const to = from + this.pageSize;
    const isInside = (): boolean => start[this.#lastPiece]! <= from && to <= end[this.#lastPiece]!;
    if (!isInside()) this.#lastPiece = pieceFrom(this.#map, from);
    const segment = this.#segments[owner[this.#lastPiece] ?? this.#segments.length];
    if (segment === undefined || !isInside()) return undefined;
    return segment.offset + (from - segment.physical);
  }

  /** A page that a file's cut end goes through is missing: half of it would look like zeros. */
  state(pfn: number): PageState {
    if (this.wholePageAt(pfn) !== undefined) return 'stored';
    const states = new Set(this.piecesOf(pfn).map((piece) => piece.state));
    if (states.has('missing')) return 'missing';
    if (states.has('stored')) return 'stored';
    return states.has('excluded') ? 'excluded' : 'missing';
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#stretches());
  }

  /** Pages that a segment promises behind the end of the file. */
  lost(): Iterable<PageRun> {
    return joinRuns(this.#lost());
  }

  *#lost(): Generator<PageRun> {
    for (const run of this.#stretches()) {
      if (run.state === 'missing' && this.piecesOf(run.first).length > 0) yield run;
    }
  }

  /** Between two page boundaries near piece edges the state cannot change. */
  *#stretches(): Generator<PageRun> {
    const edges = new Set<number>([0, this.endPfn]);
    for (const bounds of [this.#map.start, this.#map.end]) {
      for (const at of bounds) {
        edges.add(Math.floor(at / this.pageSize));
        edges.add(Math.ceil(at / this.pageSize));
      }
    }
    const sorted = Float64Array.from(edges).sort();
    for (const [index, first] of sorted.entries()) {
      const end = sorted[index + 1];
      if (end !== undefined) yield { first, end, state: this.state(first) };
    }
  }

  #stateOf(owner: number): Piece['state'] {
    const kind = Math.floor(owner / this.#segments.length);
    if (kind === 0) return 'stored';
    return kind === 1 ? 'excluded' : 'missing';
  }
}
