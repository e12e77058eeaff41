/** A comparison in each form: what it says, that it is well-formed, that nothing escapes. */

import { describe, expect, test } from 'vitest';
import type { Campaign } from '../../src/compare/campaign.ts';
import { isAccepted, isWhole, type ReportOptions, reportOf } from '../../src/compare/report.ts';
import { parseRequirements } from '../../src/compare/requirement.ts';
import { sequentialOf } from '../../src/compare/sequential.ts';
import type { TrialLine } from '../../src/compare/trial-line.ts';
import { TrialSet } from '../../src/compare/trial-set.ts';
import { compareEnvelope } from '../../src/render/compare/json.ts';
import { junitXml } from '../../src/render/compare/junit.ts';
import { compareMarkdown } from '../../src/render/compare/markdown.ts';
import { compareLines } from '../../src/render/compare/text.ts';
import { schemaProblems } from '../support/schemas.ts';
import { xmlProblems } from '../support/xml.ts';
import { failedAt, trialLine } from './lines.ts';

const methods = ['kexec', 'lkcd-disk', 'hypervisor', 'live'];
const campaign: Campaign = {
  schema: 'campaign/1',
  methods,
  scenarios: ['a', 'b'].map((name) => ({
    ...{ name, image: name, point: name, crash: null, load: 'idle' as const },
    ...{ trigger: null, hardware: null, faults: [] },
  })),
  seeds: { first: 1, count: 10 },
  level: 31,
  machine: null,
  untilWidth: null,
};

/** LKCD fails in every second scenario. */
const lines: TrialLine[] = methods.flatMap((method) =>
  ['a', 'b'].flatMap((scenario) =>
    Array.from({ length: 10 }, (_, at) => {
      const failed = method === 'lkcd-disk' && scenario === 'b';
      const more = failed ? failedAt('freeze', 'hang', 'CPU <1>|') : {};
      const [point, load] = [scenario, 'idle'] as const;
      return trialLine({ method, scenario, image: scenario, point, load, seed: at + 1, ...more });
    }),
  ),
);
const usual: ReportOptions = { due: lines.length, mixes: [], requirements: [] };
const report = (options: Partial<ReportOptions> = {}, trials: readonly TrialLine[] = lines) =>
  reportOf({ campaign, trials: new TrialSet(trials) }, { ...usual, ...options });
const text = (of: ReturnType<typeof report>): string =>
  compareLines({ report: of, input: 'r.ndjson', colour: 'plain', detail: 'all' }).join('\n');

test('what met the crash, what is outside of it, and what was before it stand apart', () => {
  const words = text(report());
  const at = (word: string): number => words.search(new RegExp(`^${word}`, 'm'));
  const parts = ['Methods that work', 'lkcd-disk ', 'From outside', 'hypervisor ', 'Taken before'];
  const places = [...parts, 'live '].map(at);
  expect(places).toEqual([...places].sort((one, other) => one - other));
  expect(places).not.toContain(-1);
  const [, pairs = ''] = words.split('Methods against each other');
  expect(pairs).toContain('lkcd-disk');
  expect(pairs).not.toMatch(/live|hypervisor/);
});

