/**
 * The dump that a command line names: one file, or the parts of a split dump, and what a file of
 * plain memory does not say itself.
 */

import { existsSync } from 'node:fs';
import { attempt, DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { fileMark, parseSidecar, rangesOf, type SideFacts } from '../convert/sidecar.ts';
import { withSidecar } from '../convert/with-sidecar.ts';
import { DumpFile } from '../dump/dump-file.ts';
import { formats } from '../dump/formats.ts';
import { openSplit } from '../dump/open.ts';
import { parseIomem } from '../dump/raw/layout.ts';
import type { Dump, MemoryRange } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import type { PageInput } from '../host/page-input.ts';
import { oneOf } from './capture-options.ts';
import { openVmcore } from './images.ts';
import type { InputFlags } from './input-options.ts';
import { readText, world } from './world.ts';

export interface OpenedInput {
  readonly dump: Dump;
  /** With the file of ranges that was found beside. */
  readonly flags: InputFlags;
  /** How another thread can read the same pages; undefined where they are not plain files'. */
  readonly pages: PageInput | undefined;
  /** What was taken beside what was named: a line each. */
  readonly remarks: readonly string[];
}

/** Kept beside raw memory, in the form of /proc/iomem. */
export const rangesExtension = '.iomem';
/** Kept beside a file of a format that has no place for what is in it. */
export const sidecarExtension = '.sidecar.json';
/** Of either: millions of runs of pages. */
const maxBeside = 256 * 1024 * 1024;

/**
 * Opens a dump file, or the parts of a split one in any order. Closing the dump is the caller's.
 * DumpErrors: those of openDump and openSplit, `usage`, `io`.
 */
export async function openInput(paths: readonly string[], given: InputFlags): Promise<OpenedInput> {
  const [path] = paths;
  // An unset variable in a script gives an empty name.
  if (path === undefined || paths.includes('')) throw new DumpError('usage', 'no dump was named');
  if (paths.includes('-')) {
    throw new DumpError('usage', 'a dump is not read from a pipe', {
      hint: 'it is read here and there: save it to a file first',
    });
  }
  if (paths.length > 1) {
    const options = optionsOf(given);
    const dump = await openSplit(sourcesOf(paths), { ...world, ...options });
    return { dump, flags: given, pages: { files: paths, ...options }, remarks: [] };
  }
  const flags = withRanges(path, given);
  const side = sideFileOf(path);
  const ranges = side.facts === undefined ? {} : { ranges: rangesOf(side.facts) };
  const options = { ...ranges, ...optionsOf(flags) };
  const dump = await openVmcore(path, options);
  // Of an overlay, the file alone has not all pages.
  const pages = dump instanceof DumpFile ? { files: paths, ...options } : undefined;
  if (given.ranges !== undefined && dump.format !== 'raw') {
    dump.close();
    throw new DumpError('usage', `--ranges: ${dump.description} says itself what it holds`, {
      where: { file: path },
      hint: 'leave --ranges out',
    });
  }
  const remarks = [...rangesRemarks(path, dump, { given, flags, side }), ...side.remarks];
  const whole = side.facts === undefined ? dump : withSidecar(dump, side.facts);
  return { dump: whole, flags, pages, remarks };
}

/** Raw memory tells of no hole, so what is not there looks like zeros. */
function rangesRemarks(
  path: string,
  { format }: Dump,
  { given, flags, side }: { given: InputFlags; flags: InputFlags; side: SideFile },
): string[] {
  if (flags.ranges !== given.ranges) return [`the memory in ${path}: by ${flags.ranges}`];
  if (format !== 'raw' || flags.ranges !== undefined || side.facts !== undefined) return [];
  return [
    `${path} has no list of its memory: all of it from address 0 on is taken for memory ` +
      '(--ranges FILE, in the form of /proc/iomem, names the parts that are)',
  ];
}

interface SideFile {
  readonly facts?: SideFacts;
  readonly remarks: readonly string[];
}

/** One that cannot be used does not keep the dump from being opened. */
function sideFileOf(path: string): SideFile {
  const name = path + sidecarExtension;
  if (!existsSync(name)) return { remarks: [] };
  let problem = 'it belongs to another file';
  const facts = attempt(
    () => parseSidecar(readText(name, maxBeside), name),
    ({ message }) => {
      problem = message;
    },
  );
  if (facts === undefined || !isOf(path, facts)) return { remarks: [`${name}: ${problem}`] };
  return { facts, remarks: [`what ${path} has no place for: by ${name}`] };
}

function isOf(path: string, { file }: SideFacts): boolean {
  const source = fileSource(path);
  try {
    const { size, sha256 } = fileMark(source, world.sha256);
    return size === file.size && sha256 === file.sha256;
  } finally {
    source.close();
  }
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
    ...(ranges === undefined ? {} : { ranges: parseIomem(readText(ranges, maxBeside), ranges) }),
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
