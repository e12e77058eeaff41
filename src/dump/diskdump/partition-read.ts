/**
 * Memory as it lies on a dump partition, of a dump that may have ended anywhere.
 *
 * How far an interrupted dump came is told by the header only where the kernel rewrote it in
 * between (RHEL 4, each time that it filled a block of the second bitmap). Beyond that the blocks
 * themselves tell: those that were not reached still carry the formatter's signature. A swap area
 * has none: of it the header is believed.
 *
 * A page whose bit the second bitmap does not have was left out on purpose, in a complete dump; in
 * another one that is so only before the last page that has its bit.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { sameBytes } from '../../bytes/compare.ts';
import { DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source, windowed } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';
import type { Codec, Codecs } from '../../codec/types.ts';
import { DiskDumpHeaders, diskdumpSignature } from '../disk-dump.ts';
import type { PageReader } from '../format.ts';
import { joinRuns } from '../runs.ts';
import type { Page, PageRun, PageState } from '../types.ts';
import { partitionBlockSize } from './detect.ts';
import { type Headers, statusProblem } from './header.ts';
import {
  DumpStatus,
  formatReleases,
  formattedBlock,
  isFormatted,
  partitionHeaderBlock,
  StreamFlags,
} from './layout.ts';
import { PageStream } from './page-stream.ts';

const sectorSize = 512;
const headerAt = partitionHeaderBlock * partitionBlockSize;

/** Has a kernel dumped to this partition since it was formatted? */
export function isDumpedTo(source: Source): boolean {
  return latin1(source.read(headerAt, diskdumpSignature.length)) === diskdumpSignature;
}

/** A formatted partition that no kernel has dumped to is `absent`. */
export function checkPartition(source: Source): void {
  if (isDumpedTo(source)) return;
  throw new DumpError('absent', 'a dump partition without a dump', {
    where: { file: source.name, offset: headerAt },
    hint: 'nothing was dumped to it since it was formatted',
  });
}

interface Layout {
  readonly ram: Bitmap;
  /** By place among the pages of RAM; undefined where all of them were dumped. */
  readonly dumped: Bitmap | undefined;
  readonly dataAt: number;
}

function layoutOf(source: Source, { architecture, offset, main }: Headers): Layout {
  const size = main.block_size;
  const refuse = (field: 'block_size' | 'bitmap_blocks', message: string): DumpError =>
    new DumpError('corrupt', `diskdump header: ${message}`, {
      where: { file: source.name, offset: offset + DiskDumpHeaders[architecture].offsetOf(field) },
    });
  // It stands in block 1.
  if (size !== offset) throw refuse('block_size', `blocks of ${size} bytes, in one of ${offset}`);
  const mapBlocks = Math.ceil(Math.ceil(main.max_mapnr / 8) / size);
  if (main.bitmap_blocks < mapBlocks) {
    const message = `${main.bitmap_blocks} bitmap blocks for ${main.max_mapnr} pages`;
    throw refuse('bitmap_blocks', message);
  }
  const mapAt = (1 + partitionHeaderBlock + main.sub_hdr_size) * size;
  const ram = bitmapAt(source, mapAt, main.max_mapnr);
  const isPartial = main.bitmap_blocks >= 2 * mapBlocks;
  const dumpedAt = mapAt + mapBlocks * size;
  const dumped = isPartial ? bitmapAt(source, dumpedAt, ram.count) : undefined;
  return { ram, dumped, dataAt: mapAt + main.bitmap_blocks * size };
}

/** Bits from `bits` on are cleared: page_is_ram() of the kernel looks past the last page. */
function bitmapAt(source: Source, offset: number, bits: number): Bitmap {
  const bytes = readExactly(source, offset, Math.ceil(bits / 8), 'page bitmap').slice();
  const map = new Bitmap(bytes);
  for (let bit = bits; bit < map.length; bit++) map.remove(bit);
  return map;
}

