/** A thread of the page pool: it has the dump open for itself, and answers one task at a time. */

import Tinypool from 'tinypool';
import { streamed } from '../bytes/source.ts';
import { openDump, openSplit } from '../dump/open.ts';
import { type PackedPages, PagePacker } from '../dump/packed-pages.ts';
import { fileSource } from './file-source.ts';
import type { PageInput, PageTask } from './page-pool.ts';
import { nodeWorld } from './world.ts';

const { codecs } = nodeWorld();

let packer: Promise<PagePacker> | undefined;

export default async function pagesOf({ input, runs, work }: PageTask): Promise<unknown> {
  packer ??= packerOf(input);
  const pages = await packer;
  if (work === 'find zeros') return moved(pages.markZeros(runs));
  await codecs.prepare(work);
  return moved(pages.pack(runs, codecs.get(work)));
}

/** The bytes are handed over, not copied. */
function moved(packed: PackedPages): unknown {
  const { transferableSymbol, valueSymbol } = Tinypool;
  const moving: unknown = {
    [transferableSymbol]: [packed.data.buffer, packed.sizes.buffer],
    [valueSymbol]: packed,
  };
  // Its types do not say that these are the keys of what it moves.
  return Tinypool.move(moving as Parameters<typeof Tinypool.move>[0]);
}

async function packerOf({ files, format, ranges }: PageInput): Promise<PagePacker> {
  const options = { codecs, format, ranges };
  const sources = files.map((file) => streamed(fileSource(file)));
  const [only] = sources;
  const isWhole = sources.length === 1 && only !== undefined;
  return new PagePacker(
    isWhole ? await openDump(only, options) : await openSplit(sources, options),
  );
}
