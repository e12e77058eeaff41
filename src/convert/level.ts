/** The pages that a filter level leaves in a dump, by the struct pages in the dump itself. */

import { attempt, DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { FilteredImage } from '../dump/filtered.ts';
import { type PagePool, zeroPagesOf } from '../dump/packed-pages.ts';
import type { Dump, MemoryImage } from '../dump/types.ts';
import { keptPages } from '../linux/page-filter.ts';
import { type PageKernel, pageLayout } from '../linux/page-layout.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import type { LazyKernel } from './content.ts';

export interface Filtered {
  readonly image: MemoryImage;
  readonly remarks: readonly string[];
}

/**
 * The pool reads all pages that are left, where zero pages are to go. Throws `absent` where the
 * dump does not say which page is of which kind.
 */
export async function filteredImage(
  dump: Dump,
  lazy: LazyKernel,
  level: number,
  pool: PagePool,
): Promise<Filtered> {
  if (level === 0) return { image: dump, remarks: [] };
  const { kept, unknown } = keptPages(() => kernelOf(dump, lazy), dump, level);
  if ((level & dumpLevelBits.zero) !== 0) kept.subtract(await zeroPagesOf(dump, kept, pool));
  const remarks = unknown === 0 ? [] : [`${plural(unknown, 'page')} of unknown kind stay`];
  return { image: new FilteredImage(dump, { kept }), remarks };
}

function kernelOf(dump: Dump, lazy: LazyKernel): PageKernel {
  const { kernel } = lazy;
  if (kernel !== undefined && attempt(() => pageLayout(kernel)) !== undefined) return kernel;
  const reason = lazy.problem ?? 'the kernel does not say how struct page looks';
  throw new DumpError('absent', `the kinds of pages are not known: ${reason}`, {
    where: { file: dump.name },
    hint: '--level zero needs no kernel',
  });
}
