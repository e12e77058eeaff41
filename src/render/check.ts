/** How whole a dump is, for people and as JSON. See src/check/check.ts. */

import { Chalk, type ChalkInstance } from 'chalk';
import type { Json } from '../analyze/command.ts';
import { describeWhere } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { pagesOf } from '../check/census.ts';
import type { CheckReport } from '../check/check.ts';
import type { KernelPart } from '../check/kernel-parts.ts';
import type { VerdictName } from '../check/verdict.ts';
import { percentOf } from '../check/verdict.ts';
import type { Finding } from '../dump/inspection.ts';
import type { PageRun, PageState } from '../dump/types.ts';
import type { Envelope, Origin } from './envelope.ts';
import { errorJson, whereJson } from './errors.ts';
import { type Cell, tableLines, wrapped } from './lines.ts';
import { pageStates, pageStateText } from './picture/page-map.ts';
import { pageMapLines } from './picture/page-map-text.ts';
import { hexAddress } from './words.ts';

export interface CheckStyle {
  /** In columns. */
  readonly width: number;
  readonly colour: 'colour' | 'plain';
  /** `all`: every range and finding. */
  readonly detail: 'main' | 'all';
  readonly picture: 'with' | 'without';
}

/** Ranges and findings without --verbose. */
const mostShown = 10;

export function isGood(name: VerdictName): boolean {
  return name === 'whole' || name === 'filtered';
}

/** The last line is the verdict. */
export function checkLines(input: string, report: CheckReport, style: CheckStyle): string[] {
  const { width, colour, picture } = style;
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const [first = '', ...rest] = wrapped(`${input}: ${report.description}`, width, '  ');
  const { runs } = report.census;
  return [
    chalk.bold(first),
    ...rest,
    '',
    ...pageTable(report, width),
    ...excludedLines(report, width),
    '',
    ...rangeLines(report, style),
    ...(picture === 'with' ? ['', ...pageMapLines({ ...report, runs }, { width, colour })] : []),
    '',
    ...findingLines(report, style, chalk),
    '',
    ...kernelLines(report, width, chalk),
    '',
    ...verdictLines(report, width, chalk),
  ];
}

/** Of a quiet check all that is said. */
export function verdictLine(input: string, { verdict }: CheckReport): string {
  return `${input}: ${verdict.name}: ${verdict.text}`;
}

function pageTable({ census }: CheckReport, width: number): string[] {
  const { counts, decoded } = census;
  const all = pagesOf(counts);
  const rows = pageStates.flatMap((state) => {
    const count = counts[state];
    return count === 0 ? [] : [[pageStateText[state], String(count), percentOf(count, all)]];
  });
  const how =
    decoded > 0 ? `${plural(decoded, 'page')} decoded` : 'by the index alone: no page was decoded';
  const head = ['Pages', 'Count', 'Share'];
  return [...tableLines(rows, { head, width, elastic: [0], right: [1, 2] }), how];
}

function excludedLines({ excludedAs, crossCheck }: CheckReport, width: number): string[] {
  const lines: string[] = [];
  if (excludedAs.some(({ name }) => name !== 'unknown')) {
    const kinds = excludedAs.map(({ name, count }) => `${count} ${excludedText[name]}`);
    lines.push(...wrapped(`left out, by their struct pages: ${kinds.join(', ')}`, width, '  '));
  }
  if (crossCheck !== undefined) {
    const { pages, differences } = crossCheck;
    const result = differences.length === 0 ? 'the same' : `${differences.length} differ`;
    lines.push(`${plural(pages, 'page')} read by a second decoder as well: ${result}`);
  }
  return lines;
}

const excludedText = {
  cache: 'page cache',
  'private-cache': 'private page cache',
  user: 'user memory',
  free: 'free',
  unusable: 'unusable',
  other: 'zeros or other',
  unknown: 'unknown, as their struct pages are lost or tell nothing',
};

function rangeLines({ census, pageSize }: CheckReport, style: CheckStyle): string[] {
  const { width, detail } = style;
  const { runs, moreRuns } = census;
  const largest = [...runs].sort((one, other) => lengthOf(other) - lengthOf(one));
  const shown = detail === 'all' ? runs : largest.slice(0, mostShown);
  const rows = shown.map((run) => [
    `${hexAddress(run.first * pageSize)}-${hexAddress(run.end * pageSize - 1)}`,
    `0x${run.first.toString(16)}-0x${(run.end - 1).toString(16)}`,
    String(lengthOf(run)),
    pageStateText[run.state],
  ]);
  const head = ['Physical addresses', 'PFNs', 'Pages', 'State'];
  const more = runs.length + moreRuns - shown.length;
  const rest = more === 0 ? [] : [`and ${plural(more, 'smaller range')} (--verbose, --json)`];
  return [...tableLines(rows, { head, width, elastic: [3], right: [2] }), ...rest];
}

