/** Gates: bounds on rates, and the comparison with an accepted run. */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, test } from 'vitest';
import { baselineGate } from '../../src/compare/gate.ts';
import { tallyOf } from '../../src/compare/outcomes.ts';
import { checkRequirement, parseRequirements } from '../../src/compare/requirement.ts';
import { trialsNeeded } from '../../src/compare/statistics/power.ts';
import type { TrialLine } from '../../src/compare/trial-line.ts';
import { trialLine } from './lines.ts';

describe('requirements', () => {
  test('several, with commas or `and`; the usual generation has no name', () => {
    const parsed = parseRequirements(
      'mkdump:1.0.complete >= 0.95 and kexec:2004.none<.1,live.partial > 0',
    );
    expect(parsed).toEqual([
      { method: 'mkdump', verdict: 'complete', operator: '>=', bound: 0.95 },
      { method: 'kexec:2004', verdict: 'none', operator: '<', bound: 0.1 },
      { method: 'live', verdict: 'partial', operator: '>', bound: 0 },
    ]);
  });
  test.each([
    ['mkdump', /"mkdump" is no METHOD.CLASS/],
    ['mkdmp.complete >= 0.9', /unknown dump method "mkdmp"/],
    ['kexec.complet >= 0.9', /class "complet" \(did you mean complete\?\)/],
    ['kexec.undecidable < 0.9', /no rate is made of class "undecidable"/],
    ['kexec.complete >= 95', /"95" is no share/],
    ['kexec.complete >= 0.9,', /"" is no METHOD/],
  ])('%s is refused', (text, message) => {
    expect(() => parseRequirements(text)).toThrowError(message);
  });
  test('the worse end of the interval has to keep the bound', () => {
    const lines = Array.from({ length: 45 }, (_, seed) => trialLine({ seed }));
    const methods = [{ method: 'kexec', ...tallyOf(lines) }];
    const isMet = (text: string) => checkRequirement(parseRequirements(text)[0]!, methods).isMet;
    expect(isMet('kexec.complete >= 0.92')).toBe(true);
    expect(isMet('kexec.complete >= 0.95')).toBe(false);
    expect(isMet('kexec.none <= 0.05')).toBe(false);
    expect(isMet('mkdump.complete > 0')).toBe(false);
  });
});

/** Six images with rates of their own; trials of a seed share some of their luck. */
function campaign(chance: () => number, firstSeed: number, seeds: number, drop: number) {
  const lines: TrialLine[] = [];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const common = chance();
    for (let image = 0; image < 6; image++) {
      const luck = image % 2 === 0 ? common : chance();
      const verdict = luck < 0.6 + image * 0.06 - drop ? 'complete' : 'none';
      lines.push(trialLine({ seed, verdict, image: `i${image}`, scenario: `s${image}` }));
    }
  }
  return lines;
}

function chances(seed: number): () => number {
  const random = xoroshiro128plus(seed);
  return () => uniformInt(random, 0, 2 ** 30 - 1) / 2 ** 30;
}

function flags(drop: number, seeds: number, repetitions: number): number {
  const chance = chances(5);
  let flagged = 0;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const accepted = campaign(chance, 0, seeds, 0);
    const [gate] = baselineGate(accepted, campaign(chance, 1000, seeds, drop));
    if (gate!.isWorse) flagged++;
  }
  return flagged;
}

describe('baseline, new seeds', () => {
  test('an unchanged process is not flagged more often than the level, in 200 repetitions', () => {
    // 5 % of 200, and two standard deviations.
    expect(flags(0, 20, 200)).toBeLessThanOrEqual(16);
  });
  test('a planted drop is found by about as many seeds as the power says', () => {
    // Even images share their luck: three trials of a seed are worth little more than one.
    const trials = trialsNeeded(0.75, 0.55, { level: 0.05, power: 0.8 });
    expect(flags(0.2, Math.ceil(trials / 3), 60)).toBeGreaterThanOrEqual(42);
  });
  test('seeds with luck in common find less than as many independent trials', () => {
    const chance = chances(9);
    const run = (first: number) => campaign(chance, first, 60, 0);
    const [gate] = baselineGate(run(0), run(1000));
    const needed = trialsNeeded(0.75, 0.75 - gate!.finds!, { level: 0.05, power: 0.8 });
    expect(needed).toBeLessThan(360 / 1.3);
    expect(needed).toBeGreaterThan(360 / 3.5);
  });
  test('scenarios of one run only, and too few seeds, find nothing', () => {
    const [other] = baselineGate([trialLine({ scenario: 'a' })], [trialLine({ scenario: 'b' })]);
    expect(other).toMatchObject({ drop: null, p: 1, isWorse: false, finds: null });
    const [few] = baselineGate([trialLine()], [trialLine({ seed: 2, verdict: 'none' })]);
    expect(few).toMatchObject({ test: 'new seeds', drop: 1, isWorse: false, finds: null });
    // A hundred scenarios of one seed are one draw of luck.
    const scenarios = Array.from({ length: 100 }, (_, at) => `s${at}`);
    const run = (seed: number, verdict: TrialLine['verdict']) =>
      scenarios.map((scenario) => trialLine({ scenario, seed, verdict }));
    const [one] = baselineGate(run(1, 'complete'), run(2, 'none'));
    expect(one).toMatchObject({ drop: 1, isWorse: false, finds: null });
  });
});

describe('baseline, same seeds', () => {
  const accepted = Array.from({ length: 20 }, (_, seed) => trialLine({ seed }));
  const worse = (count: number) =>
    accepted.map((line, at): TrialLine => (at < count ? { ...line, verdict: 'none' } : line));
  test('nothing differs: nothing is found, whatever fails', () => {
    expect(baselineGate(worse(9), worse(9))[0]).toMatchObject({ p: 1, drop: 0, isWorse: false });
  });
  test('five pairs that got worse are needed of one method, and it says what it finds', () => {
    expect(baselineGate(accepted, worse(4))[0]!.isWorse).toBe(false);
    const [gate] = baselineGate(accepted, worse(5));
    expect(gate).toMatchObject({ test: 'same seeds', current: 20, drop: 0.25, isWorse: true });
    // P(at least 5 of 20) is 0.8 at about 0.32.
    expect(gate!.finds).toBeGreaterThan(0.25);
    expect(gate!.finds).toBeLessThan(0.35);
  });
  test('more methods need more', () => {
    const also = accepted.map((line) => ({ ...line, method: 'mkdump' }));
    const gates = baselineGate([...accepted, ...also], [...worse(5), ...also]);
    expect(gates.map(({ isWorse }) => isWorse)).toEqual([false, false]);
  });
  test('what got better is no regression', () => {
    expect(baselineGate(worse(9), accepted)[0]).toMatchObject({ drop: -0.45, isWorse: false });
  });
});
