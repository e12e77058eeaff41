/** One dump written in another format: everything between an opened dump and finished sinks. */

import { attempt } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import type { DumpContent, Progress, WriteSummary } from '../dump/content.ts';
import type { PagePool } from '../dump/packed-pages.ts';
import type { Dump, MemoryImage, MemoryRange } from '../dump/types.ts';
import { sharesZeros, writeDump, writeParts } from '../dump/writers.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import { contentOf, LazyKernel } from './content.ts';
import { costsOf, forecast, type LevelForecast } from './forecast.ts';
import { imageOfLevel, type SearchOptions } from './level.ts';

export interface ConvertOptions {
  /** A writer's name. */
  readonly format: string;
  readonly compression: CompressionName;
  /** makedumpfile's bits: what is left out of what the dump has. */
  readonly level: number;
  readonly codecs: Codecs;
  readonly progress?: Progress;
  /** Whoever reads the pages of the dump; without it, the caller's thread. */
  readonly pool?: PagePool | undefined;
}

/** What is to be written. */
export interface Prepared {
  readonly dump: Dump;
  readonly lazy: LazyKernel;
  readonly content: DumpContent;
  /** The dump's own filter level with the one that was asked for. */
  readonly level: number;
  /** Of what was found elsewhere than in the file: a line each. */
  readonly remarks: readonly string[];
}

export interface Written {
  /** Of all files together. */
  readonly summary: WriteSummary;
  /** Raw memory: what is memory in the file. */
  readonly ranges: readonly MemoryRange[] | undefined;
}

/** Throws `absent` where a level is asked for and the kinds of pages are not known. */
export async function prepare(
  dump: Dump,
  { format, level, ...search }: Pick<ConvertOptions, 'format' | 'level'> & SearchOptions,
): Promise<Prepared> {
  const lazy = new LazyKernel(dump);
  // As makedumpfile: a page of zeros that takes a descriptor and no bytes stays known as one.
  const toLeaveOut = sharesZeros(format) ? level & ~dumpLevelBits.zero : level;
  const { image, remarks: ofLevel } = await imageOfLevel(dump, lazy, toLeaveOut, search);
  const { content, remarks } = contentOf(dump, format, lazy, image);
  const all = level | (dump.level ?? 0);
  return { dump, lazy, content, level: all, remarks: [...remarks, ...ofLevel] };
}

/**
 * Writes one file, or the parts of a split one where there are several sinks; finishing or aborting
 * them is the caller's. DumpErrors: those of writeDump, of the dump and of the sinks.
 */
export async function write(
  { content, level }: Prepared,
  sinks: readonly Sink[],
  options: ConvertOptions,
): Promise<Written> {
  const { format, compression, codecs, progress, pool } = options;
  const given = {
    ...(progress === undefined ? {} : { progress }),
    ...(pool === undefined ? {} : { pool }),
  };
  const all = { compression, level, codecs, ...given };
  const summaries =
    sinks.length === 1
      ? [await writeDump(format, sinks[0]!, content, all)]
      : await writeParts(sinks, content, all);
  const [first] = summaries;
  const ranges = first !== undefined && 'ranges' in first ? first.ranges : undefined;
  return { summary: sumOf(summaries), ranges: ranges as readonly MemoryRange[] | undefined };
}

function sumOf(summaries: readonly WriteSummary[]): WriteSummary {
  const sum = { bytes: 0, pages: 0, zeroPages: 0, unreadable: 0 };
  for (const each of summaries) {
    sum.bytes += each.bytes;
    sum.pages += each.pages;
    sum.zeroPages += each.zeroPages;
    sum.unreadable += each.unreadable;
  }
  return sum;
}

/** What files of this kind would take by level; nothing where that needs no forecast. */
export async function levelsOf(
  { dump, lazy }: Pick<Prepared, 'dump' | 'lazy'>,
  { format, compression, codecs }: Pick<ConvertOptions, 'format' | 'compression' | 'codecs'>,
): Promise<readonly LevelForecast[]> {
  await codecs.prepare(compression);
  const codec = codecs.get(compression);
  const costs = costsOf(format, dump, codec);
  if (costs === undefined) return [];
  const { kernel } = lazy;
  const told = attempt(() => forecast(kernel, dump, { codec, costs }));
  return (told ?? forecast(undefined, dump, { codec, costs })).levels;
}

/** Pages by what becomes of them. */
export interface PageCounts {
  readonly kept: number;
  readonly excluded: number;
  readonly missing: number;
}

export function countPages(image: MemoryImage): PageCounts {
  const counts = { kept: 0, excluded: 0, missing: 0 };
  for (const { first, end, state } of image.runs()) {
    if (state === 'stored' || state === 'zero') counts.kept += end - first;
    else if (state === 'excluded') counts.excluded += end - first;
    else counts.missing += end - first;
  }
  return counts;
}
