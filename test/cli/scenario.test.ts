/** Scenarios, faults and seeds on the command line: chosen, repeated, listed, refused. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { findScenario } from '../../src/cli/library.ts';
import { newScenario } from '../../src/cli/scenario-new.ts';
import { faultKinds } from '../../src/trial/faults/kinds.ts';
import { checkScenario } from '../../src/trial/scenario.ts';
import { machine, type Run, root, tsdump } from '../support/cli.ts';
import { schemaProblems } from '../support/schemas.ts';

const parent = mkdtempSync(join(tmpdir(), 'tsdump-scenario-'));
let folder = parent;
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'run-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const here = (...words: string[]): Run => tsdump(words, { cwd: folder });
const names = readdirSync(join(root, 'fixtures/scenarios'))
  .map((file) => file.slice(0, -5))
  .sort();

/** The document of a `--json` run, which its schema allows. */
function documentOf({ stdout }: Run): { data: Record<string, never>; schema: string } {
  const document = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  expect(schemaProblems(document)).toEqual([]);
  return document;
}

/** What must be the same when a run is repeated. */
function essence(run: Run): unknown {
  const { output: _, ...data } = documentOf(run).data;
  return data;
}

const small = ['--level', '31', '--compress', 'none', '--json'];

describe('seeds', () => {
  test('a run without a seed draws one; the command that it prints repeats it', () => {
    const words = [
      'kexec',
      '--scenario',
      'corrupted-segment',
      '--fault',
      'memory:by=cpu',
      '--expect',
      'none',
      ...small,
    ];
    const first = here(...words);
    const { again, seed } = documentOf(first).data as Record<string, unknown>;
    expect(again).toMatch(/^tsdump kexec --scenario corrupted-segment --fault memory:by=cpu /);
    expect(again).toContain(`--seed ${seed}`);
    const repeated = here(...String(again).split(' ').slice(1), '--json');
    expect(essence(repeated)).toEqual(essence(first));
    expect(repeated.status).toBe(first.status);
  });

  test('same seed, same file, byte for byte', () => {
    const words = [
      'mkdump',
      '--fault',
      'memory:by=dma,region=slab,writes=9',
      '--level',
      '31',
      '--compress',
      'none',
    ];
    here(...words, '--seed', '7', '-o', 'a');
    here(...words, '--seed', '7', '-o', 'b');
    here(...words, '--seed', '8', '-o', 'c');
    const [a, b, c] = ['a', 'b', 'c'].map((name) => readFileSync(join(folder, name)));
    expect(b!.equals(a!)).toBe(true);
    expect(c!.equals(a!)).toBe(false);
  });

  test('the text of a run has its seed and the command that repeats it', () => {
    const { stdout } = here('kexec', '--level', '31', '--seed', '42');
    expect(stdout).toContain('seed 42');
    expect(stdout).toContain('tsdump kexec --level 31 --seed 42');
  });
});

describe('what befalls the machine', () => {
  test('faults of --fault come after those of the scenario', () => {
    const words = [
      '--scenario',
      'deaf-cpu',
      '--fault',
      'disk-busy',
      '--fault',
      'disk-slow:factor=2',
    ];
    const { faults } = documentOf(here('mkdump', ...words, ...small)).data;
    const texts = (faults as unknown as { fault: string }[]).map(({ fault }) => fault);
    expect(texts).toEqual(['cpu-deaf', 'disk-busy', 'disk-slow:factor=2']);
  });

  test('--watchdog and --hardware go before those of the scenario', () => {
    writeFileSync(
      join(folder, 'mine.yaml'),
      'name: mine\ntitle: t\nwhy: w\nimage: bug\nload: idle\nhardware: pvscsi\nwatchdog: 900\n',
    );
    const of = (...words: string[]) =>
      documentOf(here('mkdump', '--scenario', 'mine.yaml', ...words, ...small)).data as unknown as {
        machine: { hardware: string };
        faults: { fault: string }[];
        scenario: string;
      };
    const plain = of();
    expect(plain.machine.hardware).toBe('pvscsi');
    expect(plain.faults).toMatchObject([{ fault: 'watchdog:seconds=900' }]);
    expect(plain.scenario).toBe('mine');
    const own = of('--watchdog', '800', '--hardware', 'nvme-server', '--force');
    expect(own.machine.hardware).toBe('nvme-server');
    expect(own.faults).toMatchObject([{ fault: 'watchdog:seconds=800' }]);
  });

  test('a machine of the user has no scenario, unless one is asked for: then its faults', () => {
    const words = ['mkdump', '--machine', machine, ...small];
    expect(documentOf(here(...words)).data).toMatchObject({ scenario: null, faults: [] });
    const with_ = documentOf(here(...words, '--scenario', 'disk-hung-until-reset')).data;
    expect(with_).toMatchObject({
      scenario: 'disk-hung-until-reset',
      faults: [{ fault: 'disk-hung' }],
    });
  });
});

