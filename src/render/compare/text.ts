/** A comparison on a terminal. */

import { Chalk } from 'chalk';
import type { CompareReport } from '../../compare/report.ts';
import { type Cell, tableLines, wrapped } from '../lines.ts';
import { introduction, type TableSection, tablesOf } from './tables.ts';
import { conclusion } from './words.ts';

export interface CompareView {
  readonly report: CompareReport;
  /** The results. */
  readonly input: string;
  readonly colour: 'colour' | 'plain';
  readonly detail: 'main' | 'all';
  /** Of the terminal, in columns; 100 where it is none. */
  readonly width?: number;
}

const usualWidth = 100;
const narrowest = 72;

export function compareLines({ report, input, colour, detail, ...view }: CompareView): string[] {
  const width = Math.max(narrowest, view.width ?? usualWidth);
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const all = tablesOf(report);
  const shown = all.filter(({ importance }) => detail === 'all' || importance === 'main');
  const more = all.length - shown.length;
  return [
    ...introduction(report).flatMap((line) => wrapped(line, width)),
    ...shown.flatMap((table) => ['', ...sectionLines(table, width, chalk.bold, chalk.red)]),
    '',
    ...(more > 0 ? wrapped(`${more} more tables: --verbose, --markdown`, width) : []),
    ...conclusion(report, input).flatMap((line) => wrapped(line, width, '  ')),
  ];
}

type Paint = (text: string) => string;

function sectionLines(
  { title, note, head, rows, words }: TableSection,
  width: number,
  strong: Paint,
  alarm: Paint,
): string[] {
  const right = head.flatMap((_, at) => (words.includes(at) ? [] : [at]));
  const cells = rows.map((row) =>
    row.map((text): Cell => (/^[A-Z ]{4,}$/.test(text) ? { text, paint: alarm } : text)),
  );
  return [
    strong(title),
    ...wrapped(note, width),
    ...(rows.length === 0
      ? ['none']
      : tableLines(cells, { head, width, elastic: head.map((_, at) => at), right })),
  ];
}
