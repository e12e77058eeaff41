/**
 * The trials of a campaign, in threads. Each thread has the images' pages in memory that all share,
 * so that one more thread costs what it works with and no copy of a machine.
 */

import { Tinypool } from 'tinypool';
import type { TrialJob } from '../compare/campaign.ts';
import type { TrialLine } from '../compare/trial-line.ts';
import type { Dump } from '../dump/types.ts';
import type { MachineOptions } from '../machine/blueprint.ts';
import { heldDump } from '../machine/held-image.ts';
import { PageShop, type SharedImage } from '../machine/shared-image.ts';

/** What is known of a machine besides its memory, as plain data. */
export type SideFacts = Pick<MachineOptions, 'devices' | 'deltas' | 'footprints'>;

export interface NamedImage {
  readonly name: string;
  readonly dump: Dump;
  readonly options: SideFacts;
}

export interface TrialPool {
  /** Rejects with what the trial threw: a bug of ours, or an image that is none for a method. */
  run(job: TrialJob): Promise<TrialLine>;
  close(): Promise<void>;
}

/** What a thread has from its start. Plain data; the pages are shared. */
export interface TrialWorld {
  readonly blocks: readonly Uint8Array[];
  readonly images: readonly {
    readonly name: string;
    readonly image: SharedImage;
    readonly options: SideFacts;
  }[];
  /** See TrialRunner. */
  readonly machine: string | null;
}

/** The dumps may be closed when this returns. */
export function sharedImages(images: readonly NamedImage[], machine: string | null): TrialWorld {
  const shop = new PageShop();
  const shared = images.map(({ name, dump, options }) => {
    const { deltas } = options;
    const moved = deltas?.map((delta) => ({
      ...delta,
      pages: delta.pages.map(([pfn, bytes]) => [pfn, shop.page(bytes)] as const),
    }));
    return {
      name,
      image: shop.share(heldDump(dump)),
      options: { ...options, ...(moved === undefined ? {} : { deltas: moved }) },
    };
  });
  return { blocks: shop.blocks, images: shared, machine };
}

/** As many threads as `jobs` says. */
export function trialPool(world: TrialWorld, jobs: number): TrialPool {
  const pool = new Tinypool({
    filename: new URL('./trial-worker.js', import.meta.url).href,
    minThreads: jobs,
    maxThreads: jobs,
    idleTimeout: Number.POSITIVE_INFINITY,
    workerData: world,
    // A trial leaves much that is soon dead: a larger nursery took 90 MB more a thread, and saved
    // nothing.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  return {
    run: (job) => pool.run(job),
    close: () => pool.destroy(),
  };
}