/** One past the last set bit. */
function endOf(map: Bitmap): number {
  let end = map.length;
  while (end > 0 && map.bytes[(end >> 3) - 1] === 0) end -= 8;
  while (end > 0 && !map.has(end - 1)) end--;
  return end;
}

/** Where the memory that was written ends. */
function writtenEnd(source: Source, { main }: Headers, dataAt: number): number {
  const size = main.block_size;
  const said = Math.max(dataAt, main.written_blocks * size);
  const isComplete = (main.status & ~DumpStatus.compressed) === DumpStatus.completed;
  const front = source.read(0, size);
  const release = formatReleases.find((candidate) => isFormatted(front, 0, candidate));
  if (isComplete || release === undefined) return said;
  // A block of which a part was written is none that was: its end is still the formatter's.
  const isFormattedAt = (block: number): boolean => {
    const end = source.read((block + 1) * size - sectorSize, sectorSize);
    return sameBytes(end, formattedBlock(block, size, release).subarray(size - sectorSize));
  };
  let low = said / size;
  let high = Math.floor(source.size / size);
  if (high <= low) return said;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isFormattedAt(middle)) high = middle;
    else low = middle + 1;
  }
  return low * size;
}

export interface Partition {
  readonly layout: Layout;
  /** How many pages the bitmaps say were dumped. */
  readonly dumpedPages: number;
  /** Where the memory that was written ends. */
  readonly written: number;
  /** undefined where the pages stand as they are. */
  readonly stream: PageStream | undefined;
}

/** Where on a partition what is. Throws DumpErrors. */
export function partitionOf(source: Source, headers: Headers): Partition {
  const { main } = headers;
  const layout = layoutOf(source, headers);
  const { ram, dumped, dataAt } = layout;
  const written = writtenEnd(source, headers, dataAt);
  const isPacked = (main.status & DumpStatus.compressed) !== 0;
  const stream = isPacked
    ? new PageStream(source, dataAt, Math.min(written, source.size), main.block_size)
    : undefined;
  return { layout, dumpedPages: (dumped ?? ram).count, written, stream };
}