describe('a trace', () => {
  test('to a file: one JSON object a line, in order of time', () => {
    here('kexec', '--level', '31', '--trace', 'trace.ndjson');
    const lines = readFileSync(join(folder, 'trace.ndjson'), 'utf8').trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { ns: number; what: string });
    expect(new Set(events.map(({ what }) => what))).toContain('execute');
    for (const [index, { ns }] of events.entries()) {
      expect(ns).toBeGreaterThanOrEqual(events[index - 1]?.ns ?? 0);
    }
  });

  test('to standard output: before the report', () => {
    const { stdout } = here('mkdump', '--trace', '-', ...small);
    const [first] = stdout.split('\n');
    expect(JSON.parse(first!)).toHaveProperty('ns');
    expect(documentOf({ status: 0, stdout, stderr: '' }).schema).toBe('capture/1');
  });
});

describe('a picture', () => {
  test.each([
    ['run.svg', /^(<\?xml[^>]*>\s*)?<svg /],
    ['run.html', /^<!doctype html>/i],
  ])('%s', (file, start) => {
    const run = here('mkdump', '--level', '31', '--picture', file);
    expect(`${run.status} ${run.stderr}`).toBe('0 ');
    expect(readFileSync(join(folder, file), 'utf8')).toMatch(start);
  });

  test('an existing one is not replaced, and nothing else is written', () => {
    writeFileSync(join(folder, 'run.svg'), 'precious');
    const run = here('mkdump', '--picture', 'run.svg');
    expect(run.stderr).toContain('--force');
    expect(readdirSync(folder)).toEqual(['run.svg']);
    expect(readFileSync(join(folder, 'run.svg'), 'utf8')).toBe('precious');
  });
});

