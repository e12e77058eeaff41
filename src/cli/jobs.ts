/** Who reads and packs the pages that a command writes. */

import { availableParallelism } from 'node:os';
import type { PagePool } from '../dump/packed-pages.ts';
import type { Dump } from '../dump/types.ts';
import { openPages, type PageInput } from '../host/page-input.ts';
import { inlinePool, workerPool } from '../host/page-pool.ts';
import { world } from './world.ts';

/** With fewer, threads would not be ready before the work is done: 64 MB. */
const pagesForThreads = 16_384;

/** As many threads as `jobs` says, or as there are CPUs. Close it before the dump. */
export async function poolFor(
  dump: Dump,
  input: PageInput,
  jobs: number | undefined,
): Promise<PagePool> {
  const usual = dump.endPfn < pagesForThreads ? 1 : availableParallelism();
  const threads = jobs ?? usual;
  if (threads > 1) return workerPool(input, threads);
  const again = await openPages(input, world.codecs);
  const pool = inlinePool(again, world.codecs);
  return {
    ...pool,
    async close() {
      await pool.close();
      again.close();
    },
  };
}
