/** Every format that can be written; only the one that is asked for is loaded. */

import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { CompressionName } from '../codec/types.ts';
import type { DumpContent, WriteSummary } from './content.ts';
import type { PagePool } from './packed-pages.ts';
import { type PageOptions, type PageWriter, writePages, writePooledPages } from './page-writer.ts';

export interface WriteOptions extends PageOptions {
  /** One of the writer's; where it has none, `none`. */
  readonly compression: CompressionName;
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
  /** Whoever reads and packs the pages of the content's image; without it, the caller's thread. */
  readonly pool?: PagePool;
}

/**
 * What a format may have no place for: registers and VMCOREINFO; the system's names; the time; the
 * panic's task and message, or its message only; the filter level; which pages a filter left out;
 * which are not there.
 */
export type Fact =
  | 'notes'
  | 'uts'
  | 'time'
  | 'panic'
  | 'message'
  | 'level'
  | 'excluded'
  | 'missing';

export interface Writer {
  /** The folder's name; a second form of a format has a name of its own. */
  readonly name: string;
  readonly compressions: readonly CompressionName[];
  /** What is not in such a file. */
  readonly lacks: readonly Fact[];
  /** All pages of zeros are one in the file: a filter need not leave them out. */
  readonly sharesZeros: boolean;
  /** Begins the file; finishing or aborting the sink is the caller's. */
  begin(sink: Sink, content: DumpContent, options: WriteOptions): Promise<PageWriter>;
}

const kdumpCompressions = ['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const;
const diskdumpCompressions = ['none', 'zlib'] as const;
const lkcdCompressions = ['none', 'rle', 'zlib'] as const;
const onlyMemory: readonly Fact[] = ['notes', 'uts', 'time', 'panic', 'level', 'excluded'];

export const writers: readonly Writer[] = [
  {
    name: 'diskdump',
    compressions: diskdumpCompressions,
    lacks: ['notes', 'message'],
    sharesZeros: true,
    begin: async (sink, content, { level, ...options }) => {
      const { diskdumpWriter } = await import('./diskdump/write.ts');
      const compression = oneOf(diskdumpCompressions, options);
      return diskdumpWriter(sink, content, { compression, level });
    },
  },
  {
    name: 'diskdump-partition',
    compressions: diskdumpCompressions,
    lacks: ['notes', 'message'],
    sharesZeros: false,
    begin: async (sink, content, { level, ...options }) => {
      const { partitionWriter } = await import('./diskdump/partition-write.ts');
      const compression = oneOf(diskdumpCompressions, options);
      return partitionWriter(sink, content, { compression, level });
    },
  },
  {
    name: 'elf',
    compressions: ['none'],
    // CRASHTIME, in VMCOREINFO, is another time.
    lacks: ['uts', 'time', 'panic', 'level'],
    sharesZeros: false,
    begin: async (sink, content) => {
      const { elfWriter } = await import('./elf/write.ts');
      return elfWriter(sink, content, { style: 'kdump' });
    },
  },
  {
    name: 'kdump',
    compressions: kdumpCompressions,
    lacks: ['panic'],
    sharesZeros: true,
    begin: async (sink, content, { level, ...options }) => {
      const { kdumpWriter } = await import('./kdump/write.ts');
      return kdumpWriter(sink, content, { compression: oneOf(kdumpCompressions, options), level });
    },
  },
  {
    name: 'lime',
    compressions: ['none'],
    lacks: onlyMemory,
    sharesZeros: false,
    begin: async (sink, content) => (await import('./lime/write.ts')).limeWriter(sink, content),
  },
  {
    name: 'lkcd',
    compressions: lkcdCompressions,
    lacks: ['notes', 'excluded'],
    sharesZeros: false,
    begin: async (sink, content, { level, ...options }) => {
      const { lkcdWriter } = await import('./lkcd/write.ts');
      return lkcdWriter(sink, content, { compression: oneOf(lkcdCompressions, options), level });
    },
  },
  {
    name: 'mkdump',
    compressions: ['none'],
    lacks: [],
    sharesZeros: false,
    begin: async (...given) => (await import('./mkdump/write.ts')).mkdumpWriter(...given),
  },
  {
    name: 'raw',
    compressions: ['none'],
    lacks: [...onlyMemory, 'missing'],
    sharesZeros: false,
    begin: async (sink, content) => (await import('./raw/write.ts')).rawWriter(sink, content),
  },
];

/** Whether all pages of zeros are one in a file of this format. */
export function sharesZeros(format: string): boolean {
  return writers.some((writer) => writer.name === format && writer.sharesZeros);
}

/**
 * Writes the whole file; finishing or aborting the sink is the caller's. DumpError `usage` for a
 * format that is not written or does not compress like that.
 */
export async function writeDump(
  format: string,
  sink: Sink,
  content: DumpContent,
  options: WriteOptions,
): Promise<WriteSummary> {
  const writer = writers.find(({ name }) => name === format);
  if (writer === undefined) {
    const names = writers.map(({ name }) => name).join(', ');
    throw new DumpError('usage', `no format ${format} is written`, { hint: `known: ${names}` });
  }
  oneOf(writer.compressions, options);
  const { pool, codecs, compression } = options;
  await codecs.prepare(compression);
  const { image } = content;
  const pages = await writer.begin(sink, content, options);
  if (pool === undefined) return writePages(pages, image, options);
  return writePooledPages(pages, image.pageSize, pool, options);
}

/** One file for each sink: KDUMP only. Otherwise as writeDump; progress goes over all of them. */
export async function writeParts(
  sinks: readonly Sink[],
  content: DumpContent,
  options: WriteOptions,
): Promise<WriteSummary[]> {
  const { pool, codecs, level, progress } = options;
  const compression = oneOf(kdumpCompressions, options);
  await codecs.prepare(compression);
  const { kdumpPartWriters } = await import('./kdump/write.ts');
  const { image } = content;
  const summaries: WriteSummary[] = [];
  let before = 0;
  for (const { total, begin } of kdumpPartWriters(sinks, content, { compression, level })) {
    const ofPart: PageOptions = { codecs, progress: (done) => progress?.(before + done, total) };
    const part = begin();
    const written =
      pool === undefined
        ? writePages(part, image, ofPart)
        : await writePooledPages(part, image.pageSize, pool, ofPart);
    before += written.pages + written.unreadable;
    summaries.push(written);
  }
  return summaries;
}

function oneOf<T extends CompressionName>(
  known: readonly T[],
  { compression }: Pick<WriteOptions, 'compression'>,
): T {
  const found = known.find((name) => name === compression);
  if (found !== undefined) return found;
  throw new DumpError('usage', `the format does not compress with ${compression}`, {
    hint: `it knows ${known.join(', ')}`,
  });
}
