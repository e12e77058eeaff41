/**
 * The cluster bootstrap: what is not independent (the trials of a panic image) is drawn together.
 * Percentile intervals of a ratio of sums, by a generator of its own: same seed, same interval.
 */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { quantileSorted } from 'simple-statistics';
import type { Interval } from './wilson.ts';

/** What a cluster adds to both sums of the ratio. */
export interface Cluster {
  readonly part: number;
  readonly whole: number;
}

/** Printed beside the intervals. */
export const bootstrapSeed = 1;
export const bootstrapRepetitions = 2000;

/** Undefined where one cluster says nothing about the difference between clusters. */
export function bootstrap(clusters: readonly Cluster[], level = 0.95): Interval | undefined {
  const count = clusters.length;
  if (count < 2) return undefined;
  const random = xoroshiro128plus(bootstrapSeed);
  const ratios: number[] = [];
  for (let repetition = 0; repetition < bootstrapRepetitions; repetition++) {
    let part = 0;
    let whole = 0;
    for (let draw = 0; draw < count; draw++) {
      const cluster = clusters[uniformInt(random, 0, count - 1)]!;
      part += cluster.part;
      whole += cluster.whole;
    }
    if (whole > 0) ratios.push(part / whole);
  }
  if (ratios.length === 0) return undefined;
  ratios.sort((one, other) => one - other);
  return {
    low: quantileSorted(ratios, (1 - level) / 2),
    high: quantileSorted(ratios, (1 + level) / 2),
  };
}
