/**
 * The dump that a command line names: one file, or the parts of a split dump, and what a file of
 * plain memory does not say itself.
 */

import { existsSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { formats } from '../dump/formats.ts';
import { openSplit } from '../dump/open.ts';
import { parseIomem } from '../dump/raw/layout.ts';
import type { Dump, MemoryRange } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import { oneOf } from './capture-options.ts';
import { openVmcore } from './images.ts';
import type { InputFlags } from './input-options.ts';
import { readText, world } from './world.ts';

export interface OpenedInput {
  readonly dump: Dump;
  /** With the file of ranges that was found beside. */
  readonly flags: InputFlags;
  /** What was taken beside what was named: a line each. */
  readonly remarks: readonly string[];
}

/** Kept beside raw memory, in the form of /proc/iomem. */
export const rangesExtension = '.iomem';

/**
 * Opens a dump file, or the parts of a split one in any order. Closing the dump is the caller's.
 * DumpErrors: those of openDump and openSplit, `usage`, `io`.
 */
export async function openInput(paths: readonly string[], given: InputFlags): Promise<OpenedInput> {
  // An unset variable in a script gives an empty name.
  const [path] = paths;
  if (path === undefined || paths.includes('')) throw new DumpError('usage', 'no dump was named');
  const found = withRanges(path, given);
  const flags = paths.length === 1 ? found : given;
  const options = optionsOf(flags);
  const dump =
    paths.length === 1
      ? await openVmcore(path, options)
      : await openSplit(sourcesOf(paths), { ...world, ...options });
  if (given.ranges !== undefined && dump.format !== 'raw') {
    dump.close();
    throw new DumpError('usage', `--ranges: ${dump.description} says itself what it holds`, {
      where: { file: path },
      hint: 'leave --ranges out',
    });
  }
  const beside = flags.ranges !== given.ranges;
  return { dump, flags, remarks: beside ? [`the memory in ${path}: by ${flags.ranges}`] : [] };
}

/** Only what no other format knows is raw memory because a list of ranges goes with it. */
function withRanges(path: string, given: InputFlags): InputFlags {
  const beside = existsSync(path + rangesExtension) ? path + rangesExtension : undefined;
  const ranges = given.ranges ?? beside;
  const isRaw = given.format === 'raw' || (given.format === undefined && !isKnown(path));
  return ranges === undefined || !isRaw ? given : { format: 'raw', ranges };
}

function isKnown(path: string): boolean {
  const source = fileSource(path);
  try {
    return formats.some(({ name, detect }) => name !== 'raw' && detect(source));
  } finally {
    source.close();
  }
}

function optionsOf({ format, ranges }: InputFlags): {
  readonly format?: string;
  readonly ranges?: readonly MemoryRange[];
} {
  const names = formats.map(({ name }) => name);
  return {
    ...(format === undefined ? {} : { format: oneOf('--format', format, names) }),
    ...(ranges === undefined ? {} : { ranges: parseIomem(readText(ranges), ranges) }),
  };
}

function sourcesOf(paths: readonly string[]): readonly Source[] {
  const sources: Source[] = [];
  try {
    for (const path of paths) sources.push(fileSource(path));
    return sources;
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}
