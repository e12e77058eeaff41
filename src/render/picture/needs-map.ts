/** The map of what a method needs of the crashed kernel: a cell shows the most delicate of it. */

import { Chalk, type ChalkInstance } from 'chalk';
import { humanSize, plural } from '../../bytes/text.ts';
import type { NeededRun, Needs } from '../../trial/needs.ts';
import { wrapped } from '../lines.ts';
import { markup } from '../markup.ts';
import { hexAddress } from '../words.ts';
import type { Drawing } from './drawing.ts';
import { mapRowMarks } from './map-row.ts';
import { addGap, type MapGap, type MapSize, powerOfTwo } from './memory-map.ts';
import { legendMarks, mapLayout } from './svg-memory.ts';
import { addressWidth, gapLine, legendRows, type TerminalStyle } from './terminal.ts';

/** From the least to the most delicate. */
const needStates = ['none', 'RAM', 'data', 'page table', 'code'] as const;
type NeedState = (typeof needStates)[number];
const shownStates = needStates.filter((state) => state !== 'none').toReversed();

const texts: Readonly<Record<NeedState, string>> = {
  none: '',
  RAM: 'not needed',
  data: 'data that is read',
  'page table': 'page tables',
  code: 'code that is executed',
};
/** The styles of a capture's map. */
const styles: Readonly<Record<NeedState, string>> = {
  none: '',
  RAM: 'not-judged',
  data: 'equal',
  'page table': 'absent',
  code: 'different',
};
const characters: Readonly<Record<NeedState, string>> = {
  none: ' ',
  RAM: '·',
  data: '▒',
  'page table': '▓',
  code: '█',
};
const paints = { RAM: 'dim', data: 'green', 'page table': 'yellow', code: 'red' } as const;

interface NeedsRow {
  readonly firstPfn: number;
  readonly cells: readonly NeedState[];
}

interface NeedsMap {
  readonly pageSize: number;
  readonly pagesPerCell: number;
  readonly rows: readonly (NeedsRow | MapGap)[];
}

function needsMapOf({ machine, runs }: Needs, { columns, maxRows }: MapSize): NeedsMap {
  const { pageSize, endPfn, ram } = machine;
  const pagesPerCell = powerOfTwo(endPfn / (columns * maxRows));
  const count = Math.max(1, Math.ceil(endPfn / pagesPerCell / columns)) * columns;
  const painted = new Uint8Array(count);
  const paint = (first: number, end: number, state: NeedState): void => {
    const rank = needStates.indexOf(state);
    const last = Math.min(count, Math.ceil(end / pagesPerCell));
    for (let cell = Math.floor(first / pagesPerCell); cell < last; cell++) {
      if (painted[cell]! < rank) painted[cell] = rank;
    }
  };
  for (const { start, end } of ram) paint(start / pageSize, end / pageSize, 'RAM');
  for (const { first, end, kind } of runs satisfies readonly NeededRun[]) paint(first, end, kind);
  const rows: (NeedsRow | MapGap)[] = [];
  for (let at = 0; at < count; at += columns) {
    const cells = [...painted.subarray(at, at + columns)].map((rank) => needStates[rank]!);
    const firstPfn = at * pagesPerCell;
    if (cells.some((cell) => cell !== 'none')) rows.push({ firstPfn, cells });
    else addGap(rows, firstPfn, columns * pagesPerCell);
  }
  return { pageSize, pagesPerCell, rows };
}

/** For a terminal. */
export function needsMapLines(needs: Needs, { width, colour }: TerminalStyle): string[] {
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const columns = 2 ** Math.floor(Math.log2(Math.max(16, width - addressWidth - 1)));
  const map = needsMapOf(needs, { columns, maxRows: 16 });
  const rows = map.rows.map((row) => {
    if (!('cells' in row)) return gapLine(row, map);
    const address = hexAddress(row.firstPfn * map.pageSize).padStart(addressWidth);
    return `${address} ${row.cells.map((state) => sign(state, chalk)).join('')}`.trimEnd();
  });
  const legend = shownStates.map((state) => ({ sign: sign(state, chalk), text: texts[state] }));
  return [...wrapped(heading(map, columns), width), ...rows, ...legendRows(legend, width)];
}

function heading({ pagesPerCell, pageSize }: NeedsMap, columns: number): string {
  const cell = pagesPerCell * pageSize;
  return (
    `map of memory: a cell is ${humanSize(cell)} (${plural(pagesPerCell, 'page')}) and shows the ` +
    `most delicate use of a byte in it; a row is ${humanSize(cell * columns)}`
  );
}

function sign(state: NeedState, chalk: ChalkInstance): string {
  return state === 'none' ? characters.none : chalk[paints[state]](characters[state]);
}

const { left, top, columns: svgColumns, pitch } = mapLayout;

/** For a picture. */
export function needsDrawing(needs: Needs, title: string): Drawing {
  const map = needsMapOf(needs, { columns: svgColumns, maxRows: 16 });
  const bottom = top + map.rows.length * pitch;
  const entries = shownStates.map((state) => ({
    sign: markup`<rect class="${styles[state]}" x="0" y="-6" width="18" height="12"/>`,
    text: texts[state],
  }));
  const legend = legendMarks(entries, bottom + 40);
  return {
    title,
    description: heading(map, svgColumns),
    height: legend.bottom,
    body: [
      ...map.rows.map((row, index) =>
        mapRowMarks(row, map, top + index * pitch, { styles, texts }),
      ),
      markup`<text class="tick" x="${left}" y="${bottom + 12}">${heading(map, svgColumns)}</text>`,
      ...legend.marks,
    ],
  };
}
