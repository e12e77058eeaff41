/** The map of memory as marks of a picture. */

import { humanSize, plural } from '../../bytes/text.ts';
import type { CaptureReport } from '../../trial/report.ts';
import { type Markup, markup } from '../markup.ts';
import { hexAddress } from '../words.ts';
import { type Drawing, pictureWidth, textWidth } from './drawing.ts';
import {
  type CellState,
  cellStates,
  type MapGap,
  type MapRow,
  type MemoryMap,
  markText,
  memoryMapOf,
  stateText,
  strikesOf,
  type TargetKind,
  targetKinds,
  type WriterKind,
  writerKinds,
} from './memory-map.ts';

/** Where rows begin, and how large cells are, in every map. */
export const mapLayout = {
  left: 120,
  top: 8,
  columns: 128,
  cellWidth: 6,
  cellHeight: 12,
  pitch: 19,
} as const;
const { left, top, columns, cellWidth, cellHeight, pitch } = mapLayout;
const legendPitch = 22;

export function memoryDrawing(report: CaptureReport): Drawing {
  const map = memoryMapOf(report, { columns, maxRows: 32 });
  const bottom = top + map.rows.length * pitch;
  const cell = map.pagesPerCell * map.pageSize;
  const legend = legendMarks(legendEntries(map), bottom + 40);
  const rows = map.rows.map((row, index) => rowMarks(row, map, top + index * pitch));
  return {
    title: 'Map of memory',
    description: [...map.states]
      .filter((state) => state !== 'no RAM')
      .map((state) => stateText[state])
      .join(', '),
    height: legend.bottom,
    body: [
      ...rows,
      ...strikeMarks(report, map),
      markup`<text class="tick" x="${left}" y="${bottom + 12}">a cell is ${humanSize(cell)} \
(${plural(map.pagesPerCell, 'page')}) and shows the worst of its pages, a row is \
${humanSize(cell * columns)} of physical memory</text>`,
      ...legend.marks,
    ],
  };
}

function rowMarks(row: MapRow | MapGap, map: MemoryMap, y: number): Markup {
  const address = hexAddress(row.firstPfn * map.pageSize);
  const label = markup`<text class="mono soft end" x="${left - 10}" y="${y + 11}">\
${address}</text>`;
  if ('endPfn' in row) {
    const end = hexAddress(row.endPfn * map.pageSize);
    return markup`${label}<text class="tick" x="${left}" y="${y + 11}">no RAM below ${end}</text>`;
  }
  const states = runsOf(row.cells).filter(({ value }) => value !== 'no RAM');
  const cells = states.map(({ value, first, end }) => {
    const text = `${rangeText(row, first, end, map)}: ${stateText[value]}`;
    return rect(className(value), first, end, y, cellHeight, text);
  });
  const marks = runsOf(row.targets).flatMap(({ value, first, end }) => {
    if (value === undefined) return [];
    const text = `${rangeText(row, first, end, map)}: ${markText[value]}`;
    return [targetMark(value, first, end, y + cellHeight, text)];
  });
  const width = columns * cellWidth;
  return markup`${label}${cells}<rect fill="url(#cells)" pointer-events="none" x="${left}" \
y="${y}" width="${width}" height="${cellHeight}"/>${marks}`;
}

/** A line below the reserved region, a pointer below what is small. */
function targetMark(
  target: TargetKind,
  first: number,
  end: number,
  y: number,
  text: string,
): Markup {
  if (target === 'reserved') return rect('reserved', first, end, y + 1.5, 3, text);
  return pointer(target, left + ((first + end) / 2) * cellWidth, y, text);
}

function pointer(style: string, x: number, y: number, text: string): Markup {
  return markup`<path class="${style}" d="M${x} ${y - 1}l5 7h-10z"><title>${text}</title></path>`;
}

function rect(
  style: string,
  first: number,
  end: number,
  y: number,
  height: number,
  text: string,
): Markup {
  const x = left + first * cellWidth;
  return markup`<rect class="${style}" x="${x}" y="${y}" width="${(end - first) * cellWidth}" \
height="${height}"><title>${text}</title></rect>`;
}

const letters: Readonly<Record<WriterKind, string>> = {
  'memory error': 'e',
  dma: 'd',
  cpu: 'x',
};

