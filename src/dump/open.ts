/** Opens a dump of any format. */

import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import { DumpFile } from './dump-file.ts';
import type { OpenContext, OpenedFile } from './format.ts';
import { formats } from './formats.ts';
import type { Dump } from './types.ts';

export interface OpenOptions {
  readonly codecs: Codecs;
}

/**
 * Reads headers, notes and page bitmaps, but no page contents. Closing the dump closes the source;
 * so does a failure.
 */
export async function openDump(source: Source, options: OpenOptions): Promise<Dump> {
  try {
    const opened = await openFile(source, {
      codecs: options.codecs,
      openInner: (inner) => openFile(inner, { codecs: options.codecs, openInner: refuseInner }),
    });
    return new DumpFile(source, opened);
  } catch (error) {
    source.close();
    throw error;
  }
}

async function openFile(source: Source, context: OpenContext): Promise<OpenedFile> {
  const format = formats.find(({ detect }) => detect(source));
  if (format === undefined) throw unknownFormat(source);
  return format.open(source, context);
}

async function refuseInner(source: Source): Promise<never> {
  throw new DumpError('unsupported', 'a container inside a container', {
    where: { file: source.name, offset: 0 },
  });
}

function unknownFormat(source: Source): DumpError {
  const start = source.read(0, 16);
  const where = { file: source.name, offset: 0 };
  const names = formats.map(({ name }) => name).join(', ');
  if (start.length > 0 && start.every((byte) => byte === 0)) {
    return new DumpError('unsupported', 'not a dump: it starts with zeros', {
      where,
      hint: 'a capture that stopped early, or a raw memory image',
    });
  }
  const hex = [...start].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return new DumpError('unsupported', `not a dump of a known format; it starts with ${hex}`, {
    where,
    hint: `known: ${names}`,
  });
}
