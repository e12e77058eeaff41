/**
 * The statistics of comparisons against published values, against scipy 1.x's, and against second
 * formulas and simulation.
 */

import fc from 'fast-check';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, test } from 'vitest';
import { bootstrap } from '../../src/compare/statistics/bootstrap.ts';
import { cochranQ } from '../../src/compare/statistics/cochran-q.ts';
import { ConfidenceSequence } from '../../src/compare/statistics/confidence-sequence.ts';
import {
  binomialTail,
  chiSquareTail,
  normalQuantile,
} from '../../src/compare/statistics/distributions.ts';
import { holm } from '../../src/compare/statistics/holm.ts';
import { mcnemar, mcnemarWorse } from '../../src/compare/statistics/mcnemar.ts';
import { permutations, permutationTest } from '../../src/compare/statistics/permutation.ts';
import {
  pairedDrop,
  pairsNeeded,
  trialsNeeded,
  unpairedDrop,
} from '../../src/compare/statistics/power.ts';
import { wilson } from '../../src/compare/statistics/wilson.ts';

/** A number in [0, 1) of a generator with a fixed seed. */
function chances(seed: number): () => number {
  const random = xoroshiro128plus(seed);
  return () => uniformInt(random, 0, 2 ** 30 - 1) / 2 ** 30;
}

describe('distributions', () => {
  test("tails and quantiles are scipy's", () => {
    // norm.ppf(.975), chi2.sf(7.6, 3), binom.sf(387, 400, .95), binom.sf(549, 1000, .5)
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 9);
    expect(chiSquareTail(7.6, 3)).toBeCloseTo(0.055043936378878076, 9);
    expect(binomialTail(388, 400, 0.95)).toBeCloseTo(0.0355059041776179, 9);
    expect(binomialTail(550, 1000, 0.5)).toBeCloseTo(0.0008652680424881513, 9);
  });
  test('a binomial tail is the sum of its terms', () => {
    const half = (k: number, n: number): number => {
      let term = 0.5 ** n;
      let sum = 0;
      for (let at = 0; at <= n; at++) {
        if (at >= k) sum += term;
        term = (term * (n - at)) / (at + 1);
      }
      return sum;
    };
    const draws = fc.nat(60).chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(draws, ([k, n]) => {
        // As far as jStat's continued fraction goes.
        expect(binomialTail(k, n, 0.5)).toBeCloseTo(half(k, n), 6);
      }),
    );
  });
});

describe('Wilson', () => {
  test.each([
    [24, 24, 0.862024, 1],
    [40, 40, 0.9124, 1],
    [388, 400, 0.948301, 0.982757],
    [95, 100, 0.88825, 0.978456],
    [0, 40, 0, 0.087622],
  ])('%i of %i', (k, n, low, high) => {
    expect(wilson(k, n).low).toBeCloseTo(low, 4);
    expect(wilson(k, n).high).toBeCloseTo(high, 4);
  });
  test('no trial leaves everything possible', () => {
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });
  test('its ends solve the score equation, and successes mirror failures', () => {
    const counts = fc.integer({ min: 1, max: 5000 }).chain((n) => {
      return fc.tuple(fc.integer({ min: 1, max: n }), fc.constant(n));
    });
    fc.assert(
      fc.property(counts, ([k, n]) => {
        const { low, high } = wilson(k, n);
        expect(low).toBeLessThanOrEqual(k / n);
        expect(high).toBeGreaterThanOrEqual(k / n);
        expect(Math.abs(k / n - low)).toBeCloseTo(
          1.959963984540054 * Math.sqrt((low * (1 - low)) / n),
          7,
        );
        expect(wilson(n - k, n).high).toBeCloseTo(1 - low, 9);
      }),
    );
  });
});

