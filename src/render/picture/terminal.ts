/**
 * Time line and map of memory in the characters of a terminal. Each state has a character of its
 * own, so that colour says nothing that the characters do not.
 */

import { Chalk, type ChalkInstance } from 'chalk';
import { humanSize, plural } from '../../bytes/text.ts';
import type { RunReport } from '../../trial/report.ts';
import { lengthOf, oneLine, padded, shortened, wrapped } from '../lines.ts';
import { hexAddress, virtualTime } from '../words.ts';
import {
  type CellState,
  cellStates,
  type MapGap,
  type MapRow,
  type MemoryMap,
  markText,
  memoryMapOf,
  stateText,
  type TargetKind,
  targetKinds,
  type WriterKind,
  writerKinds,
} from './memory-map.ts';
import { type Axis, type Lane, timelineOf } from './timeline.ts';

export interface TerminalStyle {
  /** In columns. */
  readonly width: number;
  readonly colour: 'colour' | 'plain';
}

const longestName = 26;
/** Of the time at the end of a lane. */
const timeWidth = 11;

export function timelineLines(report: RunReport, { width, colour }: TerminalStyle): string[] {
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const { lanes, axis, failedNs } = timelineOf(report);
  const longest = lanes.reduce((most, { name }) => Math.max(most, lengthOf(oneLine(name))), 0);
  const nameWidth = Math.min(longest, longestName, Math.floor(width / 3));
  const columns = width - nameWidth - 2 - timeWidth;
  const end = failedNs === undefined ? undefined : columnOf(axis, failedNs, columns);
  const drawn = lanes.map((lane) => {
    const name = padded(shortened(lane.name, nameWidth), nameWidth);
    const isFailed = lane.kind === 'failed stage';
    const time = `  ${virtualTime(lane.ns)}`;
    const note = isFailed ? chalk.red(time) : time;
    return `${name}  ${bars(lane, axis, columns, end, chalk)}${note}`;
  });
  const indent = ' '.repeat(nameWidth + 2);
  return [
    ...wrapped(`time line, from the instant on; ${scaleText(axis)}`, width),
    ...drawn,
    ...axisLines(axis, columns).map((line) => chalk.dim(indent + line)),
  ];
}

function scaleText({ scale }: Axis): string {
  if (scale === 'linear') return 'to scale';
  return 'log scale: ten times longer is one step wider';
}

function columnOf(axis: Axis, ns: number, columns: number): number {
  return Math.min(columns - 1, Math.floor(axis.at(ns) * columns));
}

function bars(
  lane: Lane,
  axis: Axis,
  columns: number,
  end: number | undefined,
  chalk: ChalkInstance,
): string {
  const cells = new Array<string>(columns).fill(' ');
  if (end !== undefined) cells[end] = '┊';
  const [character, paint] = laneStyle(lane, chalk);
  for (const { startNs, endNs } of lane.spans) {
    const first = columnOf(axis, startNs, columns);
    const last = Math.max(first + 1, Math.round(axis.at(endNs) * columns));
    cells.fill(character, first, last);
    if (lane.kind === 'failed stage') cells[last - 1] = '✗';
  }
  return cells.map((cell) => (cell === ' ' || cell === '┊' ? cell : paint(cell))).join('');
}

function laneStyle({ kind }: Lane, chalk: ChalkInstance): [string, (text: string) => string] {
  switch (kind) {
    case 'stage':
      return ['█', chalk.green];
    case 'failed stage':
      return ['▓', chalk.red];
    case 'activity':
      return ['▒', chalk.cyan];
  }
}

/** The line and the labels that fit; the end's always does. */
function axisLines(axis: Axis, columns: number): string[] {
  const line = new Array<string>(columns).fill('─');
  const labels = new Array<string>(columns + timeWidth).fill(' ');
  const placed = new Set<string>();
  const place = (ns: number): void => {
    const text = virtualTime(ns);
    if (placed.has(text)) return;
    const at = columnOf(axis, ns, columns);
    const around = labels.slice(Math.max(0, at - 1), at + text.length + 1);
    if (around.some((label) => label !== ' ') || at + text.length > labels.length) return;
    placed.add(text);
    line[at] = '┴';
    for (const [index, character] of [...text].entries()) labels[at + index] = character;
  };
  const { ticks } = axis;
  for (const ns of [ticks[0]!, ticks.at(-1)!, ...ticks]) place(ns);
  return [line.join(''), labels.join('').trimEnd()];
}

