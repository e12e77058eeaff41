/** Why trials of a method failed, the most frequent cause first, and what complete ones cost. */

import { quantile } from 'simple-statistics';
import { groupBy, isCounted, isSuccess } from './outcomes.ts';
import type { TrialLine } from './trial-line.ts';

export interface Cause {
  /** Null: all stages were gone through, and the dump is not what it should be. */
  readonly stage: string | null;
  readonly object: string | null;
  readonly kind: string | null;
  readonly verdict: TrialLine['verdict'];
  readonly count: number;
  /** A trial to run again. */
  readonly example: TrialLine;
}

export const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/** How many slow trials are named. */
const slowest = 3;

/** In the order of `quantiles`. */
export type Quantiles = readonly number[];

export function causesOf(trials: readonly TrialLine[]): Cause[] {
  const failures = trials.filter((line) => isCounted(line) && !isSuccess(line));
  const groups = groupBy(failures, ({ failed, verdict }) =>
    JSON.stringify([failed?.stage, failed?.object, failed?.kind, verdict]),
  );
  return [...groups.values()]
    .map((group) => {
      const [example] = group;
      const { failed, verdict } = example!;
      return {
        stage: failed?.stage ?? null,
        object: failed?.object ?? null,
        kind: failed?.kind ?? null,
        verdict,
        count: group.length,
        example: example!,
      };
    })
    .sort((one, other) => other.count - one.count);
}

/** Complete trials that took longest, of different scenarios. */
export function slowestOf(trials: readonly TrialLine[]): TrialLine[] {
  const complete = trials.filter(isSuccess).sort((one, other) => other.dumpNs - one.dumpNs);
  const ofScenarios = groupBy(complete, ({ scenario }) => scenario).values();
  return [...ofScenarios].slice(0, slowest).map(([first]) => first!);
}

/** Null where no run was complete. */
export function costsOf(trials: readonly TrialLine[]): {
  readonly dumpNs: Quantiles | null;
  readonly bytes: Quantiles | null;
} {
  const complete = trials.filter(isSuccess);
  const bytes = complete.flatMap((line) => (line.bytes === null ? [] : [line.bytes]));
  return { dumpNs: quantilesOf(complete.map(({ dumpNs }) => dumpNs)), bytes: quantilesOf(bytes) };
}

function quantilesOf(values: readonly number[]): Quantiles | null {
  if (values.length === 0) return null;
  return quantiles.map((p) => quantile([...values], p));
}
