/**
 * The accepted run and this one side by side, scenario by scenario, on the trials that the gate
 * compares: the same ones where any ran in both. Nothing is tested here: with new seeds, chance
 * alone changes counts.
 */

import { groupBy, isCounted, tallyOf } from './outcomes.ts';
import type { Rate } from './summary.ts';
import { type TrialLine, trialKey } from './trial-line.ts';

/** A method in a scenario that trials count of in both runs. Plain data. */
export interface ScenarioChange
  extends Pick<TrialLine, 'method' | 'scenario' | 'point' | 'crash' | 'load'> {
  readonly before: Count;
  readonly after: Count;
}

/** Complete dumps, of the trials that count. */
export type Count = Pick<Rate, 'k' | 'n'>;

/** In the order of the current run; lines have unique keys. */
export function changesOf(
  accepted: readonly TrialLine[],
  current: readonly TrialLine[],
): ScenarioChange[] {
  const before = groupBy(accepted, ({ method }) => method);
  return [...groupBy(current, ({ method }) => method)].flatMap(([method, lines]) => {
    return changesOfMethod(before.get(method) ?? [], lines);
  });
}

function changesOfMethod(
  before: readonly TrialLine[],
  after: readonly TrialLine[],
): ScenarioChange[] {
  const [then, now] = compared(before, after);
  const accepted = groupBy(then, ({ scenario }) => scenario);
  return [...groupBy(now, ({ scenario }) => scenario)].flatMap(([scenario, lines]) => {
    const { method, point, crash, load } = lines[0]!;
    const counts = { before: countOf(accepted.get(scenario) ?? []), after: countOf(lines) };
    const isEmpty = counts.before.n === 0 || counts.after.n === 0;
    return isEmpty ? [] : [{ method, scenario, point, crash, load, ...counts }];
  });
}

/** Where any trial ran in both, those that count in both. */
function compared(
  before: readonly TrialLine[],
  after: readonly TrialLine[],
): readonly [readonly TrialLine[], readonly TrialLine[]] {
  const keys = (lines: readonly TrialLine[]) => new Set(lines.map(trialKey));
  const all = keys(before);
  if (!after.some((line) => all.has(trialKey(line)))) return [before, after];
  const counted = keys(before.filter(isCounted));
  const now = after.filter((line) => isCounted(line) && counted.has(trialKey(line)));
  const both = keys(now);
  return [before.filter((line) => both.has(trialKey(line))), now];
}

function countOf(lines: readonly TrialLine[]): Count {
  const { k, n } = tallyOf(lines);
  return { k, n };
}

/** By how much the rate grew. */
export function growth({ before, after }: Pick<ScenarioChange, 'before' | 'after'>): number {
  return after.k / after.n - before.k / before.n;
}