describe('command lines that make no sense are refused before anything is done', () => {
  test.each([
    [['--scenario', 'null-proces'], 'did you mean null-process?'],
    [['--scenario', 'no/such.yaml'], 'ENOENT', 6],
    [['--fault', 'memory:by=dna'], 'unknown "dna" (did you mean dma?)'],
    [['--fault', 'disk-hang'], '--fault disk-hang: there is no fault "disk-hang" (did you mean '],
    [['--fault', 'disk-slow:factor=0'], '0 is out of range\n  hint: 2 to 1000000'],
    [['--seed', '-1'], 'a seed is a whole number'],
    [['--seed', '4294967296'], 'a seed is a whole number'],
    [['--hardware', 'pvscis'], 'did you mean pvscsi?'],
    [['--watchdog', '0'], 'seconds are 1 to 3600'],
    [['--picture', 'run.png'], 'the name ends in .svg or .html'],
    [['--trace', ''], '--trace: the name is empty'],
    [['--picture', 'a.svg', '--trace', 'a.svg'], 'two files of one name'],
    [['--picture', './a.svg', '--output', 'a.svg'], 'two files of one name'],
    [['--machine', 'vmcore', '--output', './vmcore', '--force'], 'two files of one name'],
    [['--output', '-'], 'cannot be written to standard output'],
    [['--scenario', '/dev/zero'], 'is not a regular file', 3],
    [['--fault', 'cpu-dead:cpu=17'], ': cpu-dead:cpu=17: CPU 17 does not exist'],
  ])('%j', (words, message, status = 2) => {
    const run = here('capture', ...(words as string[]));
    expect(run.stderr).toContain(message);
    expect(run.stderr).toMatch(/^tsdump: (usage|io|unsupported): /);
    expect(run.status).toBe(status);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a symbol that the kernel lacks is absent, 5', () => {
    const run = here('capture', '--fault', 'memory:by=dma,at=no_such_symbol');
    expect(run.stderr).toContain('no_such_symbol');
    expect(run.status).toBe(5);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('on a machine of the user a scenario has its faults, not its title', () => {
  const run = here('capture', '--machine', machine, '--scenario', 'oom', '--level', '31');
  expect(run.stdout).toMatch(/^oom: its faults, on another machine\n/);
});

describe('lists', () => {
  test('capture --list: every method, scenario and fault, each with an example', () => {
    const { stdout, status } = here('capture', '--list');
    for (const kind of faultKinds) expect(stdout).toContain(`example: --fault ${kind.example}`);
    for (const name of names) expect(stdout).toContain(`\n  ${name} `);
    for (const method of ['mkdump', 'kexec']) expect(stdout).toContain(`\n  ${method} `);
    expect(status).toBe(0);
  });

  test('for programs', () => {
    const { data, schema } = documentOf(here('kexec', '--list', '--json'));
    expect(schema).toBe('choices/1');
    const { scenarios, faults } = data as Record<string, { name: string }[]>;
    expect(scenarios!.map(({ name }) => name)).toEqual(names);
    expect(faults!.map(({ name }) => name)).toEqual(faultKinds.map(({ name }) => name));
  });

  test('scenario and scenario list: a line each, and a table of each grid', () => {
    const { stdout } = here('scenario', 'list');
    const [list, ...grids] = stdout.trimEnd().split('\n\n');
    expect(list!.split('\n')).toHaveLength(names.length);
    expect(grids.join('\n\n')).toMatch(/^lkdtm\/POINT\/TYPE\/LOAD .*\n\n +panic {2}bug /);
    expect(stdout).toMatch(/\n {2}timer +x {6}x {4}x .* - {14}x\n/);
    expect(here('scenario').stdout).toBe(stdout);
    const { data } = documentOf(here('scenario', 'list', '--json'));
    const found = data['scenarios'] as unknown as { scenario: { name: string } }[];
    const ofGrids = found.filter(({ scenario }) => scenario.name.startsWith('lkdtm/'));
    expect(stdout).toContain(`\n  ${ofGrids.length} scenarios; LOAD is idle, disk-busy, `);
    expect(found.length - ofGrids.length).toBe(names.length);
  });

  test('scenario show: a grid, and why it has holes', () => {
    const { stdout } = here('scenario', 'show', 'lkdtm');
    expect(stdout).toContain('\n  no reclaim/out-of-memory:\n      who reclaims may not call for');
    expect(stdout).toMatch(/\ntsdump capture --scenario lkdtm\/irq-entry\/panic\/idle\n$/);
  });

  test('a scenario of a grid is one like any other, and what is no cell is told why', () => {
    const { stdout } = here('scenario', 'show', 'lkdtm/timer/bug/both');
    expect(stdout).toMatch(/\n {2}fault +network-busy\n/);
    const words = ['--scenario', 'lkdtm/timer/bug/disk-busy', '--seed', '1', ...small];
    const { data } = documentOf(here('kexec', ...words));
    expect(data).toMatchObject({
      scenario: 'lkdtm/timer/bug/disk-busy',
      again: expect.stringContaining('--scenario lkdtm/timer/bug/disk-busy '),
      faults: [{ fault: 'disk-busy' }, { fault: 'queue-busy' }, { fault: 'busy-writer:pages=200' }],
    });
    const missing = here('kexec', '--scenario', 'lkdtm/timer/out-of-memory/idle');
    expect(missing.stderr).toContain('hint: an allocation in an interrupt fails at once');
    const wrong = here('kexec', '--scenario', 'lkdtm/timer/bgu/idle');
    expect(wrong.stderr).toContain('did you mean lkdtm/timer/bug/idle');
    expect([missing.status, wrong.status]).toEqual([2, 2]);
  });

  test('scenario show: all of one, and the command that runs it', () => {
    const { stdout } = here('scenario', 'show', 'short-watchdog');
    expect(stdout).toMatch(/\n {2}watchdog +\d+ seconds?\n/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('tsdump capture --scenario short-watchdog');
    const { data } = documentOf(here('scenario', 'show', 'bug', '--json'));
    expect(data['scenarios']).toMatchObject([{ scenario: { name: 'bug', image: 'bug' } }]);
  });

  test('what a file says is shown without what a terminal would obey', () => {
    const text = 'name: x\ntitle: "\\e[31mred"\nwhy: "\\e]0;w"\nimage: bug\nload: idle\n';
    writeFileSync(join(folder, 'x.yaml'), text);
    expect(here('scenario', 'show', 'x.yaml').stdout).toContain('x: .[31mred\n\n.]0;w\n');
  });
});

describe('scenario check', () => {
  test('those that come along are good', () => {
    const files = names.map((name) => join(root, 'fixtures/scenarios', `${name}.yaml`));
    const run = here('scenario', 'check', ...files);
    expect(
      run.stdout
        .trimEnd()
        .split('\n')
        .filter((line) => !line.includes(': ok, ')),
    ).toEqual([]);
    expect(run.status).toBe(0);
  });

  test('what is wrong is listed, file by file, and the status is 1', () => {
    writeFileSync(join(folder, 'bad.yaml'), 'name: x\nfaults: [{memory: {by: dm}}, cpu-deef]\n');
    writeFileSync(
      join(folder, 'no-image.yaml'),
      'name: x\ntitle: t\nwhy: w\nimage: null-proces\nload: idle\n',
    );
    const run = here('scenario', 'check', 'bad.yaml', 'no-image.yaml');
    expect(run.stdout).toContain('bad.yaml: faults[0].memory.by: unknown "dm" (did you mean dma?)');
    expect(run.stdout).toContain('bad.yaml: title: is missing\n');
    expect(run.stdout).toContain('no-image.yaml: image: there is no image "null-proces" (did you');
    expect(run.status).toBe(1);
    const { data } = documentOf(here('scenario', 'check', 'bad.yaml', '--json'));
    expect(data['scenarios']).toMatchObject([{ file: 'bad.yaml', scenario: null }]);
  });

  test.each([
    [['scenario', 'shw'], 'did you mean show?', 2],
    [['scenario', 'check'], "missing required argument 'file'", 2],
    [['scenario', 'show'], "missing required argument 'name|file'", 2],
    [['scenario', 'show', 'bugg'], 'did you mean bug?', 2],
    [['scenario', 'check', 'nothing.yaml'], 'ENOENT', 6],
  ])('%j', (words, message, status) => {
    const run = here(...words);
    expect(run.stderr).toContain(message);
    expect(run.status).toBe(status);
  });

  test('a file that cannot be read is a document too, with --json', () => {
    const run = here('scenario', 'check', 'nothing.yaml', '--json');
    expect(documentOf(run)).toMatchObject({ schema: 'scenarios/1', data: null });
  });
});

describe('scenario new', () => {
  const mine = (...words: string[]): Run => here('scenario', 'new', 'mine.yaml', ...words);

  test('what options say is in the file, and `check` finds nothing wrong with it', () => {
    const words = ['--from', 'deaf-cpu', '--fault', 'disk-slow:factor=2', '--watchdog', '600'];
    const run = mine(...words, '--hardware', 'pvscsi', '--title', 'yes: "no"', '--why', '# w');
    expect(run).toMatchObject({ status: 0, stdout: 'mine.yaml: ok, mine\n' });
    expect(here('scenario', 'check', 'mine.yaml').status).toBe(0);
    const { data } = documentOf(here('scenario', 'show', 'mine.yaml', '--json'));
    const expected = {
      ...{ name: 'mine', title: 'yes: "no"', why: '# w', hardware: 'pvscsi', watchdog: 600 },
      ...{ faults: ['cpu-deaf', 'disk-slow:factor=2'], expect: {} },
    };
    expect(data['scenarios']).toMatchObject([{ scenario: expected }]);
  });

  test.each(names)('a copy of %s is the same but for its name', (from) => {
    const checked = checkScenario(newScenario('mine.yaml', { from }));
    expect(checked).toEqual({ value: { ...findScenario(from).scenario, name: 'mine' } });
  });

  test('a file that is there stays, unless --force says otherwise', () => {
    writeFileSync(join(folder, 'mine.yaml'), 'precious');
    expect(mine().stderr).toContain('--force');
    expect(readFileSync(join(folder, 'mine.yaml'), 'utf8')).toBe('precious');
    expect(mine('--force').status).toBe(0);
    expect(readFileSync(join(folder, 'mine.yaml'), 'utf8')).toContain('name: mine\n');
  });

  test.each([
    [['mine.yaml', '--fault', 'cpu-deef'], 'did you mean cpu-deaf or'],
    [['mine.yaml', '--image', 'null-proces'], 'there is no image "null-proces"'],
    [['mine.yaml', '--watchdog', 'soon'], 'watchdog: "soon" is no number of seconds'],
    [['mine.yaml', '--from', 'bugg'], 'did you mean bug?'],
    [['Mine.yaml'], 'name: "Mine" is no name'],
    [['mine'], 'ends in .yaml'],
  ])('%j is refused, and nothing is written', (words, message) => {
    const run = here('scenario', 'new', ...words);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain(message);
    expect(readdirSync(folder)).toEqual([]);
  });
});
