/** The pages that a filter level leaves in a dump, by the struct pages in the dump itself. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import type { Progress } from '../dump/content.ts';
import { FilteredImage, findPooledZeroPages, findZeroPages } from '../dump/filtered.ts';
import type { PagePool } from '../dump/packed-pages.ts';
import type { Dump, MemoryImage } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { keptPages } from '../linux/page-filter.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import type { LazyKernel } from './content.ts';

/** For the search for zero pages, which has to read them. */
export interface SearchOptions {
  readonly pool?: PagePool | undefined;
  readonly progress?: Progress | undefined;
}

export interface LevelImage {
  readonly image: MemoryImage;
  readonly remarks: readonly string[];
}

/** Throws `absent` where the dump does not say which page is of which kind. */
export async function imageOfLevel(
  dump: Dump,
  lazy: LazyKernel,
  level: number,
  { pool, progress }: SearchOptions,
): Promise<LevelImage> {
  if (level === 0) return { image: dump, remarks: [] };
  const { kept, unknown } = keptPages(() => kernelOf(dump, lazy), dump, level);
  if ((level & dumpLevelBits.zero) !== 0) {
    kept.subtract(
      pool === undefined
        ? findZeroPages(dump, kept)
        : await findPooledZeroPages(dump, kept, pool, progress),
    );
  }
  const remarks = unknown === 0 ? [] : [`${plural(unknown, 'page')} of unknown kind stay`];
  return { image: new FilteredImage(dump, { kept }), remarks };
}

function kernelOf(dump: Dump, lazy: LazyKernel): Kernel {
  const { kernel } = lazy;
  if (kernel !== undefined) return kernel;
  throw new DumpError('absent', `the kinds of pages are not known: ${lazy.problem}`, {
    where: { file: dump.name },
    hint: '--level zero needs no kernel',
  });
}
