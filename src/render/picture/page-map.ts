/**
 * The map of a dump's pages, before it is drawn. A cell is damaged or missing if any of its pages
 * is; otherwise it has the state that most of them have.
 */

import type { PageRun, PageState } from '../../dump/types.ts';
import { addGap, type MapGap, type MapSize, powerOfTwo } from './memory-map.ts';

export type PageCell = PageState | 'none';

/** From the best to the worst. */
export const pageStates: readonly PageState[] = [
  'stored',
  'zero',
  'excluded',
  'missing',
  'damaged',
];

export const pageStateText: Readonly<Record<PageState, string>> = {
  stored: 'stored',
  zero: 'zeros',
  excluded: 'left out by the filter',
  missing: 'missing',
  damaged: 'damaged',
};

export interface PageRow {
  readonly firstPfn: number;
  readonly cells: readonly PageCell[];
}

export interface PageMap {
  readonly pageSize: number;
  readonly pagesPerCell: number;
  readonly rows: readonly (PageRow | MapGap)[];
  readonly states: ReadonlySet<PageCell>;
}

/** What a map is made of. */
export interface MappedPages {
  readonly pageSize: number;
  readonly endPfn: number;
  /** Ascending. */
  readonly runs: readonly PageRun[];
}

export function pageMapOf(
  { pageSize, endPfn, runs }: MappedPages,
  { columns, maxRows }: MapSize,
): PageMap {
  const pagesPerCell = powerOfTwo(Math.max(1, endPfn) / (columns * maxRows));
  const count = Math.max(1, Math.ceil(endPfn / pagesPerCell / columns)) * columns;
  const counts = countedCells(runs, count, pagesPerCell);
  const cells = Array.from({ length: count }, (_, cell) => stateOf(counts, cell));
  const rows: (PageRow | MapGap)[] = [];
  for (let at = 0; at < count; at += columns) {
    const row = { firstPfn: at * pagesPerCell, cells: cells.slice(at, at + columns) };
    if (row.cells.some((cell) => cell !== 'none')) rows.push(row);
    else addGap(rows, row.firstPfn, columns * pagesPerCell);
  }
  return { pageSize, pagesPerCell, rows, states: new Set(cells) };
}

/** Of each cell, how many pages are in each state. */
function countedCells(runs: readonly PageRun[], count: number, pagesPerCell: number): Float64Array {
  const counts = new Float64Array(count * pageStates.length);
  for (const { first, end, state } of runs) {
    const rank = pageStates.indexOf(state);
    const last = Math.ceil(end / pagesPerCell);
    for (let cell = Math.floor(first / pagesPerCell); cell < last; cell++) {
      const from = Math.max(first, cell * pagesPerCell);
      const to = Math.min(end, (cell + 1) * pagesPerCell);
      const at = cell * pageStates.length + rank;
      counts[at] = counts[at]! + to - from;
    }
  }
  return counts;
}

function stateOf(counts: Float64Array, cell: number): PageCell {
  const of = (state: PageState): number =>
    counts[cell * pageStates.length + pageStates.indexOf(state)]!;
  if (of('damaged') > 0) return 'damaged';
  if (of('missing') > 0) return 'missing';
  const most = Math.max(of('stored'), of('zero'), of('excluded'));
  if (most === 0) return 'none';
  return pageStates.find((state) => of(state) === most)!;
}
