/** The page of a comparison: small campaigns that nobody ran, and names that mean harm. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pathOf } from '../../bench/peers.mjs';
import { type FieldMix, mixAxes, scenariosOf } from '../../src/compare/mix.ts';
import { type CompareReport, type ReportOptions, reportOf } from '../../src/compare/report.ts';
import { parseRequirements } from '../../src/compare/requirement.ts';
import type { TrialLine } from '../../src/compare/trial-line.ts';
import { TrialSet } from '../../src/compare/trial-set.ts';
import { compareHtml } from '../../src/render/compare/html.ts';
import { tablesOf } from '../../src/render/compare/tables.ts';
import { replayCommand } from '../../src/render/compare/words.ts';
import { root, tsdump } from '../support/cli.ts';
import { xmlProblems } from '../support/xml.ts';
import { failedAt, trialLine } from './lines.ts';
import { seenIn } from './page.ts';

const chromium = pathOf('chromium');
const wide = { scripts: 'off', width: 1200 } as const;
const withScripts = { scripts: 'on', width: 1200 } as const;
if (chromium === undefined) test.skip('skipped: no chromium', () => {});

const methods = ['kexec', 'lkcd-disk', 'lkcd-disk:2003', 'hypervisor', 'live'];
const points = ['irq', 'timer', 'process'];

function linesOf(outcome: (line: TrialLine) => Partial<TrialLine>): TrialLine[] {
  return methods.flatMap((method) =>
    points.flatMap((point) =>
      [1, 2, 3, 4].map((seed) => {
        const scenario = `${point}-idle`;
        const line = trialLine({ method, scenario, point, image: point, seed, dumpNs: seed * 1e9 });
        return { ...line, ...outcome(line) };
      }),
    ),
  );
}

const usual = linesOf(({ method, point, seed }) => {
  if (method !== 'lkcd-disk' || point !== 'timer') return {};
  return seed === 4 ? { verdict: 'undecidable' } : failedAt('write', 'hang', 'hctx->lock');
});

function reportOn(lines: readonly TrialLine[], options: Partial<ReportOptions> = {}) {
  const campaign: CompareReport['campaign'] = {
    schema: 'campaign/1',
    methods: [...new Set(lines.map(({ method }) => method))],
    scenarios: scenariosOf(lines).map(({ scenario, ...facts }) => ({
      ...{ name: scenario, image: scenario, ...facts },
      ...{ trigger: null, hardware: null, faults: [] },
    })),
    seeds: { first: 1, count: 4 },
    level: 31,
    machine: null,
    untilWidth: null,
  };
  const trials = new TrialSet(lines);
  const none = { due: lines.length, mixes: [], requirements: [] };
  return reportOf({ campaign, trials }, { ...none, ...options });
}

const page = (report: CompareReport): Promise<string> => {
  return compareHtml({ report, input: 'compare.ndjson' });
};

describe('what stands in the page', () => {
  test('the same report, the same bytes; well-formed, no script, nothing from elsewhere', async () => {
    const html = await page(reportOn(usual));
    expect(await page(reportOn(usual))).toBe(html);
    expect(xmlProblems(html)).toEqual([]);
    expect(html).not.toMatch(/<script|javascript:|@import|\bsrc=|url\((?!#)|xlink/);
    const addresses = html.match(/https?:[^"'\s<]+/g) ?? [];
    expect(new Set(addresses)).toEqual(
      new Set(['http://www.w3.org/1999/xhtml', 'http://www.w3.org/2000/svg']),
    );
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, to = '']) => to[0])).not.toContain('h');
  });
  test('without a gate it says that nothing was required', async () => {
    const html = await page(reportOn(usual));
    expect(html).toContain('<strong class="open">nothing was required</strong>');
    expect(html).toContain('<title>Dump methods compared: nothing was required</title>');
  });
  test('gates that are kept, and gates that are not', async () => {
    const required = (text: string) => reportOn(usual, { requirements: parseRequirements(text) });
    const kept = await page(required('kexec.complete >= 0.5'));
    expect(kept).toContain('<strong class="good">accepted</strong>');
    const broken = await page(required('lkcd-disk.complete >= 0.9'));
    expect(broken).toContain('<strong class="bad">refused</strong>');
    expect(broken).toContain('not met: lkcd-disk.complete &gt;= 0.9; shown is');
    expect(broken).toContain('<strong class="bad">NOT MET</strong>');
  });
  test('what got worse than the accepted run', async () => {
    const worse = linesOf(({ method }) => (method === 'kexec' ? { verdict: 'partial' } : {}));
    const { campaign } = reportOn(usual);
    const results = { campaign, trials: new TrialSet(usual), whole: 0 };
    const html = await page(reportOn(worse, { baseline: { file: 'accepted.ndjson', results } }));
    expect(html).toContain('<li>worse: kexec, by 1.0000</li>');
    expect(html).toContain('<dt>Accepted run</dt><dd>accepted.ndjson</dd>');
    expect(html.match(/<h2>.*?<\/h2>/g)!.slice(0, 4)).toEqual([
      '<h2>Against the accepted run</h2>',
      '<h2>Against the accepted run, by crash point</h2>',
      '<h2>Where it changed</h2>',
      '<h2>Methods by crash point</h2>',
    ]);
    expect(html).toContain('<title>kexec, irq\n4 of 4 before, 0 of 4 now: -100.0 points</title>');
    expect(html).toContain('The same trials ran twice.');
    expect(xmlProblems(html)).toEqual([]);
  });
  test('a campaign that is not at its end', async () => {
    const html = await page(reportOn(usual, { due: 100 }));
    expect(html).toContain('<li>40 trials missing: --resume runs them</li>');
    expect(html).toContain('<dd>60 of 100</dd>');
  });
  test('one trial of one method, and one that no trial counts of', async () => {
    expect(xmlProblems(await page(reportOn([trialLine()])))).toEqual([]);
    const none = reportOn([trialLine({ verdict: 'not-triggered', point: null, crash: null })]);
    expect(await page(none)).toContain('no trial counts');
  });
  test('no trial yet', async () => {
    const html = await page(reportOn([], { due: 4 }));
    expect(xmlProblems(html)).toEqual([]);
    expect(html).not.toContain('<svg');
  });
  test('scenarios that say nothing of themselves are columns', async () => {
    const bare = usual.map((line): TrialLine => ({ ...line, point: null, crash: null }));
    const html = await page(reportOn(bare));
    expect(html).toContain('<h2>Methods by scenario</h2>');
    expect(html).toContain('<title>kexec, timer-idle\n4 of 4: 1.000 [0.510, 1.000]');
  });
  test('where scenarios are too many for columns, methods are', async () => {
    const many = Array.from({ length: 40 }, (_, at) =>
      methods.map((method): TrialLine => {
        return trialLine({ method, scenario: `situation-${at}`, point: null, crash: null });
      }),
    ).flat();
    const html = await page(reportOn(many));
    expect(xmlProblems(html)).toEqual([]);
    expect(html.match(/<title>[\w:-]+, situation-/g)).toHaveLength(40 * methods.length);
    expect(html).toContain('Apart, on the right');
  });
  test('more mixes than shapes, two of them with one name to the eye', async () => {
    const mixes = Array.from({ length: 8 }, (_, at): FieldMix => {
      return { name: `${'a'.repeat(40)}${at}`, by: 'point', weights: { irq: at + 1, timer: 1 } };
    });
    expect(xmlProblems(await page(reportOn(usual, { mixes })))).toEqual([]);
  });
});

describe.skipIf(chromium === undefined)(
  'in chromium, with scripts off',
  { timeout: 120_000 },
  () => {
    test('tables, charts and commands are there; nothing is loaded', async () => {
      const report = reportOn(usual, { requirements: parseRequirements('kexec.complete >= 0.5') });
      const seen = await seenIn(chromium!, await page(report), wide);
      expect(seen.title).toBe('Dump methods compared: accepted');
      expect(seen).toMatchObject({ foreign: 0, requests: [], ran: false, overflows: false });
      const tables = tablesOf(report).filter(({ rows }) => rows.length > 0);
      expect(seen.tables.map(({ caption }) => caption)).toEqual(tables.map(({ note }) => note));
      for (const [at, { rows }] of tables.entries()) {
        expect(seen.tables[at]!.rows).toBe(rows.length);
        expect(seen.tables[at]!.columns).toBeGreaterThan(1);
      }
      expect(seen.headings).toEqual(expect.arrayContaining(tables.map(({ title }) => title)));
      expect(seen.charts.map(({ title }) => title)).toEqual([
        'Methods by crash point',
        'Rates by mix, with their intervals',
      ]);
      const [map, rates] = seen.charts;
      expect(map!.width).toBeGreaterThan(700);
      expect(map!.hover).toHaveLength(methods.length * points.length);
      expect(map!.hover).toContain(
        'lkcd-disk, timer\n0 of 3: 0.000 [0.000, 0.561] (95 %, Wilson)\nnone 3, undecidable 1',
      );
      expect(rates!.hover.join('\n')).toContain('kexec, mix lkdtm\n1.000 [1.000, 1.000]');
      const { example } = report.summary.methods[1]!.causes[0]!;
      expect(seen.commands).toContain(replayCommand(example));
    });
    test('canary: a script that runs and a file that is loaded are seen', async () => {
      const bad = '<p>1</p><script>window.ran = true</script><img src="http://far.example/x.png">';
      const told = { foreign: 2, ran: true, requests: ['far.example/x.png'] };
      expect(await seenIn(chromium!, bad, withScripts)).toMatchObject(told);
      expect((await seenIn(chromium!, bad, wide)).ran).toBe(false);
    });
    test('a small window scrolls charts and tables, not the page', async () => {
      const narrow = { scripts: 'off', width: 420 } as const;
      const seen = await seenIn(chromium!, await page(reportOn(usual)), narrow);
      expect(seen.overflows).toBe(false);
    });
  },
);

describe('on the command line', () => {
  test('compare merge --html writes it, and says nothing of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsdump-html-'));
    try {
      const { campaign } = reportOn(usual);
      const results = [campaign, ...usual].map((line) => `${JSON.stringify(line)}\n`);
      writeFileSync(join(folder, 'results.ndjson'), results.join(''));
      const words = ['compare', 'merge', 'results.ndjson', '--html', 'report.html'];
      const run = tsdump(words, { cwd: folder });
      expect([run.status, run.stderr]).toEqual([0, '']);
      const html = readFileSync(join(folder, 'report.html'), 'utf8');
      expect(html).toContain('<dt>Results</dt><dd>results.ndjson</dd>');
      expect(html).toContain('<h2>Methods by crash point</h2>');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  test('the library of charts is loaded for it alone', () => {
    const seen = new Set<string>();
    const packages = new Set<string>();
    const visit = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const code = readFileSync(path, 'utf8');
      for (const [, from = ''] of code.matchAll(/^(?:import|export) [^;]*?from '([^']+)'/gm)) {
        if (from.startsWith('.')) visit(join(dirname(path), from));
        else packages.add(from);
      }
    };
    visit(join(root, 'dist/cli/compare.js'));
    expect(packages).toContain('chalk');
    expect([...packages].filter((name) => name.startsWith('vega'))).toEqual([]);
    visit(join(root, 'dist/render/compare/html.js'));
    expect(packages).toContain('vega');
  });
});

describe('names that mean harm', () => {
  const evil =
    '</title></style><script>window.ran=true;top.ran=true</script>' +
    '<img src="x" onerror="ran=true"/>"\'&lt;\u0007\u202e\ud800\u2028[0]//https://example.org';
  const harmful = usual.map((line): TrialLine => {
    const to = (text: string | null): string => `${evil}${text}`;
    const { failed } = line;
    return {
      ...line,
      scenario: to(line.scenario),
      point: to(line.point),
      crash: to(line.crash),
      load: to(line.load) as TrialLine['load'],
      image: to(line.image),
      machine: evil,
      faults: [evil],
      reason: evil,
      failed: failed && { stage: evil, kind: evil, object: evil, cause: evil },
    };
  });
  const mixes = mixAxes.map((by): FieldMix => {
    const weights = { [harmful[0]![by]!]: 1 };
    return { name: `${by}${evil}`, by, weights };
  });
  const results = { campaign: reportOn(usual).campaign, trials: new TrialSet(harmful), whole: 0 };
  const report = reportOn(harmful, { mixes, baseline: { file: evil, results } });

  test('are text, everywhere', async () => {
    const html = await compareHtml({ report, input: evil });
    expect(xmlProblems(html)).toEqual([]);
    expect(html).not.toContain('<script');
    expect(html).not.toContain('<img');
    for (const sign of ['\u0007', '\u202e']) expect(html).not.toContain(sign);
  });
  test.skipIf(chromium === undefined)('do nothing in chromium', { timeout: 120_000 }, async () => {
    const seen = await seenIn(chromium!, await compareHtml({ report, input: evil }), withScripts);
    expect(seen).toMatchObject({ foreign: 0, requests: [], ran: false });
    expect(seen.charts[0]!.hover[0]).toContain('<script>window.ran=true');
    expect(seen.tables.length).toBeGreaterThan(4);
  });
});
