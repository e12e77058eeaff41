/** A thread of the page pool: it has the dump open for itself, and answers one task at a time. */

import Tinypool from 'tinypool';
import { type PackedPages, PagePacker } from '../dump/packed-pages.ts';
import { openPages, type PageInput } from './page-input.ts';
import type { PageTask } from './page-pool.ts';
import { nodeWorld } from './world.ts';

const { codecs } = nodeWorld();

let packer: Promise<PagePacker> | undefined;

export default async function pagesOf({ runs, work }: PageTask): Promise<unknown> {
  packer ??= packerOf(Tinypool.workerData as PageInput);
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

async function packerOf(input: PageInput): Promise<PagePacker> {
  return new PagePacker(await openPages(input, codecs));
}
