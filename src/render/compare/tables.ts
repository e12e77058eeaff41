/** A comparison as tables of words: text, Markdown and HTML show the same ones. */

import { humanSize, plural } from '../../bytes/text.ts';
import type { Cause } from '../../compare/causes.ts';
import type { MethodGate } from '../../compare/gate.ts';
import { type CompareReport, isWhole } from '../../compare/report.ts';
import type { RequirementResult } from '../../compare/requirement.ts';
import type { Interval } from '../../compare/statistics/wilson.ts';
import {
  type MethodSummary,
  type MixRate,
  type Rate,
  type StratumAxis,
  type Summary,
  strataAxes,
} from '../../compare/summary.ts';
import type { TrialLine } from '../../compare/trial-line.ts';
import { type VerdictClass, verdictClasses } from '../../trial/verdict-classes.ts';
import { virtualTime } from '../words.ts';
import { changeTable } from './change-table.ts';

export interface TableSection {
  readonly title: string;
  /** What the numbers are, for who did not make them. */
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of words; the others are numbers. */
  readonly words: readonly number[];
  /** Shown where not all is asked for. */
  readonly importance: 'main' | 'detail';
}

/** But for what fractions lose. */
export const wholeMix = 0.9995;
/** Causes of a method that are named where not all are. */
const causesShown = 3;
const leftOut: readonly VerdictClass[] = ['not-triggered', 'undecidable'];

export function introduction({ campaign, due, summary, ...report }: CompareReport): string[] {
  const { trials, scenarios, images, seeds, methods, repeated, level } = summary;
  const what = [
    plural(methods.length, 'method'),
    plural(scenarios, 'scenario'),
    plural(images, 'panic image'),
    plural(seeds, 'seed'),
  ].join(', ');
  const isShort = !isWhole({ campaign, due, summary, ...report });
  return [
    `${what}: ${plural(trials, 'trial')}${isShort ? `, of ${due} that the campaign has` : ''}`,
    ...(repeated > 0 ? [`${plural(repeated, 'line')} said the same again and counted once`] : []),
    ...(campaign.machine === null ? [] : [`the machine: ${campaign.machine}`]),
    'A success is a dump that is complete, and nothing less; what the method never met or no one ' +
      `can decide is left out of the rate. Intervals hold with ${percent(level)}; a rate holds ` +
      'for its mix of scenarios and these panic images.',
  ];
}

export function tablesOf(report: CompareReport): TableSection[] {
  const { summary, requirements, baseline, sequential } = report;
  const at = (moment: MethodSummary['moment']): readonly MethodSummary[] =>
    summary.methods.filter((method) => method.moment === moment);
  const outside = at('outside');
  const before = at('before the panic');
  return [
    ...(requirements.length > 0 ? [requirementTable(requirements)] : []),
    ...(baseline === null ? [] : [baselineTable(baseline.methods), changeTable(baseline)]),
    outcomes('Methods that work after the panic', at('after the panic'), summary, ''),
    ...(outside.length > 0
      ? [outcomes('From outside of the machine', outside, summary, bound)]
      : []),
    ...(before.length > 0 ? [outcomes('Taken before the panic', before, summary, live)] : []),
    ...(sequential === null ? [] : [sequentialTable(sequential)]),
    causes(summary),
    ...strataAxes.flatMap((by) => strata(summary, by)),
    costs(summary),
    ...pairs(summary),
  ];
}

const bound = 'The upper bound: it asks nothing of the crashed kernel.';
const live = 'It never met the crash: not to be compared with the others.';

function outcomes(
  title: string,
  methods: readonly MethodSummary[],
  { mixes }: Summary,
  more: string,
): TableSection {
  const said = mixes.map(({ name, title: claim }) => `${name}: ${claim}`).join('; ');
  const used = verdictClasses.filter((name) => methods.some(({ classes }) => classes[name] > 0));
  const shown = ['complete', ...used.filter((name) => name !== 'complete')] as VerdictClass[];
  return {
    title,
    note: `${more === '' ? '' : `${more} `}Rates by mix (${said}), then trials by outcome.`,
    head: [
      ...['method', ...mixes.map(({ name }) => name), 'counted'],
      ...shown.map((name) => (leftOut.includes(name) ? `(${name})` : name)),
    ],
    rows: methods.map((method) => [
      method.method,
      ...method.mixes.map(mixText),
      String(method.n),
      ...shown.map((name) => String(method.classes[name])),
    ]),
    words: [0],
    importance: 'main',
  };
}

function causes({ methods }: Summary): TableSection {
  return {
    title: 'Why dumps failed',
    note: 'Of each method the most frequent first, with one trial of it.',
    head: ['method', 'trials', 'share', 'ended in', 'by', 'outcome', 'for example'],
    rows: methods.flatMap((method) => {
      const failures = method.n - method.k;
      return method.causes
        .slice(0, causesShown)
        .map((cause) => [
          method.method,
          String(cause.count),
          percent(cause.count / failures),
          cause.stage ?? 'no stage: the dump',
          byText(cause),
          cause.verdict,
          exampleText(cause.example),
        ]);
    }),
    words: [0, 3, 4, 5, 6],
    importance: 'main',
  };
}

function strata({ methods, strata: all }: Summary, by: StratumAxis): TableSection[] {
  const ofAxis = all.filter((stratum) => stratum.by === by);
  const values = [...new Set(ofAxis.map(({ value }) => value))];
  if (values.length < 2) return [];
  const names = { point: 'crash point', crash: 'kind of crash', load: 'load' };
  return [
    {
      title: `By ${names[by]}`,
      note: 'Successes of the trials that count; Wilson intervals stand in the JSON.',
      head: ['method', ...values.map((value) => value ?? 'not said')],
      rows: methods.map(({ method }) => [
        method,
        ...values.map((value) => {
          const found = ofAxis.find((each) => each.method === method && each.value === value);
          return found === undefined ? '-' : shareText(found);
        }),
      ]),
      words: [0],
      importance: 'detail',
    },
  ];
}

