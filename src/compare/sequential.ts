/**
 * Stopping a campaign once every rate is known well enough. The intervals hold at all times at
 * once, so that looking after each seed, and stopping by what is seen, costs no confidence.
 */

import type { Campaign } from './campaign.ts';
import { groupBy, isCounted, isSuccess } from './outcomes.ts';
import { ConfidenceSequence } from './statistics/confidence-sequence.ts';
import type { Interval } from './statistics/wilson.ts';
import type { TrialLine } from './trial-line.ts';

/** Plain data. */
export interface Sequential {
  /** What was asked for, of the rate with each scenario the same. */
  readonly width: number;
  readonly methods: readonly {
    readonly method: string;
    /** Seeds that say something of it. */
    readonly seeds: number;
    readonly interval: Interval;
  }[];
  /** All are as narrow as asked for. */
  readonly isReached: boolean;
}

/**
 * After the seeds that ran in every scenario: in their order, whatever order trials came in. A seed
 * is one observation of a method: the share of its scenarios that were a success.
 */
export function sequentialOf(
  { methods, scenarios, seeds }: Pick<Campaign, 'methods' | 'scenarios' | 'seeds'>,
  width: number,
  lines: readonly TrialLine[],
): Sequential {
  const bySeed = groupBy(lines, ({ seed }) => seed);
  const trialsOfSeed = methods.length * scenarios.length;
  const sequences = new Map(methods.map((method) => [method, new ConfidenceSequence()]));
  for (let seed = seeds.first; bySeed.get(seed)?.length === trialsOfSeed; seed++) {
    for (const [method, trials] of groupBy(bySeed.get(seed)!, (line) => line.method)) {
      const counted = trials.filter(isCounted);
      if (counted.length === 0) continue;
      sequences.get(method)!.add(counted.filter(isSuccess).length / counted.length);
    }
  }
  const states = methods.map((method) => {
    const { count, interval } = sequences.get(method)!;
    return { method, seeds: count, interval };
  });
  const isReached = states.every(({ interval: { low, high } }) => high - low <= width);
  return { width, methods: states, isReached };
}
