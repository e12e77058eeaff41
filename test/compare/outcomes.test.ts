/** What counts, how often, and under which mix. */

import { describe, expect, test } from 'vitest';
import { fieldMix, lkdtmMix, scenariosOf, uniformMix } from '../../src/compare/mix.ts';
import { countedClasses, tallyOf } from '../../src/compare/outcomes.ts';
import { TrialSet } from '../../src/compare/trial-set.ts';
import { verdictClasses } from '../../src/trial/verdict-classes.ts';
import { trialLine } from './lines.ts';

describe('results', () => {
  test('a seed that is repeated counts once', () => {
    const line = trialLine();
    const results = new TrialSet([line, trialLine({ seed: 2 }), { ...line }]);
    expect(results.lines.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(results.repeated).toBe(1);
  });
  test('two verdicts of one trial are an error that names both', () => {
    const other = trialLine({ verdict: 'inaccurate', reason: '3 pages differ' });
    expect(() => new TrialSet([trialLine(), other])).toThrowError(
      expect.objectContaining({
        code: 'mismatch',
        message: expect.stringMatching(
          /kexec in panic-idle with seed 1 is both complete .*inaccurate/,
        ),
      }),
    );
  });
  test('only complete is a success; only what was decided counts', () => {
    const lines = verdictClasses.map((verdict, seed) => trialLine({ verdict, seed }));
    const { n, k, classes } = tallyOf(lines);
    expect([n, k]).toEqual([6, 1]);
    expect(Object.values(classes)).toEqual(new Array(8).fill(1));
    expect(countedClasses).not.toContain('undecidable');
    expect(countedClasses).toContain('inaccurate');
  });
});

describe('mixes', () => {
  const scenarios = scenariosOf([
    trialLine({ scenario: 'a', point: 'irq', crash: 'bug', load: 'idle' }),
    trialLine({ scenario: 'b', point: 'irq', crash: 'bug', load: 'disk busy' }),
    trialLine({ scenario: 'c', point: 'irq', crash: 'bug', load: 'disk busy' }),
    trialLine({ scenario: 'd', point: 'timer', crash: 'bug', load: 'idle' }),
    trialLine({ scenario: 'e', point: null, crash: null, load: 'idle' }),
    trialLine({ scenario: 'a', seed: 2 }),
  ]);
  test('uniform: each scenario the same', () => {
    const { weights, leavesOut } = uniformMix(scenarios);
    expect(weights).toEqual({ a: 0.2, b: 0.2, c: 0.2, d: 0.2, e: 0.2 });
    expect(leavesOut).toEqual([]);
  });
  test('lkdtm: each crash point and type the same, then each load, then each scenario', () => {
    const { weights, leavesOut } = lkdtmMix(scenarios);
    expect(weights).toEqual({ a: 0.25, b: 0.125, c: 0.125, d: 0.5 });
    expect(leavesOut).toEqual(['e']);
  });
  test('field: by any axis, in any unit, and says what it leaves out', () => {
    const mix = fieldMix(
      { name: 'fleet', by: 'load', weights: { 'disk busy': 3, idle: 1 } },
      scenarios,
    );
    expect(mix.weights['b']).toBeCloseTo(0.375, 12);
    expect(mix.weights['a']).toBeCloseTo(1 / 12, 12);
    const point = fieldMix(
      { name: 'irqs', by: 'point', weights: { irq: 30, timer: 0 } },
      scenarios,
    );
    expect(point.leavesOut).toEqual(['d', 'e']);
    expect(point.title).toBe('by point: irq 30, timer 0');
    expect(Object.values(point.weights)).toEqual(new Array(3).fill(1 / 3));
  });
  test.each([
    [{ irx: 1 }, /no scenario has point "irx" \(did you mean irq\?\)/],
    [{ null: 1 }, /no scenario has point "null"/],
    [{ irq: -1 }, /the weight of "irq" is -1/],
    [{ irq: Number.NaN }, /is NaN/],
    [{ irq: 0 }, /sum up to 0/],
    [{}, /sum up to 0/],
  ])('field: %o is refused', (weights, message) => {
    expect(() => fieldMix({ name: 'm', by: 'point', weights }, scenarios)).toThrowError(message);
  });
});
