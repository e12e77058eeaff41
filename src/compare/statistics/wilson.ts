/**
 * Wilson's score interval of a share: E. B. Wilson, JASA 22 (1927). Unlike the usual one of mean
 * and deviation it says something where all or none succeeded.
 */

import { normalQuantile } from './distributions.ts';

/** Both ends belong to it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Of k successes in n; of none at all: everything is possible. */
export function wilson(k: number, n: number, level = 0.95): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const z = normalQuantile((1 + level) / 2);
  const share = k / n;
  const centre = share + (z * z) / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return {
    low: k === 0 ? 0 : (centre - reach) / scale,
    high: k === n ? 1 : (centre + reach) / scale,
  };
}
