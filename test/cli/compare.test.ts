/** `tsdump compare` as a user runs it: results, resuming behind a kill, shards, replay. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methodWords } from '../../src/capture/catalogue.ts';
import { program, type Run, root, tsdump } from '../support/cli.ts';
import { schemaProblems } from '../support/schemas.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-compare-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const here = (...words: string[]): Run => tsdump(words, { cwd: folder });
const linesOf = (file: string): string[] =>
  readFileSync(join(folder, file), 'utf8').trimEnd().split('\n');

const campaign = [
  ...['compare', '--methods', 'kexec,mkdump,hypervisor', '--seeds', '3'],
  ...['--scenarios', 'null-process,disk-hung,deaf-cpu'],
];
let run: Run;
beforeAll(() => {
  run = here(...campaign, '--jobs', '2', '-o', 'whole');
}, 120_000);

test('every trial is a line, and the counts are printed', () => {
  expect(`${run.status} ${run.stderr}`).toBe('0 ');
  expect(linesOf('whole')).toHaveLength(1 + 3 * 3 * 3);
  expect(run.stdout).toContain('hypervisor');
});

test('one thread gives the same lines as two', () => {
  here(...campaign, '--jobs', '1', '-o', 'one');
  expect(linesOf('one').sort()).toEqual(linesOf('whole').sort());
});

test('results that are there are not overwritten', () => {
  const again = here(...campaign, '-o', 'whole');
  expect(again.status).toBe(6);
  expect(again.stderr).toContain('EEXIST');
});

test('shards merged are the campaign, byte for byte', () => {
  for (const index of [1, 2]) here(...campaign, '--shard', `${index}/2`, '-o', `part-${index}`);
  const merged = here('compare', 'merge', 'part-1', 'part-2', '-o', 'merged');
  expect(merged.status).toBe(0);
  expect(merged.stdout).toBe(run.stdout.replace('whole:LINE', 'merged:LINE'));
  here('compare', 'merge', 'whole', '-o', 'sorted');
  expect(linesOf('merged')).toEqual(linesOf('sorted'));
});

describe('resuming', () => {
  test('behind a kill -9 loses at most the trials that were under way', async () => {
    const words = [program, ...campaign, '--jobs', '2', '-o', 'killed'];
    const child = spawn(process.execPath, words, { cwd: folder, stdio: 'ignore' });
    const watching = watch(folder);
    for await (const _ of grown(watching)) {
      if (linesOf('killed').length >= 6) break;
    }
    watching.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const before = linesOf('killed').length;
    const resumed = here(...campaign, '--resume', '-o', 'killed');
    expect(resumed.status).toBe(0);
    expect(before).toBeGreaterThanOrEqual(6);
    expect(linesOf('killed').sort()).toEqual(linesOf('whole').sort());
  });

  test('goes on behind a line that was cut', () => {
    const text = readFileSync(join(folder, 'whole'), 'utf8');
    writeFileSync(join(folder, 'cut'), text.slice(0, Math.floor(text.length / 2)));
    const { stdout } = here(...campaign, '--resume', '-o', 'cut');
    expect(stdout).toBe(run.stdout.replace('whole:LINE', 'cut:LINE'));
    expect(linesOf('cut').sort()).toEqual(linesOf('whole').sort());
  });

  test('refuses the results of another campaign', () => {
    const other = here(...campaign, '--level', '0', '--resume', '-o', 'whole');
    expect(other.status).toBe(5);
    expect(other.stderr).toContain('results of another campaign');
  });
});

describe('capture --replay', () => {
  test.each([2, 12, 28])('runs line %s again, with the verdict that it has', (number) => {
    const again = here('capture', '--replay', `whole:${number}`, '-o', 'dump', '--force');
    expect(again.status).toBe(0);
    const { verdict } = JSON.parse(linesOf('whole')[number - 1]!);
    expect(again.stdout.trimEnd().split('\n').at(-1)).toContain(verdict);
  });

  test('takes the line itself', () => {
    expect(here('capture', '--replay', linesOf('whole')[4]!, '-o', 'dump', '--force').status).toBe(
      0,
    );
  });

  test.each([
    ['whole:1', 'the line is no trial'],
    ['whole:9999', 'no such line'],
    ['whole', 'neither a line of results nor FILE:NUMBER'],
    ['{"a"', 'the line is no JSON'],
  ])('refuses %s', (word, message) => {
    const refused = here('capture', '--replay', word);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(message);
  });

  test('refuses what the line says itself', () => {
    expect(here('capture', '--replay', 'whole:2', '--seed', '1').stderr).toContain('--seed cannot');
  });
});

describe('a campaign file', () => {
  test('init writes one, which is not overwritten', () => {
    expect(here('compare', 'init').stdout).toContain('tsdump compare --campaign compare.yaml');
    expect(here('compare', 'init').status).toBe(6);
    expect(here('compare', 'init', '--force').status).toBe(0);
  });

  test('says what is run; an option goes before it', () => {
    const text = 'methods: [kexec]\nscenarios: [null-process]\nseeds: 2\n';
    writeFileSync(join(folder, 'mine.yaml'), text);
    here('compare', '--campaign', 'mine.yaml', '--seeds', '1', '-o', 'by-file');
    expect(linesOf('by-file')).toHaveLength(2);
    expect(JSON.parse(linesOf('by-file')[1]!)).toMatchObject({ method: 'kexec', seed: 0 });
  });
});

describe('gates', () => {
  test('a bound that does not hold is status 1, with each report written', () => {
    const words = ['--require', 'kexec.complete >= 0.99', '--junit', 'j.xml', '--markdown', 'm.md'];
    const refused = here('compare', 'merge', 'whole', ...words, '--json', 'c.json');
    expect(refused.status).toBe(1);
    expect(refused.stdout).toContain('NOT MET');
    const document = JSON.parse(readFileSync(join(folder, 'c.json'), 'utf8'));
    expect(schemaProblems(document)).toEqual([]);
    expect(document.data.accepted).toBe(false);
    expect(readFileSync(join(folder, 'j.xml'), 'utf8')).toContain('<failure');
    expect(readFileSync(join(folder, 'm.md'), 'utf8')).toContain(
      '# Dump methods compared: refused',
    );
  });

  test('a run is no worse than itself, whatever stands in --json', () => {
    const same = here('compare', 'merge', 'whole', '--baseline', 'whole', '--json');
    expect(same.status).toBe(0);
    expect(JSON.parse(same.stdout).data.baseline.methods).toHaveLength(3);
  });

  test.each([
    [['--require', 'kexec >= 1'], 2, 'is no METHOD.CLASS >= SHARE'],
    [['--require', 'kexec.undecidable < 1'], 2, 'no rate is made of class'],
    [['--require', 'netdump.complete > 0'], 2, 'netdump is required and is not run'],
    [['--baseline', 'nothing-there'], 6, 'ENOENT'],
    [['--baseline', 'compare.yaml'], 4, 'line 1 is no JSON'],
  ])('%j: status %i', (words, status, message) => {
    const refused = here('compare', 'merge', 'whole', ...words);
    expect(`${refused.status} ${refused.stderr}`).toContain(message);
    expect(refused.status).toBe(status);
  });
});

test('--until-width ends with fewer seeds, and says what it knows', () => {
  const words = ['--methods', 'kexec', '--scenarios', 'null-process', '--until-width', '0.9'];
  const stopped = here('compare', ...words, '--seeds', '500', '-o', 'narrow');
  expect(stopped.status).toBe(0);
  expect(linesOf('narrow').length).toBeLessThan(102);
  expect(stopped.stdout).toContain('Stopped: every rate is known well enough');
  const again = here('compare', ...words, '--seeds', '500', '-o', 'narrow', '--resume');
  expect(again.stdout).toBe(stopped.stdout);
});

test('the standard campaign has every method and generation, and the whole grid', () => {
  const file = join(root, 'fixtures/campaigns/standard.yaml');
  const words = ['--campaign', file, '--shard', '1/9999', '--seeds', '1'];
  expect(here('compare', ...words, '-o', 'standard').stderr).toBe('');
  const { methods, scenarios } = JSON.parse(linesOf('standard')[0]!);
  expect(methods).toEqual(methodWords);
  expect(scenarios).toHaveLength(228);
});

test.each([
  [['--until-width', '0.1', '--shard', '1/2'], 'a part of a campaign cannot tell when to stop'],
  [['--until-width', '2'], 'a width of an interval'],
  [['--shard', '5/4'], 'a part is I/N'],
  [['--seeds', '0'], '--seeds 0'],
  [['--methods', 'kexce'], 'kexec'],
  [['--scenarios', 'nul-process'], 'null-process'],
  [['--scenarios', 'zz*'], 'no scenario has such a name'],
  [['--jobs', 'x'], '--jobs x'],
  [['--first-seed', '4294967295', '--seeds', '2'], 'end behind'],
])('%j is refused before anything runs', (words, message) => {
  const refused = here('compare', ...words, '-o', 'refused');
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(message);
});

/** Each time that something in the folder changes. */
async function* grown(watching: ReturnType<typeof watch>): AsyncGenerator<void> {
  for (;;) {
    await once(watching, 'change');
    yield;
  }
}
