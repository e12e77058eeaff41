/** Which trials of two runs are put side by side. */

import { describe, expect, test } from 'vitest';
import { changesOf, growth } from '../../src/compare/changes.ts';
import type { TrialLine } from '../../src/compare/trial-line.ts';
import { trialLine } from './lines.ts';

function run(seeds: readonly number[], verdictOf: (seed: number) => TrialLine['verdict']) {
  return ['irq', 'timer'].flatMap((scenario) =>
    seeds.map((seed) => trialLine({ scenario, point: scenario, seed, verdict: verdictOf(seed) })),
  );
}

const accepted = run([1, 2, 3, 4], () => 'complete');
const counts = (changes: ReturnType<typeof changesOf>) =>
  changes.map(({ method, scenario, before, after }) => [
    ...[method, scenario],
    ...[before.k, before.n, after.k, after.n],
  ]);

describe('the same seeds', () => {
  test('those that count in both runs, and no others', () => {
    const now = run([2, 3, 4, 5], (seed) => {
      if (seed === 2) return 'none';
      return seed === 3 ? 'undecidable' : 'complete';
    });
    expect(counts(changesOf(accepted, now))).toEqual([
      ['kexec', 'irq', 2, 2, 1, 2],
      ['kexec', 'timer', 2, 2, 1, 2],
    ]);
    expect(counts(changesOf(now, accepted))).toEqual([
      ['kexec', 'irq', 1, 2, 2, 2],
      ['kexec', 'timer', 1, 2, 2, 2],
    ]);
  });
});

describe('new seeds', () => {
  test('all that count', () => {
    const now = run([5, 6, 7], (seed) => (seed === 5 ? 'not-triggered' : 'partial'));
    const changes = changesOf(accepted, now);
    expect(counts(changes)).toEqual([
      ['kexec', 'irq', 4, 4, 0, 2],
      ['kexec', 'timer', 4, 4, 0, 2],
    ]);
    expect(changes[0]).toMatchObject({ point: 'irq', crash: 'panic', load: 'idle' });
    expect(growth(changes[0]!)).toBe(-1);
  });
});

test('methods and scenarios of one run only are not there', () => {
  const now = [
    ...accepted.filter(({ scenario }) => scenario === 'irq'),
    trialLine({ method: 'live' }),
    trialLine({ scenario: 'new' }),
  ];
  expect(counts(changesOf(accepted, now))).toEqual([['kexec', 'irq', 4, 4, 4, 4]]);
});