const stateCharacters: Readonly<Record<CellState, string>> = {
  'no RAM': ' ',
  'not due': '·',
  'not judged': ':',
  equal: '░',
  excused: '▒',
  absent: '○',
  damaged: '!',
  different: '#',
};

type MarkKind = TargetKind | WriterKind;

const markCharacters: Readonly<Record<MarkKind, string>> = {
  reserved: '─',
  structures: 's',
  code: 'c',
  'memory error': 'e',
  dma: 'd',
  cpu: 'x',
};

export const addressWidth = 12;

export function memoryMapLines(report: RunReport, { width, colour }: TerminalStyle): string[] {
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const room = width - addressWidth - 1;
  const columns = 2 ** Math.floor(Math.log2(Math.max(16, room)));
  const map = memoryMapOf(report, { columns, maxRows: 16 });
  const cell = map.pagesPerCell * map.pageSize;
  const heading =
    `map of memory: a cell is ${humanSize(cell)} (${plural(map.pagesPerCell, 'page')}) and shows ` +
    `the worst of its pages, a row is ${humanSize(cell * columns)}`;
  const rows = map.rows.flatMap((row) =>
    'cells' in row ? rowLines(row, map, chalk) : [gapLine(row, map)],
  );
  return [...wrapped(heading, width), ...rows, ...legendLines(map, width, chalk)];
}

function rowLines(
  { firstPfn, cells, targets, writers }: MapRow,
  map: MemoryMap,
  chalk: ChalkInstance,
): string[] {
  const address = hexAddress(firstPfn * map.pageSize).padStart(addressWidth);
  const line = cells.map((state) => statePaint(state, chalk)(stateCharacters[state])).join('');
  const above = `${address} ${line}`.trimEnd();
  const marks = writers.map((writer, at) => writer ?? targets[at]);
  if (marks.every((mark) => mark === undefined)) return [above];
  const below = marks.map((mark) => (mark === undefined ? ' ' : markPaint(mark, chalk))).join('');
  return [above, `${' '.repeat(addressWidth + 1)}${below}`.trimEnd()];
}

export function gapLine(
  { firstPfn, endPfn }: MapGap,
  { pageSize }: Pick<MemoryMap, 'pageSize'>,
): string {
  const address = hexAddress(firstPfn * pageSize).padStart(addressWidth);
  return `${address} no RAM below ${hexAddress(endPfn * pageSize)}`;
}

function legendLines(
  { states, targets, writers }: MemoryMap,
  width: number,
  chalk: ChalkInstance,
): string[] {
  const shownStates = cellStates.filter((state) => state !== 'no RAM' && states.has(state));
  const shownMarks = [
    ...targetKinds.filter((target) => targets.has(target)),
    ...writerKinds.filter((writer) => writers.has(writer)),
  ];
  const entries = [
    ...shownStates.map((state) => ({
      sign: statePaint(state, chalk)(stateCharacters[state]),
      text: stateText[state],
    })),
    ...shownMarks.map((mark) => ({ sign: markPaint(mark, chalk), text: markText[mark] })),
  ];
  return legendRows(entries, width);
}

/** A sign of one column, and what it stands for. */
export interface LegendEntry {
  readonly sign: string;
  readonly text: string;
}

export function legendRows(entries: readonly LegendEntry[], width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const { sign, text } of entries) {
    const length = lengthOf(text) + 2;
    if (line !== '' && used + 3 + length > width) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += line === '' ? `${sign} ${text}` : `   ${sign} ${text}`;
    used += line === '' ? length : length + 3;
  }
  return line === '' ? lines : [...lines, line];
}

function statePaint(state: CellState, chalk: ChalkInstance): (text: string) => string {
  switch (state) {
    case 'no RAM':
      return (text) => text;
    case 'equal':
      return chalk.green;
    case 'excused':
      return chalk.cyan;
    case 'absent':
      return chalk.yellow;
    case 'damaged':
    case 'different':
      return chalk.red;
    default:
      return chalk.dim;
  }
}

function markPaint(mark: MarkKind, chalk: ChalkInstance): string {
  const character = markCharacters[mark];
  if (mark === 'reserved') return chalk.blue(character);
  const isTarget = mark === 'code' || mark === 'structures';
  return isTarget ? chalk.magenta(character) : chalk.red(character);
}
