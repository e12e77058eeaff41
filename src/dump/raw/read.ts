/**
 * Reads raw memory. With a list of ranges it is known which pages are there, and whether the ranges
 * are concatenated (their sizes are the file's) or padded (the file reaches to the last one's end).
 * Without, every byte of the file is memory from address 0 on.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Source } from '../../bytes/source.ts';
import { plural } from '../../bytes/text.ts';
import { factsOfMemory, type OpenContext, type OpenedFile } from '../format.ts';
import { segmentPages } from '../segment-pages.ts';
import type { Segment } from '../segments.ts';
import type { MemoryRange } from '../types.ts';

const pageSize = 4096;

export async function openRaw(source: Source, context: OpenContext): Promise<OpenedFile> {
  const { ranges } = context;
  if (source.size === 0) {
    throw new DumpError('truncated', 'an empty file', { where: { file: source.name, offset: 0 } });
  }
  if (ranges === undefined) {
    return opened(source, 'raw memory from address 0', [segmentOf(0, 0, source.size)]);
  }
  const sizes = ranges.map(({ start, end }) => Number(end - start));
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const lastEnd = Number(ranges.at(-1)?.end ?? 0n);
  const count = plural(ranges.length, 'range');
  if (length === source.size && length !== lastEnd) {
    let offset = 0;
    const segments = ranges.map(({ start }, index) => {
      const segment = segmentOf(offset, Number(start), sizes[index]!);
      offset += sizes[index]!;
      return segment;
    });
    return opened(source, `raw memory, ${count} concatenated`, segments);
  }
  if (source.size > lastEnd) throw misfit(source, ranges, length);
  const padded = ranges.map(({ start }, index) =>
    segmentOf(Number(start), Number(start), sizes[index]!),
  );
  return opened(source, `raw memory, ${count}, padded`, padded);
}

function segmentOf(offset: number, physical: number, size: number): Segment {
  return { offset, physical, fileSize: size, memorySize: size };
}

function misfit(source: Source, ranges: readonly MemoryRange[], length: number): DumpError {
  const end = `0x${ranges.at(-1)?.end.toString(16)}`;
  const message = `raw memory of ${source.size} bytes, its ranges have ${length} and end at ${end}`;
  return new DumpError('mismatch', message, {
    where: { file: source.name },
    hint: 'the list is of another machine, or the file is no raw memory',
  });
}

function opened(source: Source, description: string, segments: readonly Segment[]): OpenedFile {
  return {
    facts: factsOfMemory('raw', description),
    pages: segmentPages(source, segments, pageSize, []),
  };
}
