/**
 * Methods against each other, on the scenarios and seeds of both: Cochran's Q over all that every
 * method has an outcome of, then exact McNemar tests of pairs, corrected by Holm.
 */

import { groupBy, isCounted, isSuccess } from './outcomes.ts';
import { type CochranQ, cochranQ } from './statistics/cochran-q.ts';
import { holm } from './statistics/holm.ts';
import { mcnemar } from './statistics/mcnemar.ts';
import type { TrialLine } from './trial-line.ts';

export interface Pair {
  readonly first: string;
  readonly second: string;
  /** Scenarios and seeds that count for both. */
  readonly n: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly p: number;
  /** Over all pairs. */
  readonly holm: number;
}

export interface Comparison {
  /** Null for fewer than two methods. Of the scenarios and seeds that count for all. */
  readonly cochran: (CochranQ & { readonly n: number }) | null;
  readonly pairs: readonly Pair[];
}

export function comparisonOf(lines: readonly TrialLine[]): Comparison {
  const methods = [...groupBy(lines, ({ method }) => method).keys()];
  const at = new Map(methods.map((method, index) => [method, index]));
  const blocks = [...groupBy(lines.filter(isCounted), blockOf).values()].map((block) => {
    const outcomes = new Array<boolean | undefined>(methods.length).fill(undefined);
    for (const line of block) outcomes[at.get(line.method)!] = isSuccess(line);
    return outcomes;
  });
  const whole = blocks.filter((block) => block.every((outcome) => outcome !== undefined));
  const bare = methods.flatMap((first, one) =>
    methods.slice(one + 1).map((second, offset) => {
      return { first, second, ...pairOf(blocks, one, one + 1 + offset) };
    }),
  );
  const adjusted = holm(bare.map(({ p }) => p));
  return {
    cochran: methods.length < 2 ? null : { n: whole.length, ...cochranQ(whole) },
    pairs: bare.map((pair, index) => ({ ...pair, holm: adjusted[index]! })),
  };
}

function blockOf({ scenario, seed }: TrialLine): string {
  return `${scenario} ${seed}`;
}

function pairOf(
  blocks: readonly (readonly (boolean | undefined)[])[],
  one: number,
  other: number,
): Pick<Pair, 'n' | 'onlyFirst' | 'onlySecond' | 'p'> {
  let n = 0;
  let onlyFirst = 0;
  let onlySecond = 0;
  for (const block of blocks) {
    const [first, second] = [block[one], block[other]];
    if (first === undefined || second === undefined) continue;
    n++;
    if (first && !second) onlyFirst++;
    if (second && !first) onlySecond++;
  }
  return { n, onlyFirst, onlySecond, p: mcnemar(onlyFirst, onlySecond) };
}
