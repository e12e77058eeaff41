/** The pages that a filter level leaves in a dump, by the struct pages in the dump itself. */

import { attempt, DumpError } from '../bytes/errors.ts';
import { isZeroPage } from '../dump/content.ts';
import { joinRuns } from '../dump/runs.ts';
import type { Dump, MemoryImage, Page, PageRun, PageState } from '../dump/types.ts';
import { classifyPages, dumpLevelBits, isFiltered, pageLayout } from '../linux/pages.ts';
import type { LazyKernel } from './content.ts';

export interface Filtered {
  readonly image: MemoryImage;
  readonly remarks: readonly string[];
}

/** Throws `absent` where the dump does not say which page is of which kind. */
export function filteredImage(dump: Dump, lazy: LazyKernel, level: number): Filtered {
  if (level === 0) return { image: dump, remarks: [] };
  const kept = [...dump.runs()].filter(({ state }) => state === 'stored' || state === 'zero');
  const byKind = level === dumpLevelBits.zero ? undefined : classesOf(dump, lazy, kept);
  const leftOut = new Set<number>();
  for (const { first, end } of kept) {
    for (let pfn = first; pfn < end; pfn++) {
      const isLeftOut = isFiltered(byKind?.classes[pfn] ?? 0, level);
      if (isLeftOut || ((level & dumpLevelBits.zero) !== 0 && isZero(dump, pfn))) leftOut.add(pfn);
    }
  }
  const unknown = byKind?.unknown ?? 0;
  const remarks = unknown === 0 ? [] : [`${unknown} pages of unknown kind are kept`];
  return { image: new FilteredImage(dump, leftOut), remarks };
}

function classesOf(dump: Dump, lazy: LazyKernel, kept: readonly PageRun[]) {
  const { kernel } = lazy;
  const layout = kernel === undefined ? undefined : attempt(() => pageLayout(kernel));
  if (kernel === undefined || layout === undefined) {
    throw new DumpError('absent', `the kinds of pages are not known: ${lazy.problem}`, {
      where: { file: dump.name },
      hint: '--level zero needs no kernel',
    });
  }
  return classifyPages(kernel.memory, layout, kept, dump.endPfn);
}

function isZero(dump: Dump, pfn: number): boolean {
  const { bytes } = dump.readPage(pfn);
  return bytes !== undefined && isZeroPage(bytes);
}

class FilteredImage implements MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #dump: Dump;
  readonly #leftOut: ReadonlySet<number>;

  constructor(dump: Dump, leftOut: ReadonlySet<number>) {
    this.name = dump.name;
    this.pageSize = dump.pageSize;
    this.endPfn = dump.endPfn;
    this.#dump = dump;
    this.#leftOut = leftOut;
  }

  state(pfn: number): PageState {
    return this.#leftOut.has(pfn) ? 'excluded' : this.#dump.state(pfn);
  }

  readPage(pfn: number): Page {
    return this.#leftOut.has(pfn)
      ? { state: 'excluded', bytes: undefined }
      : this.#dump.readPage(pfn);
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  *#pages(): Generator<PageRun> {
    for (const { first, end, state } of this.#dump.runs()) {
      if (state !== 'stored' && state !== 'zero') yield { first, end, state };
      else {
        for (let pfn = first; pfn < end; pfn++) {
          yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
        }
      }
    }
  }
}
