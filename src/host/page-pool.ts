/**
 * Pages read and packed: in this thread, between two turns of the event loop, or in others, each of
 * which opens the dump for itself. Threads are handed PFNs and hand back packed pages; few batches
 * are under way at once, so that memory stays bounded however long the writer takes.
 */

import { Tinypool } from 'tinypool';
import { DumpError, reasonOf } from '../bytes/errors.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import { type Batch, type PackedPages, PagePacker, type PagePool } from '../dump/packed-pages.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { PageInput } from './page-input.ts';
import { heedSignals } from './signals.ts';

/** What is to be done with a batch. */
export type PageWork = CompressionName | 'find zeros';

/** Whoever presses Ctrl-C waits no longer. */
const patienceMs = 50;

/** The caller's own thread. */
export function inlinePool(image: MemoryImage, codecs: Codecs): PagePool {
  async function* each(
    batches: Iterable<Batch>,
    work: (runs: Batch) => PackedPages,
  ): AsyncGenerator<PackedPages> {
    let heeded = Date.now();
    for (const batch of batches) {
      yield work(batch);
      if (Date.now() - heeded < patienceMs) continue;
      await heedSignals();
      heeded = Date.now();
    }
  }
  const packer = new PagePacker(image);
  return {
    pack(batches, compression) {
      const codec = codecs.get(compression);
      return each(batches, (runs) => packer.pack(runs, codec));
    },
    findZeros: (batches) => each(batches, (runs) => packer.markZeros(runs)),
    close: async () => {},
  };
}

/** What a thread is given to do; the dump it has from its start, as `workerData`. */
export interface PageTask {
  readonly runs: Batch;
  readonly work: PageWork;
}

/** So many batches per thread are under way, or wait to be written. */
const batchesAhead = 4;

/** As many threads as jobs. */
export function workerPool(input: PageInput, jobs: number): PagePool {
  const pool = new Tinypool({
    filename: new URL('./page-worker.js', import.meta.url).href,
    minThreads: jobs,
    maxThreads: jobs,
    idleTimeout: Number.POSITIVE_INFINITY,
    // Not with each task: of raw memory, it may have as many ranges as there are holes.
    workerData: input,
  });
  const run = async (runs: Batch, work: PageWork): Promise<PackedPages> => {
    try {
      return await pool.run({ runs, work } satisfies PageTask);
    } catch (cause) {
      throw new DumpError('io', `a thread that reads pages failed: ${reasonOf(cause)}`, { cause });
    }
  };
  async function* inOrder(batches: Iterable<Batch>, work: PageWork): AsyncGenerator<PackedPages> {
    const underWay: Promise<PackedPages>[] = [];
    for (const batch of batches) {
      const packed = run(batch, work);
      // Its failure is met when its turn comes, or nobody is interested any more.
      packed.catch(() => {});
      underWay.push(packed);
      if (underWay.length >= jobs * batchesAhead) yield await underWay.shift()!;
    }
    for (const packed of underWay) yield await packed;
  }
  return {
    pack: inOrder,
    findZeros: (batches) => inOrder(batches, 'find zeros'),
    close: () => pool.destroy(),
  };
}