/** Each cell that was struck, once for each kind of writer. */
function strikeMarks({ faults }: CaptureReport, map: MemoryMap): Markup[] {
  const struck = new Map<string, { x: number; y: number; letter: string; texts: string[] }>();
  for (const { kind, physical, fault } of strikesOf(faults)) {
    const cell = Math.floor(physical / (map.pagesPerCell * map.pageSize));
    const index = map.rows.findIndex((row) => 'cells' in row && isIn(row, cell, map));
    if (index < 0) continue;
    const letter = letters[kind];
    const x = left + ((cell % columns) + 0.5) * cellWidth;
    const mark = struck.get(`${cell} ${letter}`) ?? {
      ...{ x, y: top + index * pitch + cellHeight / 2, letter },
      texts: [],
    };
    mark.texts.push(`${hexAddress(physical)}: ${markText[kind]}, ${fault.fault}`);
    struck.set(`${cell} ${letter}`, mark);
  }
  return [...struck.values()].map(({ x, y, letter, texts }) => strike(x, y, letter, texts));
}

function isIn({ firstPfn }: MapRow, cell: number, { pagesPerCell }: MemoryMap): boolean {
  const first = firstPfn / pagesPerCell;
  return cell >= first && cell < first + columns;
}

const textsShown = 8;

function strike(x: number, y: number, letter: string, texts: readonly string[]): Markup {
  const more = texts.length - textsShown;
  const shown = [...texts.slice(0, textsShown), ...(more > 0 ? [`and ${more} more`] : [])];
  return markup`<g><title>${shown.join('\n')}</title><circle class="strike" cx="${x}" cy="${y}" \
r="7"/><text class="strike-letter middle" x="${x}" y="${y + 3.2}">${letter}</text></g>`;
}

function legendEntries({ states, targets, writers }: MemoryMap): LegendEntry[] {
  return [
    ...cellStates
      .filter((state) => state !== 'no RAM' && states.has(state))
      .map((state) => ({ sign: swatch(state), text: stateText[state] })),
    ...targetKinds
      .filter((target) => targets.has(target))
      .map((target) => ({ sign: targetSign(target), text: markText[target] })),
    ...writerKinds
      .filter((writer) => writers.has(writer))
      .map((writer) => ({
        sign: strike(9, 0, letters[writer], [markText[writer]]),
        text: markText[writer],
      })),
  ];
}

/** A sign of 18 columns, and what it stands for. */
export interface LegendEntry {
  readonly sign: Markup;
  readonly text: string;
}

export interface Legend {
  readonly marks: readonly Markup[];
  readonly bottom: number;
}

export function legendMarks(entries: readonly LegendEntry[], y: number): Legend {
  let x = left;
  let line = y;
  const drawn: Markup[] = [];
  for (const { sign, text } of entries) {
    const width = 24 + textWidth(text, 14) + 16;
    if (x > left && x + width > pictureWidth) {
      x = left;
      line += legendPitch;
    }
    drawn.push(
      markup`<g transform="translate(${x} ${line})">${sign}<text x="24" y="4">${text}</text></g>`,
    );
    x += width;
  }
  return { marks: drawn, bottom: line + (drawn.length > 0 ? 14 : -16) };
}

function swatch(state: CellState): Markup {
  return markup`<rect class="${className(state)}" x="0" y="-6" width="18" height="12"/>`;
}

function targetSign(target: TargetKind): Markup {
  if (target === 'reserved') return markup`<rect class="reserved" y="-1" width="18" height="3"/>`;
  return pointer(target, 9, -3, markText[target]);
}

function className(state: CellState): string {
  return state.replace(' ', '-');
}

function rangeText({ firstPfn }: MapRow, first: number, end: number, map: MemoryMap): string {
  const { pagesPerCell, pageSize } = map;
  const address = (cell: number): number => (firstPfn + cell * pagesPerCell) * pageSize;
  return `${hexAddress(address(first))}-${hexAddress(address(end) - 1)}`;
}

export interface Run<T> {
  readonly value: T;
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** Neighbours of equal value as one. */
export function runsOf<T>(values: readonly T[]): Run<T>[] {
  const runs: Run<T>[] = [];
  for (const [index, value] of values.entries()) {
    const last = runs.at(-1);
    if (last?.value === value) runs[runs.length - 1] = { ...last, end: index + 1 };
    else runs.push({ value, first: index, end: index + 1 });
  }
  return runs;
}
