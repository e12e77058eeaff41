/**
 * Did it get worse since the accepted run? One-sided tests per method, Holm over the methods.
 *
 * Same seeds: the same trials ran twice and are pairs; exact McNemar.
 *
 * New seeds: what may be exchanged between the runs, if nothing changed? Panic images are given
 * and each has a rate of its own, so trials stay within their image and scenario. A fault draws
 * from seed, number and kind alone: one seed draws the same in every image, for every scenario.
 * Its trials are thus not independent, but all of one seed together are, given the images. So the
 * labels `baseline` and `current` are dealt out anew to whole seeds, among those that ran in the
 * same scenarios of the same images. A trial's score is how much more it failed than both runs
 * together did in its scenario; the sum over the current run is what Mantel and Haenszel weigh.
 */

import { groupBy, isCounted, isSuccess } from './outcomes.ts';
import { holm } from './statistics/holm.ts';
import { mcnemarWorse } from './statistics/mcnemar.ts';
import { type Block, permutationTest } from './statistics/permutation.ts';
import { pairedDrop, unpairedDrop } from './statistics/power.ts';
import { type TrialLine, trialKey } from './trial-line.ts';

/** Over all methods. */
export const gateLevel = 0.05;
const power = 0.8;

export interface MethodGate {
  readonly method: string;
  readonly test: 'same seeds' | 'new seeds';
  /** Trials that were compared, of each run. */
  readonly baseline: number;
  readonly current: number;
  /** By how much the rate of success fell; null where nothing was compared. */
  readonly drop: number | null;
  readonly p: number;
  readonly holm: number;
  readonly isWorse: boolean;
  /** The smallest drop that so many trials find in four runs of five; null: none at all. */
  readonly finds: number | null;
}

interface Tested extends Omit<MethodGate, 'holm' | 'isWorse' | 'finds'> {
  /** Of the baseline. */
  readonly rate: number;
  /** How many trials say as much as one that has nothing in common with others; null: no end. */
  readonly design: number | null;
}

/** Of methods in both runs; lines have unique keys. */
export function baselineGate(
  baseline: readonly TrialLine[],
  current: readonly TrialLine[],
): MethodGate[] {
  const before = groupBy(baseline, ({ method }) => method);
  const after = [...groupBy(current, ({ method }) => method)];
  const both = after.filter(([method]) => before.has(method));
  const aim = { level: gateLevel / Math.max(1, both.length), power };
  const tested = both.map(([method, lines]) => {
    return testOf(method, before.get(method)!, lines, aim.level);
  });
  const adjusted = holm(tested.map(({ p }) => p));
  return tested.map(({ rate, design, ...each }, at) => {
    const finds =
      each.test === 'same seeds'
        ? pairedDrop(each.current, aim)
        : design === null
          ? null
          : unpairedDrop(rate, each.current / design, each.baseline / design, aim);
    const p = adjusted[at]!;
    return { ...each, holm: p, isWorse: p <= gateLevel, finds: finds ?? null };
  });
}

/** Where any trial ran in both, pairs say most. */
function testOf(
  method: string,
  before: readonly TrialLine[],
  after: readonly TrialLine[],
  level: number,
): Tested {
  const accepted = new Map(before.map((line) => [trialKey(line), line]));
  const hasPairs = after.some((line) => accepted.has(trialKey(line)));
  return hasPairs ? testPairs(method, accepted, after) : testSeeds(method, before, after, level);
}

function testPairs(
  method: string,
  accepted: ReadonlyMap<string, TrialLine>,
  after: readonly TrialLine[],
): Tested {
  const pairs = after.flatMap((line) => {
    const other = accepted.get(trialKey(line));
    return other !== undefined && isCounted(line) && isCounted(other) ? [{ line, other }] : [];
  });
  const worse = pairs.filter(({ line, other }) => isSuccess(other) && !isSuccess(line)).length;
  const better = pairs.filter(({ line, other }) => !isSuccess(other) && isSuccess(line)).length;
  const n = pairs.length;
  return {
    ...{ method, test: 'same seeds', baseline: n, current: n },
    drop: n === 0 ? null : (worse - better) / n,
    p: mcnemarWorse(worse, better),
    rate: n === 0 ? 0 : pairs.filter(({ other }) => isSuccess(other)).length / n,
    design: 1,
  };
}

interface Labelled {
  readonly line: TrialLine;
  readonly isCurrent: boolean;
  score: number;
}

function testSeeds(
  method: string,
  before: readonly TrialLine[],
  after: readonly TrialLine[],
  level: number,
): Tested {
  const all: Labelled[] = [
    ...after.map((line) => ({ line, isCurrent: true, score: 0 })),
    ...before.map((line) => ({ line, isCurrent: false, score: 0 })),
  ];
  let [sum, weight, current, baseline, kept] = [0, 0, 0, 0, 0];
  for (const cell of groupBy(all, ({ line }) => `${line.image} ${line.scenario}`).values()) {
    const counted = cell.filter(({ line }) => isCounted(line));
    const now = counted.filter(({ isCurrent }) => isCurrent).length;
    const then = counted.length - now;
    // A scenario of one run only compares nothing.
    if (now === 0 || then === 0) continue;
    const failures = counted.filter(({ line }) => !isSuccess(line)).length;
    for (const trial of counted) {
      trial.score = (isSuccess(trial.line) ? 0 : 1) - failures / counted.length;
      if (trial.isCurrent) sum += trial.score;
      else if (isSuccess(trial.line)) kept++;
    }
    weight += (now * then) / counted.length;
    current += now;
    baseline += then;
  }
  const blocks = blocksOf(all);
  return {
    ...{ method, test: 'new seeds', baseline, current },
    drop: weight === 0 ? null : sum / weight,
    p: permutationTest(blocks),
    rate: baseline === 0 ? 0 : kept / baseline,
    design: designEffect(all, blocks, level),
  };
}

/**
 * The variance of seeds over that of their trials, had these nothing in common. Null where so few
 * seeds have so few arrangements that the test cannot find anything.
 */
function designEffect(
  all: readonly Labelled[],
  blocks: readonly Block[],
  level: number,
): number | null {
  const leastP = blocks.reduce((p, { scores, labelled }) => p / choose(scores.length, labelled), 1);
  if (leastP > level) return null;
  const squares = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value * value, 0);
  const ofTrials = squares(all.map(({ score }) => score));
  const ofSeeds = squares(blocks.flatMap(({ scores }) => scores));
  return ofTrials === 0 ? 1 : Math.max(1, ofSeeds / ofTrials);
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let at = 1; at <= k; at++) ways = (ways * (n - k + at)) / at;
  return ways;
}

/** Seeds that ran in the same scenarios; a trial that did not count ran as well. */
function blocksOf(all: readonly Labelled[]): Block[] {
  const bySeed = [
    ...groupBy(all, ({ line, isCurrent }) => `${isCurrent} ${line.seed}`).values(),
  ].map((trials) => ({
    design: JSON.stringify(trials.map(({ line }) => `${line.image} ${line.scenario}`).sort()),
    isCurrent: trials[0]!.isCurrent,
    score: trials.reduce((sum, { score }) => sum + score, 0),
  }));
  return [...groupBy(bySeed, ({ design }) => design).values()].map((seeds) => ({
    scores: seeds.map(({ score }) => score),
    labelled: seeds.filter(({ isCurrent }) => isCurrent).length,
  }));
}
