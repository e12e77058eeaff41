/**
 * Text that fits a terminal: lines wrapped between words, tables wrapped within their columns.
 * Widths are columns of a terminal.
 */

import Table from 'cli-table3';
import { printable } from '../bytes/text.ts';

/** A cell, with the colour of its text where it has one. */
export type Cell = string | { readonly text: string; paint(line: string): string };

export interface Columns {
  readonly head: readonly string[];
  /** The whole table's; the columns in `elastic` give way, the widest one first. */
  readonly width: number;
  readonly elastic: readonly number[];
  /** Columns of numbers. */
  readonly right?: readonly number[];
}

const gap = '  ';
const narrowest = 8;

/** Lines of at most `width` characters; those after the first begin with `hang`. */
export function wrapped(text: string, width: number, hang = ''): string[] {
  const whole = oneLine(text);
  if (lengthOf(whole) <= width) return [whole];
  const lines: string[] = [];
  let line = /^ */.exec(whole)![0];
  let isEmpty = true;
  for (const word of whole.split(' ').filter((part) => part !== '')) {
    let rest = word;
    while (lengthOf(line) + (isEmpty ? 0 : 1) + lengthOf(rest) > width) {
      if (isEmpty) {
        const first = start(rest, Math.max(2, width - lengthOf(line)));
        lines.push(line + first);
        rest = rest.slice(first.length);
      } else {
        lines.push(line);
      }
      line = hang;
      isEmpty = true;
    }
    line += isEmpty ? rest : ` ${rest}`;
    isEmpty = false;
  }
  return [...lines, line];
}

/** A table without frame. Columns that are empty in every row are left out. */
export function tableLines(rows: readonly (readonly Cell[])[], columns: Columns): string[] {
  const used = columns.head.flatMap((_, at) =>
    rows.some((row) => textOf(row[at]) !== '') ? [at] : [],
  );
  const widths = widthsOf(rows, used, columns);
  const table = new Table({
    head: used.map((at) => columns.head[at]!),
    chars: { ...noFrame, middle: gap },
    colAligns: used.map((at) => (columns.right?.includes(at) ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) {
    table.push(used.map((at, column) => painted(row[at] ?? '', widths[column]!)));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** In one line, safe for a terminal. */
export function oneLine(text: string): string {
  return printable(text.replace(/[\t\n]/g, ' '));
}

/** Cut to a width, with a mark where something is missing. */
export function shortened(text: string, width: number): string {
  const line = oneLine(text);
  return lengthOf(line) <= width ? line : `${start(line, width - 1)}…`;
}

/** Filled up to a width. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)));
}

/**
 * Two columns wide: East Asian wide and full-width characters, emoji. Source: Unicode's
 * EastAsianWidth.txt, classes W and F.
 */
const wide = new RegExp(
  `[${[
    String.raw`\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3040-\ua4cf`,
    String.raw`\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60`,
    String.raw`\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f251}\u{20000}-\u{3fffd}`,
  ].join('')}]`,
  'u',
);
const combining = /[\u0300-\u036f]/;

/** At least what a terminal, and the tables' package, take for it. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const character of text) length += columnsOf(character);
  return length;
}

function columnsOf(character: string): number {
  if (character < '\u0300') return 1;
  if (combining.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** As much of the beginning as fits. */
function start(text: string, width: number): string {
  let end = 0;
  let used = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > width) break;
    end += character.length;
  }
  return text.slice(0, end);
}

const frame = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'];
const sides = ['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
const noFrame = Object.fromEntries([...frame, ...sides].map((part) => [part, '']));

function textOf(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '');
}

function painted(cell: Cell, width: number): string {
  const lines = wrapped(textOf(cell), width);
  return (typeof cell === 'object' ? lines.map((line) => cell.paint(line)) : lines).join('\n');
}

function widthsOf(
  rows: readonly (readonly Cell[])[],
  used: readonly number[],
  { head, width, elastic }: Columns,
): number[] {
  const widths = used.map((at) =>
    Math.max(lengthOf(head[at]!), ...rows.map((row) => lengthOf(oneLine(textOf(row[at]))))),
  );
  let excess = widths.reduce((sum, each) => sum + each + gap.length, -gap.length) - width;
  while (excess > 0) {
    const giving = used.flatMap((at, column) => (elastic.includes(at) ? [column] : []));
    const widest = giving.sort((a, b) => widths[b]! - widths[a]!)[0];
    if (widest === undefined || widths[widest]! <= narrowest) break;
    widths[widest]!--;
    excess--;
  }
  return widths;
}