test('a mix stands beside each rate, and causes with a trial of them', () => {
  const words = text(report());
  expect(words).toContain('uniform: each scenario of the campaign the same');
  expect(words).toMatch(/lkcd-disk +0\.500 \[/);
  expect(words).toMatch(/lkcd-disk +10 +100 % +freeze +hang: CPU <1>\| +none +b, seed 1/);
});

describe('gates', () => {
  const bounded = (words: string) => report({ requirements: parseRequirements(words) });
  test('a requirement is shown with what was shown, and decides', () => {
    const met = bounded('kexec.complete >= 0.8');
    const unmet = bounded('lkcd-disk.complete >= 0.8 and kexec.complete >= 0.8');
    expect([isAccepted(met), isAccepted(unmet)]).toEqual([true, false]);
    expect(text(met)).toMatch(/met +kexec.complete >= 0.8 +20 of 20 +at least 0\.8389/);
    expect(text(unmet)).toMatch(/NOT MET +lkcd-disk.complete >= 0.8 +10 of 20/);
    expect(text(unmet)).toContain('refused: 1 requirement not met');
  });
  test('a method that got worse is refused; methods of one run only are named', () => {
    const worse = lines
      .filter(({ method }) => method !== 'live')
      .map((line) =>
        line.method === 'kexec' ? { ...line, ...failedAt('boot', 'x', null) } : line,
      );
    const results = { campaign, trials: new TrialSet(lines), whole: 0 };
    const now = report({ baseline: { file: 'accepted', results } }, worse);
    expect(isAccepted(now)).toBe(false);
    expect(text(now)).toMatch(/WORSE +kexec +same seeds +20 and 20 +1\.0000/);
    expect(text(now)).toContain('not compared, only in the accepted run: live');
    const same = report({ baseline: { file: 'accepted', results } });
    expect(isAccepted(same)).toBe(true);
    expect(text(same)).toMatch(/kept +kexec/);
  });
});

test('a campaign that is not at its end says so in each form', () => {
  const part = report({}, lines.slice(3));
  expect(isWhole(part)).toBe(false);
  expect(text(part)).toContain('77 trials, of 80 that the campaign has');
  expect(compareMarkdown(part, 'r')).toContain('3 trials missing');
  expect(junitXml(part)).toContain('<skipped message="77 of 80 trials"/>');
  const { complete, missing } = compareEnvelope(
    { version: '0', schema: 'compare/1', input: 'r' },
    part,
  );
  expect([complete, missing[0]?.count]).toEqual([false, 3]);
});

test('JSON is as its schema says', () => {
  const results = { campaign, trials: new TrialSet(lines), whole: 0 };
  const whole = report({
    requirements: parseRequirements('kexec.complete >= 0.8'),
    baseline: { file: 'accepted', results },
    mixes: [{ name: 'field', by: 'point', weights: { a: 3, b: 1 } }],
  });
  const width = { ...whole, sequential: sequentialOf(campaign, 0.1, lines) };
  for (const each of [whole, width, report({}, [])]) {
    const origin = { version: '0', schema: 'compare/1', input: 'r' };
    expect(schemaProblems({ ...compareEnvelope(origin, each) })).toEqual([]);
  }
});

test('JUnit is well-formed, and fails by gates alone', () => {
  const fine = junitXml(report({ requirements: parseRequirements('kexec.complete >= 0.8') }));
  const bad = junitXml(report({ requirements: parseRequirements('lkcd-disk.complete >= 0.8') }));
  const body = (xml: string): string => xml.replace(/^<\?xml[^>]*>\n/, '');
  expect([xmlProblems(body(fine)), xmlProblems(body(bad))]).toEqual([[], []]);
  expect(fine).not.toContain('<failure');
  expect(bad.match(/<failure /g)).toHaveLength(1);
});

test('Markdown has its tables whole: nothing that a kernel says breaks a row', () => {
  const page = compareMarkdown(report(), 'r.ndjson');
  expect(page).toContain('CPU &lt;1&gt;\\|');
  for (const table of page.split('\n\n').filter((block) => block.startsWith('|'))) {
    const cells = table.split('\n').map((row) => row.replaceAll('\\|', '').split('|').length);
    expect(new Set(cells).size, table).toBe(1);
  }
});

describe('stopping by width', () => {
  test('seeds that did not run in every scenario wait; the order of trials says nothing', () => {
    const whole = sequentialOf(campaign, 0.5, lines);
    expect(sequentialOf(campaign, 0.5, [...lines].reverse())).toEqual(whole);
    expect(whole.methods.map(({ seeds }) => seeds)).toEqual([10, 10, 10, 10]);
    const hole = lines.filter(({ seed, method }) => seed !== 4 || method !== 'kexec');
    expect(sequentialOf(campaign, 0.5, hole).methods[0]?.seeds).toBe(3);
  });
  test('is reached when every interval is so narrow', () => {
    const long = { ...campaign, methods: ['kexec'], seeds: { first: 0, count: 400 } };
    const trials = ['a', 'b'].flatMap((scenario) =>
      Array.from({ length: 400 }, (_, seed) => trialLine({ scenario, seed })),
    );
    expect(sequentialOf(long, 0.1, trials).isReached).toBe(true);
    expect(sequentialOf(long, 0.001, trials).isReached).toBe(false);
  });
});
