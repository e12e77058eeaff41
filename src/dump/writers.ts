/** Every format that can be written; only the one that is asked for is loaded. */

import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import type { DumpContent, Progress, WriteSummary } from './content.ts';

export interface WriteOptions {
  /** One of the writer's; where it has none, `none`. */
  readonly compression: CompressionName;
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
  readonly codecs: Codecs;
  readonly progress?: Progress;
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
  /** Writes the whole file; finishing or aborting the sink is the caller's. */
  write(sink: Sink, content: DumpContent, options: WriteOptions): Promise<WriteSummary>;
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
    write: async (sink, content, options) => {
      const { writeDiskdump } = await import('./diskdump/write.ts');
      return writeDiskdump(sink, content, {
        ...options,
        compression: oneOf(diskdumpCompressions, options),
      });
    },
  },
  {
    name: 'diskdump-partition',
    compressions: diskdumpCompressions,
    lacks: ['notes', 'message'],
    write: async (sink, content, options) => {
      const { writeDiskdumpPartition } = await import('./diskdump/partition-write.ts');
      return writeDiskdumpPartition(sink, content, {
        ...options,
        compression: oneOf(diskdumpCompressions, options),
      });
    },
  },
  {
    name: 'elf',
    compressions: ['none'],
    // CRASHTIME, in VMCOREINFO, is another time.
    lacks: ['uts', 'time', 'panic', 'level'],
    write: async (sink, content, options) => {
      const { writeElf } = await import('./elf/write.ts');
      return writeElf(sink, content, { ...options, style: 'kdump' });
    },
  },
  {
    name: 'kdump',
    compressions: kdumpCompressions,
    lacks: ['panic'],
    write: async (sink, content, options) => {
      const { writeKdump } = await import('./kdump/write.ts');
      return writeKdump(sink, content, {
        ...options,
        compression: oneOf(kdumpCompressions, options),
      });
    },
  },
  {
    name: 'lime',
    compressions: ['none'],
    lacks: onlyMemory,
    write: async (...given) => (await import('./lime/write.ts')).writeLime(...given),
  },
  {
    name: 'lkcd',
    compressions: lkcdCompressions,
    lacks: ['notes', 'excluded'],
    write: async (sink, content, options) => {
      const { writeLkcd } = await import('./lkcd/write.ts');
      return writeLkcd(sink, content, {
        ...options,
        compression: oneOf(lkcdCompressions, options),
      });
    },
  },
  {
    name: 'mkdump',
    compressions: ['none'],
    lacks: [],
    write: async (...given) => (await import('./mkdump/write.ts')).writeMkdump(...given),
  },
  {
    name: 'raw',
    compressions: ['none'],
    lacks: [...onlyMemory, 'missing'],
    write: async (...given) => (await import('./raw/write.ts')).writeRaw(...given),
  },
];

/** DumpError `usage` for a format that is not written or does not compress like that. */
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
  await options.codecs.prepare(options.compression);
  return writer.write(sink, content, options);
}

function oneOf<T extends CompressionName>(known: readonly T[], { compression }: WriteOptions): T {
  const found = known.find((name) => name === compression);
  if (found !== undefined) return found;
  throw new DumpError('usage', `the format does not compress with ${compression}`, {
    hint: `it knows ${known.join(', ')}`,
  });
}
