/** The report of a capture as people read it: what was set up, each stage, the verdict. */

import { Chalk, type ChalkInstance } from 'chalk';
import Table from 'cli-table3';
import { humanSize, plural, printable } from '../bytes/text.ts';
import type { CaptureReport, StageReport } from '../trial/report.ts';
import type { VerdictClass } from '../trial/verdict-classes.ts';

export interface CaptureView {
  readonly report: CaptureReport;
  /** The machine, as the user should recognise it. */
  readonly machine: string;
  /** The file; undefined where there is none. */
  readonly output: string | undefined;
  /** `every`: each edit of the set-up by itself. */
  readonly setup: 'every' | 'count';
  readonly colour: 'colour' | 'plain';
}

/** The last line names the verdict and the next command. */
export function captureLines(view: CaptureView): string[] {
  const { report, machine } = view;
  const chalk = new Chalk({ level: view.colour === 'colour' ? 1 : 0 });
  const { release, cpus, ramBytes, hardware } = report.machine;
  const { panic } = report;
  const about = [release ?? 'unknown kernel', plural(cpus, 'CPU'), humanSize(ramBytes), hardware];
  return [
    `${chalk.bold(report.method)} on ${machine}: ${printable(about.join(', '))}`,
    `panic on CPU ${panic.cpu}: ${printable(panic.message)} (${panic.evidence})`,
    ...setupLines(view),
    '',
    ...stageTable(report.stages, chalk),
    ...remarkLines(report),
    '',
    ...verdictLines(report),
    lastLine(view, chalk),
  ];
}

function setupLines({ report, setup }: CaptureView): string[] {
  const count = `set-up: ${plural(report.setup.length, 'change')} before the instant`;
  if (setup === 'count') return [`${count}${report.setup.length > 0 ? ' (--verbose)' : ''}`];
  const table = plainTable(['Change', 'Address', 'Before', 'After']);
  for (const { what, address = '', before = '', after = '' } of report.setup) {
    table.push([what, address, before, after]);
  }
  return [count, ...rowsOf(table)];
}

function stageTable(stages: readonly StageReport[], chalk: ChalkInstance): string[] {
  const table = plainTable(['Stage', 'From', 'Took', 'Pages', 'Bytes', 'Result'], [1, 2, 3, 4]);
  for (const stage of stages) {
    const isOk = stage.result === 'ok';
    const result = isOk ? chalk.green('ok') : chalk.red(`${stage.kind}: ${stage.object}`);
    table.push([
      stage.name,
      virtualTime(stage.startNs),
      virtualTime(stage.endNs - stage.startNs),
      stage.pages === undefined ? '' : String(stage.pages),
      stage.bytes === undefined ? '' : humanSize(stage.bytes),
      result,
    ]);
  }
  return rowsOf(table);
}

function remarkLines({ stages, failed, saved }: CaptureReport): string[] {
  const lines = stages.flatMap(({ name, remarks }) =>
    remarks.map((remark) => `${name}: ${remark}`),
  );
  if (failed !== undefined) lines.push(`ended in ${failed.name}: ${failed.cause}`);
  for (const remark of saved?.remarks ?? []) lines.push(`saving: ${remark}`);
  return lines;
}

function verdictLines({ verdict, ownWrites, disk }: CaptureReport): string[] {
  const written = ownWrites.reduce((sum, { start, end }) => sum + end - start, 0);
  const lines = [
    `disk: ${plural(disk.commands, 'command')}, ${humanSize(disk.bytes)}; ` +
      `memory that the method itself wrote: ${humanSize(written)}`,
  ];
  const { pages, answers } = verdict;
  if (pages !== undefined) {
    const { due, equal, excused, different, absent, damaged } = pages;
    lines.push(
      `pages: ${due} due; ${equal} equal (${excused} with the method's own writes), ` +
        `${different} different, ${absent} absent, ${damaged} damaged`,
    );
  }
  if (answers !== undefined) {
    const said = Object.entries(answers).map(([question, answer]) => `${question} ${answer}`);
    lines.push(`answers of the dump and of the memory: ${said.join(', ')}`);
  }
  return [...lines, ...verdict.reasons.map((reason) => `judge: ${reason}`)];
}

const good: readonly VerdictClass[] = ['complete', 'partial'];

function lastLine({ report, output }: CaptureView, chalk: ChalkInstance): string {
  const { verdict } = report;
  const name = verdict.class;
  const shown = good.includes(name) ? chalk.green(name) : chalk.red(name);
  if (output === undefined) return `${shown}: no dump; tsdump ${report.method} --verbose says more`;
  return `${shown}: tsdump analyze ${quoted(output)}`;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./+,:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** `16.1 ms`, `7.604 s`: virtual time. */
function virtualTime(ns: number): string {
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} us`;
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(3)} s`;
}

/** A table without lines and colours of its own; the columns in `right` are numbers. */
function plainTable(head: string[], right: readonly number[] = []): Table.Table {
  const nothing = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid'];
  const more = ['bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right'];
  const chars = [...nothing, ...more, 'right-mid'].map((name) => [name, '']);
  return new Table({
    head,
    chars: { ...Object.fromEntries(chars), middle: '  ' },
    colAligns: head.map((_, column) => (right.includes(column) ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}

function rowsOf(table: Table.Table): string[] {
  return table
    .toString()
    .split('\n')
    .map((row) => row.trimEnd());
}
