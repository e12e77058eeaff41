/** Opens a dump of any format. */

import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import { DumpFile } from './dump-file.ts';
import type { OpenContext, OpenedFile } from './format.ts';
import { formats } from './formats.ts';
import { hasBanner } from './raw/detect.ts';
import { refusalByName, refusalByStart } from './refused.ts';
import { alone, joined, type PartFile } from './split.ts';
import type { Dump, MemoryRange } from './types.ts';

export interface OpenOptions {
  readonly codecs: Codecs;
  /** The folder's name of a format, for a file that does not say what it is: `raw`. */
  readonly format?: string | undefined;
  /** Which memory a raw file holds; without it, all from address 0 on. */
  readonly ranges?: readonly MemoryRange[] | undefined;
}

/**
 * Reads headers, notes and page bitmaps, but no page contents. Closing the dump closes the source;
 * so does a failure.
 */
export async function openDump(source: Source, options: OpenOptions): Promise<Dump> {
  try {
    const opened = await openAny(source, options);
    return new DumpFile(source, alone({ source, opened }));
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * The parts of a split dump as one, in whatever order they are given; a part that is missing leaves
 * its pages missing. Closing the dump closes all sources; so does a failure. DumpErrors: those of
 * openDump, `mismatch` for files that do not belong together.
 */
export async function openSplit(sources: readonly Source[], options: OpenOptions): Promise<Dump> {
  const close = (): void => {
    for (const source of sources) source.close();
  };
  try {
    const files: PartFile[] = [];
    for (const source of sources) {
      files.push({ source, opened: await openAny(source, options) });
    }
    const pages = joined(files);
    const name = sources.map((source) => source.name).join(' ');
    return new DumpFile({ name, close }, pages);
  } catch (error) {
    close();
    throw error;
  }
}

/** Of a known format, of the one that was asked for, or a container around one. */
async function openAny(source: Source, options: OpenOptions): Promise<OpenedFile> {
  const { codecs, format, ranges } = options;
  const context: OpenContext = {
    codecs,
    ranges,
    openInner: (inner) => openKnown(inner, { codecs, openInner: refuseInner }),
  };
  if (format === undefined) return openKnown(source, context);
  const chosen = formats.find(({ name }) => name === format);
  if (chosen !== undefined) return chosen.open(source, context);
  throw new DumpError('usage', `no format is called ${format}`, { hint: `known: ${namesOfAll}` });
}

async function openKnown(source: Source, context: OpenContext): Promise<OpenedFile> {
  const refusal = refusalByStart(source);
  if (refusal !== undefined) throw refusal;
  const format = formats.find(({ detect }) => detect(source));
  if (format === undefined) throw refusalByName(source) ?? unknownFormat(source);
  return format.open(source, context);
}

const namesOfAll = formats.map(({ name }) => name).join(', ');

async function refuseInner(source: Source): Promise<never> {
  throw new DumpError('unsupported', 'a container inside a container', {
    where: { file: source.name, offset: 0 },
  });
}

function unknownFormat(source: Source): DumpError {
  const start = source.read(0, 16);
  const where = { file: source.name, offset: 0 };
  if (hasBanner(source)) {
    // A disk image may hold one too, and what a killed run left of raw memory has any name.
    return new DumpError('unsupported', 'not a dump of a known format; a Linux kernel is in it', {
      where,
      hint:
        'memory as it is opens with --format raw; --ranges FILE says which memory that is, in ' +
        'the form of /proc/iomem (without it, all from address 0 on)',
    });
  }
  if (start.length > 0 && start.every((byte) => byte === 0)) {
    return new DumpError('unsupported', 'not a dump: it starts with zeros', {
      where,
      hint: 'a capture that stopped early, or raw memory: that has a name in .raw, .mem or .dd',
    });
  }
  const hex = [...start].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return new DumpError('unsupported', `not a dump of a known format; it starts with ${hex}`, {
    where,
    hint: `known: ${namesOfAll}`,
  });
}
