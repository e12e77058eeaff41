/**
 * How many trials show a difference, and which difference given trials would have shown: by the
 * normal approximations of J. L. Fleiss, "Statistical Methods for Rates and Proportions", of
 * J. Connor, Biometrics 43 (1987), and for pairs of a gate exactly.
 */

import { binomialTail, normalQuantile } from './distributions.ts';
import { mcnemarWorse } from './mcnemar.ts';

/** Of a test: the level is split over its sides by the caller. */
export interface Aim {
  /** One-sided. */
  readonly level: number;
  readonly power: number;
}

/** What the literature sizes its studies for. */
export const usualAim: Aim = { level: 0.025, power: 0.8 };

/** Pairs needed where the shares `worse` and `better` of all pairs differ. */
export function pairsNeeded(worse: number, better: number, aim = usualAim): number {
  const both = worse + better;
  const drop = Math.abs(worse - better);
  const reach =
    normalQuantile(1 - aim.level) * Math.sqrt(both) +
    normalQuantile(aim.power) * Math.sqrt(both - drop * drop);
  return Math.ceil((reach / drop) ** 2);
}

/** Trials of each side needed to tell two rates apart that have nothing in common. */
export function trialsNeeded(rate: number, other: number, aim = usualAim): number {
  return Math.ceil(1 / smallerShare(rate, other, aim));
}

/**
 * The smallest drop that the exact test of pairs finds, where nothing gets better meanwhile.
 * Undefined: none, not even all of them failing.
 */
export function pairedDrop(pairs: number, aim: Aim): number | undefined {
  let needed = 1;
  while (mcnemarWorse(needed, 0) > aim.level) needed++;
  if (needed > pairs) return undefined;
  return leastOf(1, (drop) => binomialTail(needed, pairs, drop) >= aim.power);
}

/** The smallest drop from `rate` that two samples find. Undefined: none. */
export function unpairedDrop(
  rate: number,
  trials: number,
  baseline: number,
  aim: Aim,
): number | undefined {
  if (trials === 0 || baseline === 0 || rate <= 0) return undefined;
  // Both samples as if they were of their harmonic mean's size.
  const share = (1 / trials + 1 / baseline) / 2;
  const isFound = (drop: number): boolean => smallerShare(rate, rate - drop, aim) >= share;
  return isFound(rate) ? leastOf(rate, isFound) : undefined;
}

/** One by the number of trials that is just enough. */
function smallerShare(rate: number, other: number, { level, power }: Aim): number {
  const mean = (rate + other) / 2;
  const reach =
    normalQuantile(1 - level) * Math.sqrt(2 * mean * (1 - mean)) +
    normalQuantile(power) * Math.sqrt(rate * (1 - rate) + other * (1 - other));
  return ((rate - other) / reach) ** 2;
}

/** Where `holds` begins to, between 0 and `most`. */
function leastOf(most: number, holds: (value: number) => boolean): number {
  let low = 0;
  let high = most;
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
