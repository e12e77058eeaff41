/** A dump that is opened again, to be read from one end to the other. */

import { streamed } from '../bytes/source.ts';
import type { Codecs } from '../codec/types.ts';
import { openDump, openSplit } from '../dump/open.ts';
import type { Dump, MemoryRange } from '../dump/types.ts';
import { fileSource } from './file-source.ts';

/** How it was opened before: plain data, other threads get a copy. */
export interface PageInput {
  /** One, or the parts of a split dump. */
  readonly files: readonly string[];
  readonly format?: string | undefined;
  readonly ranges?: readonly MemoryRange[] | undefined;
}

export async function openPages(
  { files, format, ranges }: PageInput,
  codecs: Codecs,
): Promise<Dump> {
  const options = { codecs, format, ranges };
  const sources = files.map((file) => streamed(fileSource(file)));
  const [only] = sources;
  return sources.length === 1 && only !== undefined
    ? openDump(only, options)
    : openSplit(sources, options);
}
