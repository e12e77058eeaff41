/**
 * The map of memory, before it is drawn: rows of cells, each the worst of its pages, and what lay
 * there or struck there.
 */

import type { FaultNote } from '../../trial/faults/strike.ts';
import type { PfnRun } from '../../trial/judge.ts';
import type { MemoryReport, RunReport } from '../../trial/report.ts';

/** From the least to the worst. */
export const cellStates = [
  'no RAM',
  'not due',
  'not judged',
  'equal',
  'excused',
  'absent',
  'damaged',
  'different',
] as const;
export type CellState = (typeof cellStates)[number];

/** What the method consists of, in memory; a later one hides an earlier one. */
export const targetKinds = ['reserved', 'structures', 'code'] as const;
export type TargetKind = (typeof targetKinds)[number];

/** Who wrote, of a fault; a later one hides an earlier one. */
export const writerKinds = ['memory error', 'dma', 'cpu'] as const;
export type WriterKind = (typeof writerKinds)[number];

export const stateText: Readonly<Record<CellState, string>> = {
  'no RAM': 'no RAM',
  'not due': 'not due',
  'not judged': 'RAM; there is no file to judge',
  equal: 'due and equal',
  excused: "equal but for the method's own writes",
  absent: 'due and absent',
  damaged: 'cannot be decoded',
  different: 'different',
};

export const markText: Readonly<Record<TargetKind | WriterKind, string>> = {
  reserved: 'reserved region',
  structures: "the method's structures",
  code: "the method's code",
  'memory error': 'memory error',
  dma: 'write by DMA',
  cpu: 'write by a CPU',
};

export interface MapRow {
  readonly firstPfn: number;
  readonly cells: readonly CellState[];
  /** As many as cells, as are the writers. */
  readonly targets: readonly (TargetKind | undefined)[];
  readonly writers: readonly (WriterKind | undefined)[];
}

/** Rows without RAM, left out. */
export interface MapGap {
  readonly firstPfn: number;
  /** Exclusive. */
  readonly endPfn: number;
}

export interface MemoryMap {
  readonly pageSize: number;
  readonly pagesPerCell: number;
  readonly rows: readonly (MapRow | MapGap)[];
  readonly states: ReadonlySet<CellState>;
  readonly targets: ReadonlySet<TargetKind>;
  readonly writers: ReadonlySet<WriterKind>;
}

export interface MapSize {
  readonly columns: number;
  readonly maxRows: number;
}

export function memoryMapOf(report: RunReport, { columns, maxRows }: MapSize): MemoryMap {
  const { memory } = report;
  const pagesPerCell = powerOfTwo(endPfn(report) / (columns * maxRows));
  const count = Math.ceil(endPfn(report) / pagesPerCell / columns) * columns;
  const states = paintedStates(report, count, pagesPerCell);
  const cellBytes = pagesPerCell * memory.pageSize;
  const targets = paintedTargets(memory, count, cellBytes);
  const writers = paintedWriters(report.faults, count, cellBytes);
  const rows: (MapRow | MapGap)[] = [];
  for (let at = 0; at < count; at += columns) {
    const cells = Array.from(states.subarray(at, at + columns), (state) => cellStates[state]!);
    const row = {
      firstPfn: at * pagesPerCell,
      cells,
      targets: targets.slice(at, at + columns),
      writers: writers.slice(at, at + columns),
    };
    if (isEmpty(row)) addGap(rows, row.firstPfn, columns * pagesPerCell);
    else rows.push(row);
  }
  return {
    pageSize: memory.pageSize,
    pagesPerCell,
    rows,
    states: new Set(rows.flatMap((row) => ('cells' in row ? row.cells : []))),
    targets: new Set(targets.filter((target) => target !== undefined)),
    writers: new Set(writers.filter((writer) => writer !== undefined)),
  };
}

function isEmpty({ cells, targets, writers }: MapRow): boolean {
  const marks = [...targets, ...writers];
  return cells.every((cell) => cell === 'no RAM') && marks.every((mark) => mark === undefined);
}

/** The name of who wrote, as fault notes have it. */
function writerKind(writer: string): WriterKind {
  if (writer.startsWith('DMA')) return 'dma';
  return writer === 'memory error' ? 'memory error' : 'cpu';
}

/** Writes that changed memory, or will. */
export function strikesOf(
  faults: readonly FaultNote[],
): { readonly kind: WriterKind; readonly physical: number; readonly fault: FaultNote }[] {
  return faults.flatMap((fault) =>
    fault.writes.flatMap(({ writer, physical, outcome }) =>
      physical !== undefined && (outcome === 'done' || outcome === 'scheduled')
        ? [{ kind: writerKind(writer), physical: Number(physical), fault }]
        : [],
    ),
  );
}

/** A dump can hold pages beyond the end of memory: they are the ones to see. */
function endPfn({ memory, verdict }: RunReport): number {
  const runs = Object.values(verdict.places ?? {}).flat();
  return runs.reduce((end, run) => Math.max(end, run[1]), Math.max(1, memory.endPfn));
}

/** The smallest one that is not below. */
export function powerOfTwo(atLeast: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(atLeast)));
}

function paintedStates(
  { memory, verdict: { places } }: RunReport,
  count: number,
  pagesPerCell: number,
): Uint8Array {
  const painted = new Uint8Array(count);
  const paint = (runs: readonly PfnRun[], state: CellState): void => {
    const rank = cellStates.indexOf(state);
    for (const run of runs) {
      const end = Math.ceil(run[1] / pagesPerCell);
      for (let cell = Math.floor(run[0] / pagesPerCell); cell < end; cell++) {
        if (painted[cell]! < rank) painted[cell] = rank;
      }
    }
  };
  paint(ramRuns(memory), places === undefined ? 'not judged' : 'not due');
  if (places === undefined) return painted;
  paint(places.due, 'equal');
  for (const state of ['excused', 'absent', 'damaged', 'different'] as const) {
    paint(places[state], state);
  }
  return painted;
}

function ramRuns({ ram, pageSize }: MemoryReport): PfnRun[] {
  return ram.map(({ start, end }) => [Math.floor(start / pageSize), Math.ceil(end / pageSize)]);
}

function paintedTargets(
  { targets }: MemoryReport,
  count: number,
  cellBytes: number,
): (TargetKind | undefined)[] {
  const painted = new Array<TargetKind | undefined>(count).fill(undefined);
  for (const kind of targetKinds) {
    for (const { start, end } of targets[kind]) {
      const last = Math.min(count, Math.ceil(end / cellBytes));
      for (let cell = Math.floor(start / cellBytes); cell < last; cell++) painted[cell] = kind;
    }
  }
  return painted;
}

function paintedWriters(
  faults: readonly FaultNote[],
  count: number,
  cellBytes: number,
): (WriterKind | undefined)[] {
  const painted = new Array<WriterKind | undefined>(count).fill(undefined);
  const strikes = strikesOf(faults);
  for (const kind of writerKinds) {
    for (const { physical } of strikes.filter((strike) => strike.kind === kind)) {
      const cell = Math.floor(physical / cellBytes);
      if (cell < count) painted[cell] = kind;
    }
  }
  return painted;
}

/** A row that is left out, joined with the ones before. */
export function addGap<Row extends object>(
  rows: (Row | MapGap)[],
  firstPfn: number,
  pages: number,
): void {
  const last = rows.at(-1);
  const endPfn = firstPfn + pages;
  if (last !== undefined && 'endPfn' in last) rows[rows.length - 1] = { ...last, endPfn };
  else rows.push({ firstPfn, endPfn });
}
