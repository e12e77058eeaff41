/** The whole comparison of a small campaign whose figures are known. */

import { describe, expect, test } from 'vitest';
import { fieldMix, scenariosOf, uniformMix } from '../../src/compare/mix.ts';
import { type Summary, summaryOf } from '../../src/compare/summary.ts';
import type { TrialLine } from '../../src/compare/trial-line.ts';
import { TrialSet } from '../../src/compare/trial-set.ts';
import { failedAt, trialLine } from './lines.ts';

const scenarios = [
  { scenario: 'irq-idle', image: 'irq', point: 'irq', load: 'idle' },
  { scenario: 'timer-busy', image: 'timer', point: 'timer', load: 'disk busy' },
] as const;

function campaign(outcome: (line: TrialLine) => Partial<TrialLine>): TrialLine[] {
  const methods = ['kexec', 'lkcd-disk', 'lkcd-disk:2003', 'hypervisor', 'live'];
  return methods.flatMap((method) =>
    scenarios.flatMap((scenario) =>
      [1, 2, 3, 4].map((seed) => {
        const line = trialLine({ method, ...scenario, seed, dumpNs: seed * 1e9 });
        return { ...line, ...outcome(line) };
      }),
    ),
  );
}

const lines = campaign(({ method, scenario, seed }) => {
  if (method.startsWith('lkcd-disk') && scenario === 'timer-busy') {
    if (method === 'lkcd-disk' && seed === 4) return { verdict: 'undecidable' };
    return seed < 3 ? failedAt('write', 'hang', 'hctx->lock') : failedAt('freeze', 'hang', 'CPU 1');
  }
  if (method === 'lkcd-disk:2003' && seed === 1) return { verdict: 'inaccurate' };
  return {};
});
const mixes = (all: readonly TrialLine[]) => {
  const facts = scenariosOf(all);
  const weights = { idle: 9, 'disk busy': 1 };
  return [uniformMix(facts), fieldMix({ name: 'fleet', by: 'load', weights }, facts)];
};
const summary = summaryOf(new TrialSet(lines), mixes(lines));

function methodNamed(name: string, from: Summary = summary) {
  return from.methods.find(({ method }) => method === name)!;
}

describe('methods', () => {
  test('n and k without what was not decided, which stays in sight', () => {
    const { n, k, classes } = methodNamed('lkcd-disk');
    expect([n, k]).toEqual([7, 4]);
    expect(classes).toMatchObject({ complete: 4, none: 3, undecidable: 1 });
    expect(methodNamed('lkcd-disk:2003').classes).toMatchObject({ complete: 3, inaccurate: 1 });
  });
  test('a rate under each mix, as far as the mix is covered', () => {
    expect(methodNamed('lkcd-disk').mixes).toMatchObject([
      { mix: 'uniform', rate: 0.5, covered: 1 },
      { mix: 'fleet', rate: 0.9, covered: 1 },
    ]);
    // Two images: one of them twice is the widest that can be drawn.
    expect(methodNamed('lkcd-disk').mixes[0]!.interval).toEqual({ low: 0, high: 1 });
    expect(methodNamed('kexec').mixes[1]).toMatchObject({ rate: 1, interval: { low: 1, high: 1 } });
  });
  test('scenarios without a trial that counts are no part of a rate, and the cover says so', () => {
    const some = lines.map((line): TrialLine => {
      return line.scenario === 'timer-busy' ? { ...line, verdict: 'not-triggered' } : line;
    });
    const { mixes: rates } = methodNamed('kexec', summaryOf(new TrialSet(some), mixes(some)));
    expect(rates[1]).toMatchObject({ rate: 1, interval: null });
    expect(rates[1]!.covered).toBeCloseTo(0.9, 12);
  });
  test('causes: the most frequent first, with a trial to run again', () => {
    const { causes } = methodNamed('lkcd-disk');
    expect(causes.map(({ stage, object, kind, count }) => [stage, object, kind, count])).toEqual([
      ['write', 'hctx->lock', 'hang', 2],
      ['freeze', 'CPU 1', 'hang', 1],
    ]);
    expect(causes[0]!.example).toMatchObject({ scenario: 'timer-busy', seed: 1 });
    expect(methodNamed('lkcd-disk:2003').causes.at(-1)).toMatchObject({
      ...{ stage: null, verdict: 'inaccurate' },
    });
    expect(methodNamed('kexec').causes).toEqual([]);
  });
  test('quantiles of complete runs only', () => {
    // numpy.quantile([1, 2, 3, 4], [.05, .25, .5, .75, .95])
    const seconds = methodNamed('lkcd-disk').dumpNs!.map((ns) => (ns / 1e9).toFixed(2));
    expect(seconds).toEqual(['1.15', '1.75', '2.50', '3.25', '3.85']);
    expect(methodNamed('lkcd-disk').bytes).toEqual(new Array(5).fill(4096));
  });
  test('of none complete there are none', () => {
    const none = [trialLine({ verdict: 'partial' })];
    const [method] = summaryOf(new TrialSet(none), []).methods;
    expect(method).toMatchObject({ dumpNs: null, bytes: null, slowest: [] });
  });
});

test('cells and strata: k of n each', () => {
  const cell = summary.cells.find(
    ({ method, scenario }) => method === 'lkcd-disk' && scenario === 'timer-busy',
  )!;
  expect(cell).toMatchObject({ k: 0, n: 3, interval: { low: 0 } });
  const strata = summary.strata.filter(({ method }) => method === 'lkcd-disk');
  expect(strata.map(({ by, value, k, n }) => [by, value, k, n])).toEqual([
    ['point', 'irq', 4, 4],
    ['point', 'timer', 0, 3],
    ['crash', 'panic', 4, 7],
    ['load', 'idle', 4, 4],
    ['load', 'disk busy', 0, 3],
  ]);
});

describe('pairs', () => {
  const { pairs, cochran } = summary.comparison;
  test('methods after the panic only, on what counts for both', () => {
    expect(pairs.map(({ first, second, n, onlyFirst, onlySecond }) => [
      first, second, n, onlyFirst, onlySecond,
    ])).toEqual([
      ['kexec', 'lkcd-disk', 7, 3, 0],
      ['kexec', 'lkcd-disk:2003', 8, 5, 0],
      ['lkcd-disk', 'lkcd-disk:2003', 7, 1, 0],
    ]); // biome-ignore format: a table
    expect(summary.methods.map(({ moment }) => moment)).toContain('before the panic');
  });
  test('exact p, and its correction over the pairs', () => {
    expect(pairs[1]!.p).toBeCloseTo(0.0625, 9);
    expect(pairs[1]!.holm).toBeCloseTo(0.1875, 9);
    expect(cochran).toMatchObject({ n: 7, degrees: 2, blocks: 4 });
  });
  test('one method has nothing to be compared with', () => {
    const one = summaryOf(new TrialSet([trialLine()]), []);
    expect(one.comparison).toEqual({ cochran: null, pairs: [] });
  });
});

test('it is plain data', () => {
  expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
});
