/**
 * A campaign's whole comparison as plain data, from the lines of its trials. Methods are compared
 * on the same scenarios and seeds only, and only those that work after the panic: what is taken
 * before it never met the crash, and what reads from outside is the upper bound.
 */

import { type MethodDescription, parseMethod } from '../capture/catalogue.ts';
import { type Cause, causesOf, costsOf, type Quantiles, slowestOf } from './causes.ts';
import type { Mix } from './mix.ts';
import { groupBy, type Tally, tallyOf } from './outcomes.ts';
import { type Comparison, comparisonOf } from './pairs.ts';
import { bootstrap, bootstrapRepetitions, bootstrapSeed } from './statistics/bootstrap.ts';
import { type Interval, wilson } from './statistics/wilson.ts';
import type { TrialLine } from './trial-line.ts';
import type { TrialSet } from './trial-set.ts';

/** Of all intervals. */
export const level = 0.95;

export interface Rate extends Tally {
  /** Wilson's, of k/n. */
  readonly interval: Interval;
}

export interface MixRate {
  readonly mix: string;
  /** Null where none of its scenarios has a trial that counts. */
  readonly rate: number | null;
  /** By the cluster bootstrap over panic images; null for fewer than two of them. */
  readonly interval: Interval | null;
  /** Share of the mix that has trials that count. */
  readonly covered: number;
}

export interface MethodSummary extends Rate {
  readonly method: string;
  readonly moment: MethodDescription['moment'];
  readonly mixes: readonly MixRate[];
  readonly causes: readonly Cause[];
  /** Of complete runs. */
  readonly dumpNs: Quantiles | null;
  readonly bytes: Quantiles | null;
  /** Complete, of different scenarios; the slowest first. */
  readonly slowest: readonly TrialLine[];
}

export interface CellSummary extends Rate {
  readonly method: string;
  readonly scenario: string;
}

export const strataAxes = ['point', 'crash', 'load'] as const;
export type StratumAxis = (typeof strataAxes)[number];

export interface StratumSummary extends Rate {
  readonly method: string;
  readonly by: StratumAxis;
  /** Null: the scenario does not say. */
  readonly value: string | null;
}

/** Plain data. */
export interface Summary {
  readonly level: number;
  readonly trials: number;
  readonly repeated: number;
  readonly scenarios: number;
  readonly images: number;
  readonly seeds: number;
  readonly bootstrap: { readonly seed: number; readonly repetitions: number };
  readonly mixes: readonly Mix[];
  readonly methods: readonly MethodSummary[];
  readonly cells: readonly CellSummary[];
  readonly strata: readonly StratumSummary[];
  readonly comparison: Comparison;
}

export function summaryOf(
  { lines, repeated }: Pick<TrialSet, 'lines' | 'repeated'>,
  mixes: readonly Mix[],
): Summary {
  const byMethod = [...groupBy(lines, ({ method }) => method)];
  const count = (keyOf: (line: TrialLine) => string | number): number =>
    new Set(lines.map(keyOf)).size;
  return {
    level,
    trials: lines.length,
    repeated,
    scenarios: count(({ scenario }) => scenario),
    images: count(({ image }) => image),
    seeds: count(({ seed }) => seed),
    bootstrap: { seed: bootstrapSeed, repetitions: bootstrapRepetitions },
    mixes,
    methods: byMethod.map(([method, trials]) => methodOf(method, trials, mixes)),
    cells: byMethod.flatMap(([method, trials]) =>
      [...groupBy(trials, ({ scenario }) => scenario)].map(([scenario, cell]) => {
        return { method, scenario, ...rateOf(cell) };
      }),
    ),
    strata: byMethod.flatMap(([method, trials]) => strataOf(method, trials)),
    comparison: comparisonOf(lines.filter(({ method }) => momentOf(method) === 'after the panic')),
  };
}

/** Throws `usage` for a method that this version does not know. */
function momentOf(method: string): MethodDescription['moment'] {
  return parseMethod(method).method.moment;
}

function methodOf(
  method: string,
  trials: readonly TrialLine[],
  mixes: readonly Mix[],
): MethodSummary {
  return {
    method,
    moment: momentOf(method),
    ...rateOf(trials),
    mixes: mixes.map((mix) => mixRate(trials, mix)),
    causes: causesOf(trials),
    ...costsOf(trials),
    slowest: slowestOf(trials),
  };
}

function strataOf(method: string, trials: readonly TrialLine[]): StratumSummary[] {
  return strataAxes.flatMap((by) =>
    [...groupBy(trials, (line) => line[by])].map(([value, stratum]) => {
      return { method, by, value, ...rateOf(stratum) };
    }),
  );
}

export function rateOf(trials: readonly TrialLine[]): Rate {
  const tally = tallyOf(trials);
  return { ...tally, interval: wilson(tally.k, tally.n, level) };
}

/**
 * The weighted mean of the scenarios' rates. A panic image is drawn with all of its scenarios, and
 * with their weights, so that the bootstrap sees a ratio of sums over images.
 */
export function mixRate(trials: readonly TrialLine[], { name, weights }: Mix): MixRate {
  const images = [...groupBy(trials, ({ image }) => image).values()].map((ofImage) => {
    const cluster = { part: 0, whole: 0 };
    for (const [scenario, cell] of groupBy(ofImage, (line) => line.scenario)) {
      const weight = Object.hasOwn(weights, scenario) ? weights[scenario]! : 0;
      const { k, n } = tallyOf(cell);
      if (n === 0) continue;
      cluster.part += (weight * k) / n;
      cluster.whole += weight;
    }
    return cluster;
  });
  const weighed = images.filter(({ whole }) => whole > 0);
  const part = weighed.reduce((sum, image) => sum + image.part, 0);
  const covered = weighed.reduce((sum, image) => sum + image.whole, 0);
  return {
    mix: name,
    rate: covered === 0 ? null : part / covered,
    interval: bootstrap(weighed, level) ?? null,
    covered,
  };
}
