/**
 * Reads LKCD dumps of x86_64 and i386, versions 1 to 3 and 5 to 10 (there was no 4).
 */

import { DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source, windowed } from '../../bytes/source.ts';
import type { Codec, Codecs } from '../../codec/types.ts';
import { zeroPageOf } from '../content.ts';
import type { OpenContext, OpenedFile, PageReader } from '../format.ts';
import { readOwnBlock } from '../own-block.ts';
import { joinRuns } from '../runs.ts';
import type { Page, PageRun, PageState } from '../types.ts';
import { type LkcdHeader, readHeader } from './header.ts';
import { PageFlags, PageRecord } from './layout.ts';
import { PageIndex, recordFlaw } from './page-index.ts';

export async function openLkcd(source: Source, context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const { version, architecture, compression, uts, time, cpus } = header;
  await context.codecs.prepare(compression);
  const packing = compression === 'none' ? 'uncompressed' : compression;
  const [message, task] = [header.panicMessage, header.currentTask];
  return {
    facts: {
      format: 'lkcd',
      description: `LKCD v${version}, ${packing}${architecture === 'i386' ? ', i386' : ''}`,
      architecture,
      uts,
      time: time === 0n ? undefined : Number(time),
      notes: [],
      cpus,
      panic: message === '' && task === 0n ? undefined : { message, task },
      ...readOwnBlock(source.read(0, header.firstRecord)),
    },
    pages: new LkcdPages(source, header, context.codecs),
  };
}

class LkcdPages implements PageReader {
  readonly pageSize: number;
  readonly #source: Source;
  readonly #data: Source;
  readonly #codec: Codec;
  readonly #raw: Codec;
  readonly #index: PageIndex;

  constructor(source: Source, header: LkcdHeader, codecs: Codecs) {
    this.pageSize = header.pageSize;
    this.#source = source;
    // Small windows: the kernel's structures are followed all over the file.
    this.#data = source.isQuick === true ? source : windowed(source, 32 * 1024, 32);
    this.#codec = codecs.get(header.compression);
    this.#raw = codecs.get('none');
    this.#index = new PageIndex(source, header);
  }

  get endPfn(): number {
    return this.#index.endPfn;
  }

  /** Without a scan only where the last bytes are the end record. */
  get incomplete(): string | undefined {
    if (!this.#endsWell()) this.#index.complete();
    return this.#index.problem;
  }

  #endsWell(): boolean {
    const bytes = this.#source.read(this.#source.size - PageRecord.size, PageRecord.size);
    if (bytes.length < PageRecord.size) return false;
    const { dp_address, dp_size, dp_flags } = PageRecord.read(bytes);
    return dp_address === 0n && dp_size === 0 && dp_flags === PageFlags.end;
  }

  state(pfn: number): PageState {
    const entry = this.#index.find(pfn);
    if (entry === undefined) return 'missing';
    return entry.zero ? 'zero' : 'stored';
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  *#pages(): Generator<PageRun> {
    let end = 0;
    for (const { pfn, zero } of this.#index.entries()) {
      yield { first: end, end: pfn, state: 'missing' };
      end = pfn + 1;
      yield { first: pfn, end, state: zero ? 'zero' : 'stored' };
    }
  }

  load(pfn: number): Page {
    const entry = this.#index.find(pfn);
    if (entry === undefined) return { state: 'missing', bytes: undefined };
    if (entry.zero) return { state: 'zero', bytes: zeroPageOf(this.pageSize) };
    const { offset } = entry;
    try {
      const bytes = within('page record', { file: this.#source.name, offset, pfn }, () => {
        // Not by PageRecord.read: this is the inner loop.
        const record = readExactly(this.#data, offset, PageRecord.size, 'page record');
        const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
        const size = view.getUint32(8, true);
        const flags = view.getUint32(12, true);
        const flaw = recordFlaw({ pfn, size, flags }, this.pageSize);
        if (flaw !== undefined) throw new DumpError('corrupt', flaw);
        const codec = (flags & PageFlags.raw) === 0 ? this.#codec : this.#raw;
        const data = readExactly(this.#data, offset + PageRecord.size, size, 'page data');
        return codec.decompress(data, this.pageSize);
      });
      return { state: 'stored', bytes };
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return { state: 'damaged', bytes: undefined, problem: error };
    }
  }
}
