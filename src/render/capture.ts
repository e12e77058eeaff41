/**
 * The report of a capture as people read it: what was set up, what struck it, each stage, why it
 * ended as it did, what the judge says. The last line is the verdict and the next command.
 */

import { Chalk, type ChalkInstance } from 'chalk';
import { humanSize, plural } from '../bytes/text.ts';
import { methodWord } from '../capture/catalogue.ts';
import type { CaptureReport, StageReport } from '../trial/report.ts';
import { faultLines } from './capture-faults.ts';
import { judgeLines, outcomeLines } from './capture-outcome.ts';
import { type Cell, tableLines, wrapped } from './lines.ts';
import { memoryMapLines, timelineLines } from './picture/terminal.ts';
import {
  failureText,
  introductionText,
  isGood,
  machineText,
  nextCommand,
  panicText,
  virtualTime,
} from './words.ts';

/** A run as it is told. */
export interface CaptureSubject {
  readonly report: CaptureReport;
  /** The machine, as the user should recognise it. */
  readonly machine: string;
  /** The file; undefined where there is none, or a server has it. */
  readonly output: string | undefined;
  /** The command that does the same again. */
  readonly again: string;
  readonly scenario?: { readonly name: string; readonly title: string };
}

export interface CaptureView extends CaptureSubject {
  /** `all`: each edit of the set-up, each write of a fault. */
  readonly detail: 'main' | 'all';
  /** The paragraph that says what was done. */
  readonly introduction: 'with' | 'without';
  /** Time line and map of memory. */
  readonly pictures: 'with' | 'without';
  readonly colour: 'colour' | 'plain';
  /** Of the terminal, in columns; 80. Only commands to copy are longer. */
  readonly width?: number;
}

/** Narrower terminals get this: numbers are not wrapped. */
const narrowest = 72;

export function captureLines(view: CaptureView): string[] {
  const { report, detail, colour, again } = view;
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const width = Math.max(narrowest, view.width ?? 80);
  const picture = (lines: typeof timelineLines): string[] =>
    view.pictures === 'with' ? ['', ...lines(report, { width, colour })] : [];
  const paragraph = wrapped(introductionText(report, view.machine), width);
  return [
    ...(view.introduction === 'with' ? [...paragraph, ''] : []),
    ...headLines(view, width, chalk),
    ...setupLines(view, width),
    '',
    ...faultLines(report.faults, { width, detail, chalk }),
    ...(report.stages.length === 0 ? [] : ['', ...stageTable(report.stages, width, chalk)]),
    ...remarkLines(report, width),
    ...(report.stages.length === 0 ? [] : picture(timelineLines)),
    '',
    ...outcomeLines(report, width, chalk),
    ...picture(memoryMapLines),
    '',
    ...judgeLines(report.verdict, width),
    `seed ${report.seed}; the same again: ${again}`,
    lastLine(view, chalk),
  ];
}

function headLines(view: CaptureView, width: number, chalk: ChalkInstance): string[] {
  const { report, machine, scenario } = view;
  const method = methodWord(report.method, report.generation);
  const lines = wrapped(`${method} on ${machine}: ${machineText(report)}`, width, '  ');
  const [first = '', ...more] = lines;
  return [
    ...(scenario === undefined ? [] : wrapped(`${scenario.name}: ${scenario.title}`, width, '  ')),
    first.startsWith(method) ? chalk.bold(method) + first.slice(method.length) : first,
    ...more,
    ...wrapped(`panic ${panicText(report)}`, width, '  '),
  ];
}

function setupLines({ report, detail }: CaptureView, width: number): string[] {
  const { setup } = report;
  const count = `set-up: ${plural(setup.length, 'change')} before the instant`;
  if (setup.length === 0) return [count];
  if (detail === 'main') return [`${count} (--verbose)`];
  const rows = setup.map(({ what, address = '', before = '', after = '' }) => [
    what, address, before, after,
  ]); // biome-ignore format: one row
  const head = ['Change', 'Address', 'Before', 'After'];
  return [count, ...tableLines(rows, { head, width, elastic: [0, 1, 2, 3] })];
}

function stageTable(stages: readonly StageReport[], width: number, chalk: ChalkInstance): string[] {
  const rows = stages.map((stage): Cell[] => [
    stage.name,
    virtualTime(stage.startNs),
    virtualTime(stage.endNs - stage.startNs),
    stage.pages === undefined ? '' : String(stage.pages),
    stage.bytes === undefined ? '' : humanSize(stage.bytes),
    stage.retries === undefined || stage.retries === 0 ? '' : String(stage.retries),
    stage.result === 'ok'
      ? { text: 'ok', paint: chalk.green }
      : { text: failureText(stage), paint: chalk.red },
  ]);
  const head = ['Stage', 'From', 'Took', 'Pages', 'Bytes', 'Retries', 'Result'];
  return tableLines(rows, { head, width, elastic: [0, 6], right: [1, 2, 3, 4, 5] });
}

function remarkLines({ stages, saved }: CaptureReport, width: number): string[] {
  const remarks = [
    ...stages.flatMap(({ name, remarks }) => remarks.map((remark) => `${name}: ${remark}`)),
    ...(saved?.remarks ?? []).map((remark) => `saving: ${remark}`),
  ];
  return remarks.flatMap((remark) => wrapped(remark, width, '  '));
}

function lastLine({ report, output, again, detail }: CaptureView, chalk: ChalkInstance): string {
  const name = report.verdict.class;
  const shown = isGood(name) ? chalk.green(name) : chalk.red(name);
  const closer = `${again} ${detail === 'all' ? '--picture capture.html' : '--verbose'}`;
  const whereabouts = report.saved === undefined ? 'no dump' : 'the dump is with its server';
  const noFile = output === undefined ? `${whereabouts}; for a closer look: ` : '';
  return `${shown}: ${noFile}${nextCommand(name, output, closer)}`;
}