export class PartitionPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #source: Source;
  readonly #data: Source;
  readonly #headers: Headers;
  readonly #layout: Layout;
  /** Places among the pages of RAM from here on: nobody knows whether they were to be dumped. */
  readonly #knownPlaces: number;
  readonly #dumpedPages: number;
  readonly #written: number;
  readonly #stream: PageStream | undefined;
  readonly #zlib: Codec;
  readonly #none: Codec;

  constructor(source: Source, headers: Headers, codecs: Codecs) {
    const { main } = headers;
    this.pageSize = main.block_size;
    this.endPfn = main.max_mapnr;
    this.#source = source;
    this.#data = source.isQuick === true ? source : windowed(source, 32 * 1024, 32);
    this.#headers = headers;
    const { layout, dumpedPages, written, stream } = partitionOf(source, headers);
    const { ram, dumped } = layout;
    const isWhole = statusProblem(headers) === undefined || dumped === undefined;
    this.#layout = layout;
    this.#knownPlaces = isWhole ? ram.count : endOf(dumped);
    this.#dumpedPages = dumpedPages;
    this.#written = written;
    this.#zlib = codecs.get('zlib');
    this.#none = codecs.get('none');
    this.#stream = stream;
  }

  get incomplete(): string | undefined {
    const problems = [
      statusProblem(this.#headers),
      this.#written > this.#source.size
        ? `the file is cut at ${this.#source.size} bytes`
        : undefined,
      this.#countProblem(),
      this.#fitProblem(),
    ].filter((problem) => problem !== undefined);
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  #countProblem(): string | undefined {
    const { total_ram_blocks } = this.#headers.main;
    const { count } = this.#layout.ram;
    if (total_ram_blocks === count) return undefined;
    return `the header counts ${total_ram_blocks} pages of RAM, the bitmap ${count}`;
  }

  /** Kernels of RHEL 3 call a dump complete that did not fit its partition. */
  #fitProblem(): string | undefined {
    if (this.#stream !== undefined) {
      if (statusProblem(this.#headers) === undefined && this.#written <= this.#source.size) {
        return this.#stream.problem?.message;
      }
      this.#stream.offsetOf(this.#dumpedPages - 1);
      return this.#stream.problem?.message;
    }
    const fits = Math.floor((this.#written - this.#layout.dataAt) / this.pageSize);
    if (fits >= this.#dumpedPages) return undefined;
    return `${fits} of ${this.#dumpedPages} pages were written`;
  }

  state(pfn: number): PageState {
    const { ram } = this.#layout;
    if (pfn < 0 || pfn >= this.endPfn || !ram.has(pfn)) return 'missing';
    const place = ram.rank(pfn);
    return this.#stateOf(place, this.#indexOf(place));
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  lost(): Iterable<PageRun> {
    return joinRuns(this.#lost());
  }

  *#lost(): Generator<PageRun> {
    for (const run of this.#pages()) {
      if (run.state === 'missing' && this.#layout.ram.has(run.first)) yield run;
    }
  }

  /** Not a run a page: a bitmap of a few megabytes has tens of millions of pages. */
  *#pages(): Generator<PageRun> {
    const { ram, dumped } = this.#layout;
    let place = 0;
    let index = 0;
    let run = { first: 0, end: 0, state: 'missing' as PageState };
    for (let pfn = ram.next(0); pfn >= 0; pfn = ram.next(pfn + 1), place++) {
      const state = this.#stateOf(place, index);
      if (dumped === undefined || dumped.has(place)) index++;
      if (run.end === pfn && run.state === state) {
        run.end++;
        continue;
      }
      yield run;
      yield { first: run.end, end: pfn, state: 'missing' };
      run = { first: pfn, end: pfn + 1, state };
    }
    yield run;
    yield { first: run.end, end: this.endPfn, state: 'missing' };
  }

  /** `place`: among the pages of RAM; `index`: among those that were dumped. */
  #stateOf(place: number, index: number): PageState {
    const { dumped } = this.#layout;
    if (dumped !== undefined && !dumped.has(place)) {
      return place < this.#knownPlaces ? 'excluded' : 'missing';
    }
    return this.#offsetOf(index) === undefined ? 'missing' : 'stored';
  }

  #indexOf(place: number): number {
    return this.#layout.dumped?.rank(place) ?? place;
  }

  /** Where a dumped page or its stream header is; undefined where it was not written. */
  #offsetOf(index: number): number | undefined {
    if (this.#stream !== undefined) return this.#stream.offsetOf(index);
    const offset = this.#layout.dataAt + index * this.pageSize;
    const end = Math.min(this.#written, this.#source.size);
    return offset + this.pageSize <= end ? offset : undefined;
  }

  load(pfn: number): Page {
    const state = this.state(pfn);
    if (state !== 'stored') return { state, bytes: undefined };
    const offset = this.#offsetOf(this.#indexOf(this.#layout.ram.rank(pfn)))!;
    try {
      const bytes = within('page', { file: this.#source.name, offset, pfn }, () =>
        this.#stream === undefined
          ? this.#none.decompress(
              readExactly(this.#data, offset, this.pageSize, 'page'),
              this.pageSize,
            )
          : this.#unpack(this.#stream.dataAt(offset)),
      );
      return { state: 'stored', bytes };
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return { state: 'damaged', bytes: undefined, problem: error };
    }
  }

  #unpack({ offset, size, flags }: ReturnType<PageStream['dataAt']>): Uint8Array {
    const data = readExactly(this.#data, offset, size, 'page data');
    const codec = (flags & StreamFlags.zlib) === 0 ? this.#none : this.#zlib;
    return codec.decompress(data, this.pageSize);
  }
}