describe('McNemar', () => {
  test.each([
    [5, 0, 0.0625],
    [6, 0, 0.03125],
    [8, 1, 0.0390625],
    [10, 2, 0.03857421875],
    [15, 5, 0.041389465],
    [20, 10, 0.098737147],
    [0, 0, 1],
    [4, 4, 1],
  ])('%i against %i, whichever is first', (one, other, p) => {
    expect(mcnemar(one, other)).toBeCloseTo(p, 8);
    expect(mcnemar(other, one)).toBeCloseTo(p, 8);
  });
  test('one-sided: what got better is no reason to worry', () => {
    expect(mcnemarWorse(5, 0)).toBeCloseTo(1 / 32, 9);
    expect(mcnemarWorse(0, 5)).toBe(1);
  });
});

test("Holm: the example of R's p.adjust, in the order given", () => {
  const adjusted = holm([0.01, 0.04, 0.03, 0.005]);
  expect(adjusted.map((p) => p.toFixed(3))).toEqual(['0.030', '0.060', '0.060', '0.020']);
  expect(holm([])).toEqual([]);
});

test('Holm: never below the given p, never above 1, in the same order', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (ps) => {
      const adjusted = holm(ps);
      ps.forEach((p, at) => {
        expect(adjusted[at]).toBeGreaterThanOrEqual(p);
        expect(adjusted[at]).toBeLessThanOrEqual(1);
        ps.forEach((other, from) => {
          if (other < p) expect(adjusted[from]).toBeLessThanOrEqual(adjusted[at]!);
        });
      });
    }),
  );
});

describe("Cochran's Q", () => {
  test('of two methods it is the chi-squared of McNemar', () => {
    const blocks = [
      ...new Array(15).fill([true, false]),
      ...new Array(5).fill([false, true]),
      ...new Array(30).fill([true, true]),
    ];
    expect(cochranQ(blocks)).toMatchObject({ q: 5, degrees: 1, blocks: 20 });
    expect(cochranQ(blocks).p).toBeCloseTo(0.0253473, 6);
  });
  test('of three methods, by hand', () => {
    // Columns 4, 2, 0; rows 2, 2, 1, 1: Q = 2 (3 * 20 - 36) / (3 * 6 - 10) = 6, p = exp(-3).
    const blocks = [
      [true, true, false],
      [true, true, false],
      [true, false, false],
      [true, false, false],
    ];
    expect(cochranQ(blocks).q).toBeCloseTo(6, 9);
    expect(cochranQ(blocks).p).toBeCloseTo(Math.exp(-3), 9);
  });
  test('where all agree nothing differs', () => {
    expect(cochranQ([[true, true]])).toEqual({ q: 0, degrees: 1, p: 1, blocks: 0 });
    expect(cochranQ([])).toMatchObject({ p: 1 });
  });
});

describe('bootstrap by cluster', () => {
  test('one cluster has no interval', () => {
    expect(bootstrap([{ part: 5, whole: 10 }])).toBeUndefined();
  });
  test('clusters that are all alike leave no room, clusters that differ do', () => {
    const alike = new Array(8).fill({ part: 9, whole: 10 });
    expect(bootstrap(alike)).toEqual({ low: 0.9, high: 0.9 });
    const unlike = alike.map((_, at) => ({ part: at < 4 ? 10 : 0, whole: 10 }));
    const { low, high } = bootstrap(unlike)!;
    expect(low).toBeLessThan(0.25);
    expect(high).toBeGreaterThan(0.75);
  });
  test('holds the true rate of clusters with effects of their own, about as often as it says', () => {
    const chance = chances(3);
    let held = 0;
    for (let repetition = 0; repetition < 100; repetition++) {
      const clusters = Array.from({ length: 30 }, () => {
        const rate = 0.4 + 0.4 * chance();
        const part = Array.from({ length: 10 }, () => chance() < rate).filter(Boolean).length;
        return { part, whole: 10 };
      });
      const { low, high } = bootstrap(clusters)!;
      if (low <= 0.6 && 0.6 <= high) held++;
    }
    expect(held).toBeGreaterThanOrEqual(88);
  });
});

