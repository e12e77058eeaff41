/** Runs of pages of one state, from whatever an index can tell. */

import type { PageRun, PageState } from './types.ts';

/** Joins neighbours of equal state; empty runs vanish. */
export function* joinRuns(runs: Iterable<PageRun>): Generator<PageRun> {
  let first = 0;
  let end = 0;
  let state: PageState | undefined;
  for (const run of runs) {
    if (run.end <= run.first) continue;
    if (run.state !== state || run.first !== end) {
      if (state !== undefined) yield { first, end, state };
      first = run.first;
      state = run.state;
    }
    end = run.end;
  }
  if (state !== undefined) yield { first, end, state };
}
