/**
 * What trials came to, counted. Only `complete` is a success: no other class is ever folded into
 * it. What no one can decide, or what never called the method, is left out of rates and shown.
 */

import { type VerdictClass, verdictClasses } from '../trial/verdict-classes.ts';
import type { TrialLine } from './trial-line.ts';

const leftOut: readonly VerdictClass[] = ['not-triggered', 'undecidable'];

/** Classes that a rate is made of. */
export const countedClasses = verdictClasses.filter((name) => !leftOut.includes(name));

export function isCounted({ verdict }: Pick<TrialLine, 'verdict'>): boolean {
  return !leftOut.includes(verdict);
}

export function isSuccess({ verdict }: Pick<TrialLine, 'verdict'>): boolean {
  return verdict === 'complete';
}

export interface Tally {
  /** Trials that count. */
  readonly n: number;
  /** Of these, successes. */
  readonly k: number;
  /** All trials, those that do not count as well. */
  readonly classes: Readonly<Record<VerdictClass, number>>;
}

export function tallyOf(lines: readonly TrialLine[]): Tally {
  const classes = Object.fromEntries(verdictClasses.map((name) => [name, 0])) as Record<
    VerdictClass,
    number
  >;
  for (const { verdict } of lines) classes[verdict]++;
  return { n: lines.filter(isCounted).length, k: classes.complete, classes };
}

/** Lists by a key, in the order in which the keys come first. */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