function lengthOf({ first, end }: PageRun): number {
  return end - first;
}

function findingLines(report: CheckReport, style: CheckStyle, chalk: ChalkInstance): string[] {
  const { width, detail } = style;
  const { findings, moreFindings } = report;
  if (findings.length === 0) return ['structure: nothing contradicts itself'];
  const shown = detail === 'all' ? findings : findings.slice(0, mostShown);
  const lines = shown.flatMap((finding) => {
    const [first = '', ...rest] = wrapped(`- ${findingText(finding)}`, width, '  ');
    const paint = finding.kind === 'remark' ? (text: string) => text : chalk.red;
    return [first, ...rest].map((line) => paint(line));
  });
  const more = findings.length + moreFindings - shown.length;
  return ['structure:', ...lines, ...(more === 0 ? [] : [`and ${more} more (--verbose)`])];
}

function findingText({ kind, message, where }: Finding): string {
  const place = describeWhere(where);
  return `${kind}: ${message}${place === '' ? '' : ` (${place})`}`;
}

function kernelLines(report: CheckReport, width: number, chalk: ChalkInstance): string[] {
  const { parts, kernelProblem } = report;
  if (parts === undefined) {
    return wrapped(`kernel: cannot be read: ${kernelProblem?.message}`, width, '  ');
  }
  const rows = parts
    .filter(({ readable, lost }) => readable > 0 || lost !== 0)
    .map((part): Cell[] => [
      part.name,
      String(part.readable),
      part.lost === 0 ? '' : { text: String(part.lost ?? '?'), paint: chalk.red },
      partText(part),
    ]);
  const head = ['Of the kernel', 'Readable', 'Lost', 'Why'];
  return tableLines(rows, { head, width, elastic: [3], right: [1, 2] });
}

const reasonsShown = 3;

function partText({ why, remark }: KernelPart): string {
  const shown = why.slice(0, reasonsShown).map(({ why: text, count }) => {
    return why.length === 1 ? text : `${count} ${text}`;
  });
  const more = why.length > reasonsShown ? ['and other reasons'] : [];
  return [...shown, ...more, ...(remark === undefined ? [] : [remark])].join('; ');
}

function verdictLines({ verdict }: CheckReport, width: number, chalk: ChalkInstance): string[] {
  const { name, text } = verdict;
  const lines = wrapped(`${name}: ${text}`, width, '  ');
  const [first = '', ...rest] = lines;
  const paint = isGood(name) ? chalk.green : chalk.red;
  return [paint(name) + first.slice(name.length), ...rest];
}

/** `missing`: pages and parts of the kernel that should be there. */
export function checkEnvelope(origin: Origin, report: CheckReport): Envelope {
  const { parts = [], verdict, kernelProblem, census } = report;
  const missing = parts
    .filter(({ lost }) => lost !== 0)
    .map(({ name, lost = null, why }) => {
      return { what: name, count: lost, why: why[0]?.why ?? 'lost' };
    });
  const pages = (['missing', 'damaged'] as const).flatMap((state) => {
    const count = census.counts[state];
    return count === 0 ? [] : [{ what: 'pages', count, why: pageStateText[state] }];
  });
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: isGood(verdict.name),
    missing: isGood(verdict.name) ? [] : [...pages, ...missing],
    data: checkJson(report),
    errors: kernelProblem === undefined ? [] : [errorJson(kernelProblem)],
  };
}

function checkJson(report: CheckReport): Json {
  const { census, crossCheck, parts, verdict } = report;
  const byState = (state: PageState): number => census.counts[state];
  return {
    verdict: { name: verdict.name, text: verdict.text },
    description: report.description,
    pageSize: report.pageSize,
    level: report.level ?? null,
    pages: Object.fromEntries(pageStates.map((state) => [state, byState(state)])),
    decoded: census.decoded,
    excludedAs: report.excludedAs.map(({ name, count }) => ({ name, count })),
    runs: census.runs.map(({ first, end, state }) => ({ first, end, state })),
    moreRuns: census.moreRuns,
    crossCheck:
      crossCheck === undefined
        ? null
        : { pages: crossCheck.pages, differences: crossCheck.differences.length },
    findings: report.findings.map(({ kind, message, where }) => ({
      ...{ kind, message },
      where: whereJson(where),
    })),
    moreFindings: report.moreFindings,
    kernel:
      parts === undefined
        ? null
        : parts.map(({ name, readable, lost, why, remark }) => ({
            ...{ name, readable, lost: lost ?? null },
            why: why.map(({ why: text, count }) => ({ why: text, count })),
            remark: remark ?? null,
          })),
  };
}