function costs({ methods }: Summary): TableSection {
  const known = methods.filter(({ dumpNs }) => dumpNs !== null);
  return {
    title: 'What a complete dump costs',
    note: 'Time of the machine from the panic on, and size of the file: median (5 % to 95 %).',
    head: ['method', 'time to dump', 'file', 'slowest'],
    rows: known.map(({ method, dumpNs, bytes, slowest }) => [
      method,
      spread(dumpNs, virtualTime),
      spread(bytes, humanSize),
      slowest[0] === undefined ? '-' : exampleText(slowest[0]),
    ]),
    words: [0, 3],
    importance: 'main',
  };
}

function spread(values: readonly number[] | null, text: (value: number) => string): string {
  if (values === null) return '-';
  const [low, , median, , high] = values;
  return `${text(median!)} (${text(low!)} to ${text(high!)})`;
}

function pairs({ comparison: { cochran, pairs: all } }: Summary): TableSection[] {
  if (all.length === 0) return [];
  const q = cochran === null ? '' : cochranText(cochran);
  return [
    {
      title: 'Methods against each other',
      note:
        `On the same scenarios and seeds: exact McNemar tests, corrected by Holm. ${q}` +
        'Trials of one image are not independent: p says how one-sided a difference is.',
      head: ['one', 'other', 'trials', 'only one', 'only other', 'p', 'Holm'],
      rows: all.map(({ first, second, n, onlyFirst, onlySecond, p, holm }) => [
        ...[first, second, String(n), String(onlyFirst), String(onlySecond)],
        ...[pText(p), pText(holm)],
      ]),
      words: [0, 1],
      importance: 'detail',
    },
  ];
}

function cochranText({ n, q, degrees, p }: NonNullable<Summary['comparison']['cochran']>): string {
  const size = `${degrees} degrees of freedom, ${plural(n, 'trial')} each`;
  return `Cochran's Q over all of them: ${q.toFixed(1)} (${size}), p ${pText(p)}. `;
}

function sequentialTable(sequential: NonNullable<CompareReport['sequential']>): TableSection {
  const { width, methods, isReached } = sequential;
  return {
    title: isReached ? 'Stopped: every rate is known well enough' : 'Not known well enough yet',
    note:
      `Intervals of the rate with each scenario the same that hold at all times at once, to be ` +
      `${width} wide at most; a seed is one observation.`,
    head: ['method', 'seeds', 'interval', 'width'],
    rows: methods.map(({ method, seeds, interval }) => [
      ...[method, String(seeds), intervalText(interval)],
      (interval.high - interval.low).toFixed(3),
    ]),
    words: [0],
    importance: 'main',
  };
}

function requirementTable(requirements: readonly RequirementResult[]): TableSection {
  return {
    title: 'Requirements',
    note: 'A bound must be kept by the end of the interval that speaks against it.',
    head: ['', 'required', 'trials', 'shown'],
    rows: requirements.map((each) => [
      each.isMet ? 'met' : 'NOT MET',
      requirementText(each),
      `${each.k} of ${each.n}`,
      `${each.operator.startsWith('>') ? 'at least' : 'at most'} ${each.value.toFixed(4)}`,
    ]),
    words: [0, 1, 3],
    importance: 'main',
  };
}

function baselineTable(methods: readonly MethodGate[]): TableSection {
  return {
    title: 'Against the accepted run',
    note:
      'Worse: one-sided tests, Holm over the methods, at 0.05. "finds": the smallest drop that ' +
      'so many trials find in four runs of five.',
    head: ['', 'method', 'test', 'trials', 'fell by', 'p', 'Holm', 'finds'],
    rows: methods.map((each) => [
      each.isWorse ? 'WORSE' : 'kept',
      ...[each.method, each.test, `${each.baseline} and ${each.current}`],
      each.drop === null ? '-' : each.drop.toFixed(4),
      ...[pText(each.p), pText(each.holm)],
      each.finds === null ? 'nothing' : each.finds.toFixed(3),
    ]),
    words: [0, 1, 2],
    importance: 'main',
  };
}

export function requirementText({ method, verdict, operator, bound: value }: RequirementResult) {
  return `${method}.${verdict} ${operator} ${value}`;
}

/** What stopped the stage, or what the judge found first where all were gone through. */
function byText({ stage, kind, object, example }: Cause): string {
  if (stage === null) return example.reason;
  return [kind, object].filter((word) => word !== null).join(': ');
}

export function exampleText({ scenario, seed }: TrialLine): string {
  return `${scenario}, seed ${seed}`;
}

/** Where not all of the mix ran, or counts, the rate is of that part. */
function mixText({ rate, interval, covered }: MixRate): string {
  const part = rate === null || covered > wholeMix ? '' : ` (of ${percent(covered)})`;
  return `${rateText(rate, interval)}${part}`;
}

export function rateText(rate: number | null, interval: Interval | null): string {
  if (rate === null) return '-';
  return interval === null ? rate.toFixed(3) : `${rate.toFixed(3)} ${intervalText(interval)}`;
}

function shareText({ k, n }: Rate): string {
  return n === 0 ? '-' : `${k}/${n}`;
}

function intervalText({ low, high }: Interval): string {
  return `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function pText(p: number): string {
  return p < 1e-4 ? '<0.0001' : p.toFixed(4);
}
