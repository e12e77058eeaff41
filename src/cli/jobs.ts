/** Who reads and packs the pages that a command writes. */

import { availableParallelism } from 'node:os';
import type { PagePool } from '../dump/packed-pages.ts';
import { openPages } from '../host/page-input.ts';
import { inlinePool, workerPool } from '../host/page-pool.ts';
import { mostUsualThreads } from './convert-commands.ts';
import type { OpenedInput } from './input.ts';
import { world } from './world.ts';

/** Fewer pages are packed before other threads are ready: 64 MB. */
const worthThreads = 16 * 1024;

/** As many threads as `jobs` says, or as there are CPUs (to a limit). Close it before the dump. */
export async function poolFor(
  { dump, pages }: Pick<OpenedInput, 'dump' | 'pages'>,
  jobs: number | undefined,
): Promise<PagePool> {
  // Of an overlay nobody else has all pages.
  if (pages === undefined) return inlinePool(dump, world.codecs);
  const usual = dump.endPfn < worthThreads ? 1 : Math.min(mostUsualThreads, availableParallelism());
  const threads = jobs ?? usual;
  if (threads > 1) return workerPool(pages, threads);
  const again = await openPages(pages, world.codecs);
  const pool = inlinePool(again, world.codecs);
  return { ...pool, close: async () => again.close() };
}
