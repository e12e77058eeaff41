/**
 * McNemar's test of paired outcomes, exact: only pairs that differ say anything, and where nothing
 * separates the two, each of these is the toss of a fair coin.
 */

import { binomialTail } from './distributions.ts';

/** Two-sided p of pairs in which only the one and only the other succeeded. */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const more = Math.max(onlyFirst, onlySecond);
  return Math.min(1, 2 * mcnemarWorse(more, onlyFirst + onlySecond - more));
}

/** One-sided p: small where more pairs got worse than chance explains. */
export function mcnemarWorse(worse: number, better: number): number {
  return binomialTail(worse, worse + better, 0.5);
}
