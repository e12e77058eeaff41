/** What trials a campaign has, how shards divide them, and files of results. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { descriptions } from '../../src/capture/catalogue.ts';
import { type Campaign, jobsOf, levelFor, type TrialJob } from '../../src/compare/campaign.ts';
import { mergeResults, parseResults } from '../../src/compare/results.ts';
import { type TrialLine, trialKey } from '../../src/compare/trial-line.ts';

const scenario = (name: string, image: string): Campaign['scenarios'][0] => ({
  ...{ name, image, point: null, crash: null, load: 'idle' },
  ...{ trigger: null, hardware: null, faults: [] },
});

const campaign: Campaign = {
  schema: 'campaign/1',
  methods: ['kexec', 'lkcd-disk', 'netdump'],
  scenarios: [scenario('a', 'one'), scenario('b', 'two'), scenario('c', 'one')],
  seeds: { first: 5, count: 4 },
  level: 31,
  machine: null,
  untilWidth: null,
};

const line = (job: TrialJob, verdict: TrialLine['verdict'] = 'complete'): TrialLine => {
  const { method, level, seed, scenario: of } = job;
  const { name, ...rest } = of;
  return {
    schema: 'trial/1',
    ...{ method, scenario: name, seed, ...rest, machine: null, level, compression: 'zlib' },
    ...{ verdict, reason: '', failed: null, dumpNs: 1, bytes: 1 },
  };
};

const keyOf = ({ method, seed, scenario: { name } }: TrialJob): string =>
  trialKey({ method, seed, scenario: name });

const fileOf = (lines: readonly unknown[]): string =>
  lines.map((each) => `${JSON.stringify(each)}\n`).join('');

describe('trials of a campaign', () => {
  test('every method meets every scenario with every seed, once', () => {
    const keys = [...jobsOf(campaign)].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(3 * 3 * 4);
  });

  test('those of one image come together', () => {
    const images = [...jobsOf(campaign)].map((job) => job.scenario.image);
    const changes = images.filter((image, index) => index > 0 && image !== images[index - 1]);
    expect(changes).toHaveLength(1);
  });

  test('shards have every trial once, and all methods of what they have', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), (count) => {
        const parts = Array.from({ length: count }, (_, at) => [
          ...jobsOf(campaign, { index: at + 1, count }),
        ]);
        const keys = parts.flat().map(keyOf).sort();
        expect(keys).toEqual([...jobsOf(campaign)].map(keyOf).sort());
        for (const part of parts) expect(part.length % campaign.methods.length).toBe(0);
      }),
    );
  });

  test('a method leaves out of a level what it can', () => {
    expect(levelFor(descriptions['lkcd-disk'], 31)).toBe(30);
    expect(levelFor(descriptions['lkcd-disk'], 17)).toBe(16);
    expect(levelFor(descriptions.netdump, 31)).toBe(0);
    expect(levelFor(descriptions.kexec, 17)).toBe(17);
  });
});

describe('results', () => {
  const jobs = [...jobsOf(campaign)];
  const whole = fileOf([campaign, ...jobs.map((job) => line(job))]);

  test('a file that was cut anywhere has the trials whose lines are whole', () => {
    fc.assert(
      fc.property(fc.integer({ min: whole.indexOf('\n') + 1, max: whole.length }), (length) => {
        const cut = whole.slice(0, length);
        const results = parseResults(cut, 'f');
        expect(results.trials.size).toBe(cut.split('\n').length - 2);
        expect(cut.slice(results.whole)).not.toContain('\n');
      }),
    );
  });

  test.each([
    ['', 'no results of a campaign'],
    ['{"schema":"trial/1"}\n', 'no results of a campaign'],
    [`${JSON.stringify(campaign)}\n{]\n`, 'line 2 is no JSON'],
    [`${JSON.stringify(campaign)}\n[1]\n`, 'line 2 is no trial'],
  ])('%j is refused', (text, message) => {
    expect(() => parseResults(text, 'f')).toThrow(message);
  });

  test('a trial that stands twice counts once; two results of it are refused', () => {
    const [job] = jobs;
    const twice = parseResults(fileOf([campaign, line(job!), line(job!)]), 'f');
    expect(twice.trials.size).toBe(1);
    const other = fileOf([campaign, line(job!), line(job!, 'none')]);
    expect(() => parseResults(other, 'f')).toThrow('kexec in a with seed 5 is both complete');
  });

  test('shards of one campaign are the campaign; those of another are refused', () => {
    const parts = [1, 2, 3].map((index) => {
      const lines = [...jobsOf(campaign, { index, count: 3 })].map((job) => line(job));
      const file = `part-${index}`;
      return { file, results: parseResults(fileOf([campaign, ...lines]), file) };
    });
    expect(mergeResults(parts).trials.lines.map(trialKey).sort()).toEqual(jobs.map(keyOf).sort());
    const other = { ...campaign, level: 0 };
    const foreign = { file: 'g', results: parseResults(fileOf([other]), 'g') };
    expect(() => mergeResults([...parts, foreign])).toThrow('another campaign than that of part-1');
  });
});
