/** How a run ended: where, what was safe by then, the measured reason; and what the judge says. */

import type { ChalkInstance } from 'chalk';
import { humanSize } from '../bytes/text.ts';
import type { Verdict } from '../trial/judge.ts';
import type { CaptureReport, Why } from '../trial/report.ts';
import { tableLines, wrapped } from './lines.ts';
import { endText, isGood, safeText, whyText } from './words.ts';

export function outcomeLines(report: CaptureReport, width: number, chalk: ChalkInstance): string[] {
  const { failed, ownWrites, why } = report;
  const written = ownWrites.reduce((sum, { start, end }) => sum + end - start, 0);
  const [first = '', ...more] = wrapped(endText(report), width, '  ');
  const cause = failed?.cause;
  const reason = whyText(report);
  return [
    failed === undefined ? first : chalk.red(first),
    ...more,
    ...(cause === undefined ? [] : wrapped(`  ${cause}`, width, '  ')),
    ...wrapped(`safe on the disk: ${safeText(report)}`, width, '  '),
    ...wrapped(`memory that the method itself wrote: ${humanSize(written)}`, width, '  '),
    ...(reason === undefined ? [] : wrapped(`why: ${reason}`, width, '  ')),
    ...(why === undefined || why.removals.length < 2 ? [] : removalTable(why, width, chalk)),
  ];
}

function removalTable({ removals }: Why, width: number, chalk: ChalkInstance): string[] {
  const rows = removals.map(({ fault, verdict }) => [
    fault,
    { text: verdict, paint: isGood(verdict) ? chalk.green : chalk.red },
  ]);
  const head = ['Left out alone', 'Verdict then'];
  return tableLines(rows, { head, width: width - 2, elastic: [0] }).map((line) => `  ${line}`);
}

export function judgeLines({ pages, answers, reasons }: Verdict, width: number): string[] {
  const lines: string[] = [];
  if (pages !== undefined) {
    const { due, equal, excused, different, absent, damaged } = pages;
    lines.push(
      `pages: ${due} due; of all in the file ${equal} equal (${excused} with own writes), ` +
        `${different} different, ${absent} absent, ${damaged} damaged`,
    );
  }
  if (answers !== undefined) {
    const said = Object.entries(answers).map(([question, answer]) => `${question} ${answer}`);
    lines.push(`answers of the dump and of the memory: ${said.join(', ')}`);
  }
  lines.push(...reasons.map((reason) => `judge: ${reason}`));
  return lines.flatMap((line) => wrapped(line, width, '  '));
}
