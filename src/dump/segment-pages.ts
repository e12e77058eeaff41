/** Pages of a file that holds memory as it is, in segments: ELF cores, LiME, raw images. */

import { DumpError } from '../bytes/errors.ts';
import { readExactly, type Source } from '../bytes/source.ts';
import type { PageReader } from './format.ts';
import { type Piece, type Segment, SegmentMap } from './segments.ts';
import type { Page, PageRun, PageState } from './types.ts';

/** The pages of these segments; a file that ends before they do is added to the `problems`. */
export function segmentPages(
  source: Source,
  segments: readonly Segment[],
  pageSize: number,
  problems: readonly string[],
): PageReader {
  const needed = segments.reduce(
    (most, { offset, fileSize }) => Math.max(most, fileSize > 0 ? offset + fileSize : 0),
    0,
  );
  const cut = `the file is cut at ${source.size} bytes, its segments need ${needed}`;
  const said = needed > source.size ? [...problems, cut] : problems;
  return new SegmentPages(source, new SegmentMap(segments, source.size, pageSize), said);
}

class SegmentPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly incomplete: string | undefined;
  readonly #source: Source;
  readonly #map: SegmentMap;

  constructor(source: Source, map: SegmentMap, problems: readonly string[]) {
    this.pageSize = map.pageSize;
    this.endPfn = map.endPfn;
    this.incomplete = problems.length === 0 ? undefined : problems.join('; ');
    this.#source = source;
    this.#map = map;
  }

  state(pfn: number): PageState {
    return this.#map.state(pfn);
  }

  runs(): Iterable<PageRun> {
    return this.#map.runs();
  }

  lost(): Iterable<PageRun> {
    return this.#map.lost();
  }

  load(pfn: number): Page {
    // Arrays that never change need no copy.
    const kept = this.#source.pieces === undefined ? undefined : this.#wholePage(pfn);
    if (kept !== undefined) return kept;
    const pieces = this.#map.piecesOf(pfn);
    const cut = pieces.find(({ state }) => state === 'missing');
    if (cut !== undefined) return this.#cutPage(pfn, cut);
    const stored = pieces.filter(({ state }) => state === 'stored');
    if (stored.length === 0) {
      return { state: pieces.length > 0 ? 'excluded' : 'missing', bytes: undefined };
    }
    try {
      return this.#assemble(stored);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const problem = new DumpError(error.code, error.message, {
        where: { pfn, ...error.where },
        cause: error.cause,
      });
      return { state: 'damaged', bytes: undefined, problem };
    }
  }

  glance(pfn: number): Page {
    return this.#wholePage(pfn) ?? this.load(pfn);
  }

  /** A page that is in the file in one piece, as the source gives it. */
  #wholePage(pfn: number): Page | undefined {
    const offset = this.#map.wholePageAt(pfn);
    if (offset === undefined || this.#source.lost?.(offset, this.pageSize)) return undefined;
    const bytes = this.#source.read(offset, this.pageSize);
    return bytes.length === this.pageSize ? { state: 'stored', bytes } : undefined;
  }

  #assemble(stored: readonly Piece[]): Page {
    const bytes = new Uint8Array(this.pageSize);
    let present = { start: 0, end: 0 };
    let at = { start: 0, end: 0 };
    for (const { start, end, offset } of stored) {
      bytes.set(readExactly(this.#source, offset, end - start, 'page'), start);
      at = start === at.end ? { start: at.start, end } : { start, end };
      if (at.end - at.start > present.end - present.start) present = at;
    }
    if (present.end - present.start === this.pageSize) return { state: 'stored', bytes };
    // One range is all that Page can say: of several, the longest.
    bytes.fill(0, 0, present.start);
    bytes.fill(0, present.end);
    return { state: 'stored', bytes, present };
  }

  #cutPage(pfn: number, { offset }: Piece): Page {
    const problem = new DumpError('truncated', 'page lies past the end of the file', {
      where: { file: this.#source.name, offset, pfn },
      hint: 'the pages before the cut can be read',
    });
    return { state: 'missing', bytes: undefined, problem };
  }
}