describe('confidence sequence', () => {
  /** The mean of ten scenarios that share half of their luck. */
  const observation = (chance: () => number, rate: number): number => {
    const common = chance() < rate ? 1 : 0;
    let sum = 0;
    for (let at = 0; at < 5; at++) sum += chance() < rate ? 1 : 0;
    return common / 2 + sum / 10;
  };
  test.each([0.5, 0.9, 0.99])(
    'rate %f: stopping whenever one likes misses it no more often than stated',
    (rate) => {
      const chance = chances(11);
      let missed = 0;
      for (let repetition = 0; repetition < 300; repetition++) {
        const sequence = new ConfidenceSequence();
        let isMissed = false;
        for (let seed = 0; seed < 300; seed++) {
          sequence.add(observation(chance, rate));
          const { low, high } = sequence.interval;
          // The worst stop: as soon as the interval is wrong, if it ever is.
          if (low > rate || high < rate) isMissed = true;
        }
        if (isMissed) missed++;
      }
      expect(missed).toBeLessThanOrEqual(15);
    },
  );
  test('an interval that looks at each seed with a level of 5 % would miss it far more often', () => {
    const chance = chances(11);
    let missed = 0;
    for (let repetition = 0; repetition < 100; repetition++) {
      let k = 0;
      let isMissed = false;
      for (let n = 1; n <= 300; n++) {
        if (chance() < 0.5) k++;
        const { low, high } = wilson(k, n);
        if (low > 0.5 || high < 0.5) isMissed = true;
      }
      if (isMissed) missed++;
    }
    expect(missed).toBeGreaterThan(25);
  });
  test('only gets narrower; what hardly varies is known sooner than what does', () => {
    const steady = new ConfidenceSequence();
    const wild = new ConfidenceSequence();
    let before = 1;
    for (let seed = 0; seed < 2000; seed++) {
      steady.add(0.9);
      wild.add(seed % 10 === 0 ? 0 : 1);
      const width = steady.interval.high - steady.interval.low;
      expect(width).toBeLessThanOrEqual(before);
      before = width;
    }
    expect(before).toBeLessThan(0.02);
    expect(wild.interval.high - wild.interval.low).toBeGreaterThan(2 * before);
    expect(steady.count).toBe(2000);
  });
});

describe('power', () => {
  test('published sizes of studies', () => {
    expect(trialsNeeded(0.95, 0.9)).toBe(435);
    expect(pairsNeeded(0.05, 0)).toBe(155);
    expect(pairsNeeded(0.06, 0.01)).toBe(218);
    expect(pairsNeeded(0.1, 0.05)).toBe(469);
  });
  test('the smallest drop is the one that those sizes are for', () => {
    const aim = { level: 0.025, power: 0.8 };
    expect(unpairedDrop(0.95, 435, 435, aim)).toBeCloseTo(0.05, 3);
    expect(pairedDrop(155, aim)).toBeLessThan(0.055);
    // Six pairs have to differ; of six, all.
    expect(pairedDrop(6, aim)).toBeCloseTo(0.8 ** (1 / 6), 6);
    expect(pairedDrop(5, aim)).toBeUndefined();
    expect(unpairedDrop(0.95, 2, 2, aim)).toBeUndefined();
  });
});

describe('permutation test', () => {
  test('all labels on the largest scores: one arrangement of C(6, 3)', () => {
    const p = permutationTest([{ scores: [1, 1, 1, 0, 0, 0], labelled: 3 }]);
    expect(Math.abs(p - 1 / 20)).toBeLessThan(4 * Math.sqrt(0.05 / permutations));
  });
  test('labels stay within their block', () => {
    // Between blocks the scores differ much, within them not at all.
    const blocks = [
      { scores: [9, 9, 9], labelled: 2 },
      { scores: [1, 1, 1], labelled: 1 },
    ];
    expect(permutationTest(blocks)).toBe(1);
  });
  test('nothing to exchange: nothing found', () => {
    expect(permutationTest([])).toBe(1);
    expect(permutationTest([{ scores: [1, 2], labelled: 2 }])).toBe(1);
  });
});
