/**
 * What trials came to, counted. Only `complete` is a success: no other class is ever folded into
 * it. What no one can decide, or what never called the method, is left out of rates and shown.
 */

import { DumpError } from '../bytes/errors.ts';
import { type VerdictClass, verdictClasses } from '../trial/verdict-classes.ts';
import { type TrialLine, trialKey } from './trial-line.ts';

/** Trials, each of them once, in the order in which they came. */
export interface Results {
  readonly lines: readonly TrialLine[];
  /** Lines that said the same again. */
  readonly repeated: number;
}

const leftOut: readonly VerdictClass[] = ['not-triggered', 'undecidable'];

/** Classes that a rate is made of. */
export const countedClasses = verdictClasses.filter((name) => !leftOut.includes(name));

export function isCounted({ verdict }: Pick<TrialLine, 'verdict'>): boolean {
  return !leftOut.includes(verdict);
}

export function isSuccess({ verdict }: Pick<TrialLine, 'verdict'>): boolean {
  return verdict === 'complete';
}

/** A key counts once. Throws `mismatch` where two lines of one differ in their verdict. */
export function resultsOf(lines: Iterable<TrialLine>): Results {
  const byKey = new Map<string, TrialLine>();
  let repeated = 0;
  for (const line of lines) {
    const key = trialKey(line);
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, line);
      continue;
    }
    if (known.verdict !== line.verdict) throw contradiction(known, line);
    repeated++;
  }
  return { lines: [...byKey.values()], repeated };
}

function contradiction(one: TrialLine, other: TrialLine): DumpError {
  const { method, scenario, seed } = one;
  const [first, second] = [one, other].map((line) => `${line.verdict} (${line.reason})`);
  return new DumpError(
    'mismatch',
    `${method} in ${scenario} with seed ${seed} is both ${first} and ${second}`,
    { hint: 'same seed, same verdict: the lines are of different builds, images or scenarios' },
  );
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
