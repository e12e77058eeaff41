/**
 * A permutation test of scores: how often is the sum of those that carry a label as large, where
 * the labels are dealt out by chance within each block?
 */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** What may be exchanged. */
export interface Block {
  /** Of all its units: those that carry the label, then the others. */
  readonly scores: readonly number[];
  readonly labelled: number;
}

export const permutationSeed = 1;
export const permutations = 20_000;
/** Sums that are equal but for their rounding. */
const slack = 1e-9;

/**
 * One-sided p of a large sum. The observed labels count as one of the permutations (B. Phipson and
 * G. Smyth, 2010), so that p is never zero and the level holds with any number of them.
 */
export function permutationTest(blocks: readonly Block[]): number {
  const random = xoroshiro128plus(permutationSeed);
  const pools = blocks.map(({ scores, labelled }) => ({ scores: [...scores], labelled }));
  const observed = pools.reduce((sum, pool) => sum + firstSum(pool), 0);
  let asLarge = 1;
  for (let repetition = 1; repetition < permutations; repetition++) {
    let sum = 0;
    for (const { scores, labelled } of pools) {
      // As much of a Fisher-Yates shuffle as is looked at; the pool stays a permutation.
      for (let at = 0; at < labelled; at++) {
        const from = uniformInt(random, at, scores.length - 1);
        const drawn = scores[from]!;
        scores[from] = scores[at]!;
        scores[at] = drawn;
        sum += drawn;
      }
    }
    if (sum >= observed - slack) asLarge++;
  }
  return asLarge / permutations;
}

function firstSum({ scores, labelled }: Block): number {
  let sum = 0;
  for (let at = 0; at < labelled; at++) sum += scores[at]!;
  return sum;
}
