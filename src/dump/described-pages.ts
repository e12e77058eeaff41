/**
 * Pages by descriptor, as KDUMP and diskdump files hold them. Both bitmaps are held in memory (a
 * bit a page each), descriptors and data are read on demand.
 *
 * - A stored page's descriptor number is the number of bits of the second bitmap before it, counted
 *   from the first page of the part where a dump is split.
 * - A descriptor with offset 0 is a page that the writer lost. Without looking, every page of a cut
 *   file would seem to be there: `state` reads the descriptor.
 * - Zero pages share one raw page of zeros. That is only seen by reading it: they are `stored`.
 */

import { nextInAny } from '../bytes/bitmap.ts';
import { DumpError, within } from '../bytes/errors.ts';
import { readExactly, type Source, windowed } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import { isZeroPage, zeroPageOf } from './content.ts';
import { compressionBits, compressionFlags, type Geometry, PageDescriptor } from './disk-dump.ts';
import type { PageReader, Part } from './format.ts';
import { joinRuns } from './runs.ts';
import type { Page, PageRun, PageState } from './types.ts';

/** So many descriptors from the end tell whether the file was cut; zero pages say nothing. */
const descriptorsToProbe = 1024;
const compressionOf = new Map([...compressionFlags].map(([name, bit]) => [bit, name]));

interface Descriptor {
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
}

export class DescribedPages implements PageReader, Part {
  readonly first: number;
  readonly end: number;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #source: Source;
  readonly #descriptors: Source;
  readonly #data: Source;
  readonly #geometry: Geometry;
  readonly #packingFlags: number;
  readonly #codecs: Codecs;
  readonly #problems: string[];
  /** The page that was stored as it is and read last. */
  #raw: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  #last: { readonly index: number; readonly descriptor: Descriptor } | undefined;
  /** Stored pages before those that are here, and here. */
  readonly #before: number;
  readonly #count: number;
  /** So many descriptors end before the file does. */
  readonly #wholeDescriptors: number;
  #cut = false;
  #lost = false;

  constructor(
    source: Source,
    geometry: Geometry,
    codecs: Codecs,
    problems: readonly (string | undefined)[],
  ) {
    this.pageSize = geometry.pageSize;
    this.endPfn = geometry.endPfn;
    this.#source = source;
    this.#descriptors = windowed(source);
    // Small windows: the kernel's structures are followed all over the file.
    this.#data = source.isQuick === true ? source : windowed(source, 32 * 1024, 32);
    this.#geometry = geometry;
    this.#packingFlags = geometry.packingFlags;
    this.#codecs = codecs;
    this.#problems = problems.filter((problem) => problem !== undefined);
    const { first, end } = geometry.held ?? { first: 0, end: geometry.endPfn };
    this.first = first;
    this.end = end;
    this.#before = geometry.stored.rank(first);
    this.#count = this.promised(first, end);
    const room = source.size - geometry.descriptorsAt;
    this.#wholeDescriptors = Math.floor(room / PageDescriptor.size);
    this.#probeEnd();
  }

