/**
 * Tails and quantiles of the few distributions that the tests here need, by jStat, which has no
 * types of its own. Good for six digits: where its continued fractions stop.
 */

// @ts-expect-error: no types
import jstat from 'jstat';

interface Distributions {
  readonly normal: { inv(p: number, mean: number, deviation: number): number };
  readonly chisquare: { cdf(x: number, degrees: number): number };
  readonly beta: { cdf(x: number, alpha: number, beta: number): number };
}

const { normal, chisquare, beta }: Distributions = jstat;

/** Of the standard normal distribution. */
export function normalQuantile(p: number): number {
  return normal.inv(p, 0, 1);
}

/** P(X >= x) of chi-squared. */
export function chiSquareTail(x: number, degrees: number): number {
  return x <= 0 ? 1 : 1 - chisquare.cdf(x, degrees);
}

/** P(X >= k) of n draws that succeed with p each: as a beta integral, so that k may be large. */
export function binomialTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  return p >= 1 ? 1 : beta.cdf(p, k, n - k + 1);
}
