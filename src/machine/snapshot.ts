/**
 * The machine's memory as it was at one instant, at the price of the pages written since: the
 * tracker hands over each page before its first write, all others are still in place.
 */

import type { MemoryImage, Page, PageRun, PageState } from '../dump/types.ts';
import { type MachineMemory, overlaidRuns } from './memory.ts';

export interface SavedSnapshot {
  readonly endPfn: number;
  readonly kept: readonly (readonly [pfn: number, state: PageState, bytes?: Uint8Array])[];
}

export class Snapshot implements MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #memory: MachineMemory;
  readonly #kept = new Map<number, Page>();

  constructor(memory: MachineMemory, saved?: SavedSnapshot) {
    this.name = `${memory.name} at the instant`;
    this.pageSize = memory.pageSize;
    this.endPfn = saved?.endPfn ?? memory.endPfn;
    this.#memory = memory;
    for (const [pfn, state, bytes] of saved?.kept ?? []) this.#kept.set(pfn, { state, bytes });
    const tracker = memory.track((pfn, before) => this.#kept.set(pfn, before));
    for (const pfn of this.#kept.keys()) tracker.written.add(pfn);
  }

  state(pfn: number): PageState {
    if (pfn >= this.endPfn) return 'missing';
    return this.#kept.get(pfn)?.state ?? this.#memory.state(pfn);
  }

  readPage(pfn: number): Page {
    if (pfn >= this.endPfn) return { state: 'missing', bytes: undefined };
    return this.#kept.get(pfn) ?? this.#memory.stablePage(pfn);
  }

  *runs(): Iterable<PageRun> {
    const overrides = [...this.#kept].map(([pfn, page]) => [pfn, page.state] as const);
    for (const run of overlaidRuns(this.#memory.runs(), overrides)) {
      if (run.first >= this.endPfn) return;
      yield run.end <= this.endPfn ? run : { ...run, end: this.endPfn };
    }
  }

  save(): SavedSnapshot {
    const kept = [...this.#kept].map(([pfn, { state, bytes }]) =>
      bytes === undefined ? ([pfn, state] as const) : ([pfn, state, bytes] as const),
    );
    return { endPfn: this.endPfn, kept: kept.sort((a, b) => a[0] - b[0]) };
  }
}