  get incomplete(): string | undefined {
    const cut = this.#cut ? [`the file is cut at ${this.#source.size} bytes`] : [];
    const lost = this.#lost ? ['pages were lost when it was written'] : [];
    const problems = [...this.#problems, ...lost, ...cut];
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  /** Compression flags of the first descriptors: the header's may be wrong. */
  firstFlags(): number {
    let flags = 0;
    const count = Math.min(this.#count, descriptorsToProbe);
    for (let index = 0; index < count; index++) flags |= this.#descriptor(index)?.flags ?? 0;
    return flags & compressionBits;
  }

  state(pfn: number): PageState {
    const { ram, stored } = this.#geometry;
    if (!this.#isPfn(pfn)) return 'missing';
    if (!stored.has(pfn)) return ram.has(pfn) ? 'excluded' : 'missing';
    return this.#isHere(pfn) ? this.#storedState(stored.rank(pfn) - this.#before) : 'missing';
  }

  promised(first: number, end: number): number {
    const { stored } = this.#geometry;
    return stored.rank(end) - stored.rank(first);
  }

  runs(): Iterable<PageRun> {
    return this.runsIn(0, this.endPfn);
  }

  *runsIn(first: number, end: number): Generator<PageRun> {
    const { ram, stored } = this.#geometry;
    let index = stored.rank(Math.max(first, this.first)) - this.#before;
    const nextAfter = nextInAny([ram, stored], end);
    let start = first;
    let state: PageState = 'missing';
    for (let pfn = first, next = first; pfn < end; pfn = next) {
      next = pfn + 1;
      let now: PageState = 'missing';
      if (stored.has(pfn)) {
        if (this.#isHere(pfn)) now = this.#storedState(index++);
      } else if (ram.has(pfn)) {
        now = 'excluded';
      } else {
        // Machines have holes of gigabytes.
        next = nextAfter(pfn);
      }
      if (now === state) continue;
      if (pfn > start) yield { first: start, end: pfn, state };
      start = pfn;
      state = now;
    }
    if (end > start) yield { first: start, end, state };
  }

  lost(): Iterable<PageRun> {
    return joinRuns(this.lostIn(this.first, this.end));
  }

  *lostIn(first: number, end: number): Generator<PageRun> {
    const { stored } = this.#geometry;
    for (const run of this.runsIn(first, end)) {
      if (run.state !== 'missing') continue;
      // Among them are pages that are no RAM at all.
      let pfn = stored.next(run.first);
      while (pfn >= 0 && pfn < run.end) {
        let after = pfn + 1;
        while (after < run.end && stored.has(after)) after++;
        yield { first: pfn, end: after, state: 'missing' };
        pfn = stored.next(after);
      }
    }
  }

  load(pfn: number): Page {
    const { ram, stored } = this.#geometry;
    if (!this.#isPfn(pfn)) return { state: 'missing', bytes: undefined };
    if (!stored.has(pfn)) {
      return { state: ram.has(pfn) ? 'excluded' : 'missing', bytes: undefined };
    }
    if (!this.#isHere(pfn)) {
      return { state: 'missing', bytes: undefined, problem: this.#elsewhere(pfn) };
    }
    const index = stored.rank(pfn) - this.#before;
    const offset = this.#descriptorOffset(index);
    try {
      const descriptor = this.#descriptor(index);
      if (descriptor === undefined) throw this.#cutError(`page descriptor ${index}`);
      if (descriptor.offset === 0) {
        throw new DumpError('absent', `page descriptor ${index} says that the page was lost`);
      }
      return { state: 'stored', bytes: this.#decode(descriptor, index) };
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const problem = new DumpError(error.code, error.message, {
        where: { file: this.#source.name, offset, pfn, ...error.where },
        hint: error.hint,
        cause: error.cause,
      });
      const lost = error.code === 'truncated' || error.code === 'absent';
      return { state: lost ? 'missing' : 'damaged', bytes: undefined, problem };
    }
  }

  #decode({ offset, size, flags }: Descriptor, index: number): Uint8Array {
    if (size === 0 || size > this.pageSize) {
      const message = `page descriptor ${index} says ${size} bytes, the page has ${this.pageSize}`;
      throw new DumpError('corrupt', message);
    }
    const name = compressionOf.get(flags);
    if (name === undefined) {
      throw new DumpError('corrupt', `page descriptor ${index} has flags 0x${flags.toString(16)}`);
    }
    if (offset + size > this.#source.size) throw this.#cutError(`page data of ${size} bytes`);
    // All zero pages share one.
    if (this.#raw?.offset === offset && flags === 0) return this.#raw.bytes;
    const data = readExactly(this.#data, offset, size, 'page data');
    const bytes = within('page data', { offset }, () =>
      this.#codecs.get(name).decompress(data, this.pageSize),
    );
    if (flags !== 0) return bytes;
    const page = isZeroPage(bytes) ? zeroPageOf(this.pageSize) : bytes;
    this.#raw = { offset, bytes: page };
    return page;
  }

  #isPfn(pfn: number): boolean {
    return pfn >= 0 && pfn < this.endPfn;
  }

  #isHere(pfn: number): boolean {
    return pfn >= this.first && pfn < this.end;
  }

  #elsewhere(pfn: number): DumpError {
    return new DumpError('absent', 'the page is in another part of the split dump', {
      where: { file: this.#source.name, pfn },
      hint: 'open all parts together',
    });
  }

  #storedState(index: number): PageState {
    // A bitmap of a few megabytes promises tens of millions of pages, in a cut file, too.
    if (index >= this.#wholeDescriptors) {
      this.#cut = true;
      return 'missing';
    }
    const descriptor = this.#descriptor(index);
    if (descriptor === undefined) return 'missing';
    const { offset, size } = descriptor;
    if (offset === 0) {
      this.#lost = true;
      return 'missing';
    }
    // A size that cannot be is damage, no cut: reading the page will say so.
    if (size > this.pageSize) return 'stored';
    if (offset + size > this.#source.size) {
      this.#cut = true;
      return 'missing';
    }
    return this.#source.lost?.(offset, size) === true ? 'missing' : 'stored';
  }

  #descriptorOffset(index: number): number {
    return this.#geometry.descriptorsAt + index * PageDescriptor.size;
  }

  /** Undefined past the end of a cut file. */
  #descriptor(index: number): Descriptor | undefined {
    // `state`, then `load`, of the same page.
    if (this.#last?.index === index) return this.#last.descriptor;
    const bytes = this.#descriptors.read(this.#descriptorOffset(index), PageDescriptor.size);
    if (bytes.length < PageDescriptor.size) {
      this.#cut = true;
      return undefined;
    }
    // Not by PageDescriptor.read: this is the inner loop of `runs`, and a big offset is no error.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const offset = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const flags = (view.getUint32(12, true) & this.#packingFlags) >>> 0;
    const descriptor = { offset, size: view.getUint32(8, true), flags };
    this.#last = { index, descriptor };
    return descriptor;
  }

  #cutError(what: string): DumpError {
    this.#cut = true;
    return new DumpError('truncated', `${what} lies past the end of the file`, {
      hint: 'the pages before the cut can be read',
    });
  }

  /** Makes `incomplete` right from the start for a file that was cut. */
  #probeEnd(): void {
    const count = this.#count;
    for (let index = Math.max(0, count - descriptorsToProbe); index < count; index++) {
      this.#storedState(index);
    }
  }
}
