/** Manual pages and documents say what the program does: their examples are run. */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/analyze/table.ts';
import { commandsPage } from '../../src/cli/commands-page.ts';
import { knownGrids } from '../../src/cli/library.ts';
import { manualPages } from '../../src/cli/man.ts';
import { commandTree } from '../../src/cli/program.ts';
import { faultsPage, scenariosPage } from '../../src/cli/reference.ts';
import { knownScenarios } from '../../src/cli/scenario.ts';
import { packageVersion } from '../../src/cli/version.ts';
import { scenarioNames } from '../../src/cli/world.ts';
import { faultKinds } from '../../src/trial/faults/kinds.ts';
import { machine, program, root, tsdump } from '../support/cli.ts';
import { schemaNames } from '../support/schemas.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-documents-'));
mkdirSync(join(folder, 'bin'));
symlinkSync(program, join(folder, 'bin/tsdump'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tree = commandTree(packageVersion());

describe('manual pages', () => {
  const pages = manualPages(tree, packageVersion());

  test('are those of the tree of commands (otherwise: npm run man)', () => {
    const names = readdirSync(join(root, 'man')).filter((name) => name.endsWith('.1'));
    expect(names.sort()).toEqual([...pages.keys()].sort());
    for (const [name, text] of pages) {
      expect(readFileSync(join(root, 'man', name), 'utf8'), name).toBe(text);
    }
  });

  test('there is one for every command of analyze', () => {
    for (const { name } of commands)
      expect([...pages.keys()]).toContain(`tsdump-analyze-${name}.1`);
  });

  test.skipIf(spawnSync('man', ['--version']).status !== 0)('man formats them all', () => {
    for (const name of pages.keys()) {
      const run = spawnSync('man', ['--warnings', '-l', join(root, 'man', name)], {
        encoding: 'utf8',
        env: { ...process.env, MANPAGER: 'cat', LC_ALL: 'C.UTF-8' },
      });
      expect(run.stderr, name).toBe('');
      expect(run.stdout).toContain('SYNOPSIS');
    }
  });
});

test('the page of commands has what their examples print (otherwise: npm run man)', async () => {
  const page = await commandsPage();
  expect(readFileSync(join(root, 'docs/reference/commands.md'), 'utf8')).toBe(page);
  for (const { name, examples } of commands) {
    expect(page).toContain(`\n## ${name}\n`);
    for (const [line] of examples) expect(page).toContain(`\n$ tsdump analyze vmcore ${line}\n`);
  }
});

test('help shows what an example prints, as its manual page does', () => {
  const { stdout } = tsdump(['analyze', 'vmcore', 'help', 'ps']);
  expect(stdout).toContain('\n  tsdump analyze vmcore ps -p 59 ');
  const line = 'PID: 59       TASK: ffff8b9fc58e20c0  CPU: 0    COMMAND: "ipv6_addrconf"';
  expect(stdout).toContain(`\n      ${line}\n`);
  expect(manualPages(tree, '0').get('tsdump-analyze-ps.1')).toContain(`\n  ${line}\n`);
});

describe('reference pages are made of the descriptions (otherwise: npm run man)', () => {
  const page = scenariosPage(knownScenarios(), knownGrids());
  test.each([
    ['faults.md', faultsPage()],
    ['scenarios.md', page],
  ])('%s', (name, text) => {
    expect(readFileSync(join(root, 'docs/reference', name), 'utf8')).toBe(text);
  });

  test('every kind of fault and every scenario has a section', () => {
    const heads = [...faultsPage().matchAll(/^### (.+)$/gm)].map(([, head]) => head);
    expect(heads).toEqual(faultKinds.map(({ name }) => name));
    const named = [...page.matchAll(/^### (.+)$/gm)].map(([, head]) => head);
    expect(named).toEqual(scenarioNames());
  });
});

test('every command of analyze has its schema', () => {
  const wanted = commands.map(({ schema }) => `${schema.replace('/', '-')}.json`);
  expect(schemaNames).toEqual(expect.arrayContaining(wanted));
});

interface Example {
  readonly command: string;
  readonly output: readonly string[];
}

/** Every `$ ...` in a ```console block, with the lines below it. */
function examplesIn(text: string): Example[] {
  return [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command, ...output] = part.trimEnd().split('\n');
        return { command: command!, output };
      }),
  );
}

/** A line `...` stands for any lines, `...` at the end of a line for anything more in it. */
function matches(output: readonly string[]): RegExp {
  const lines = output.map((line) => {
    if (line === '...') return '(?:.*\\n)*?';
    const literal = line.replace(/\.\.\.$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return `${literal}${line.endsWith('...') ? '.*' : ' *'}\\n`;
  });
  // Blank lines at the end would be lost on the reader of the page.
  return new RegExp(`^${lines.join('')}\\n*$`);
}

const taught = ['start', 'check', 'convert', 'reports', 'shell', 'scripts'].map(
  (name) => `docs/${name}.md`,
);

describe.each(['README.md', ...taught])('%s', (name) => {
  const text = readFileSync(join(root, name), 'utf8');
  // Each document has a folder of its own, and its examples run one after the other in it.
  const cwd = join(folder, name.replaceAll('/', '-'));
  mkdirSync(cwd);
  symlinkSync(machine, join(cwd, 'vmcore'));
  symlinkSync(join(root, 'docs'), join(cwd, 'docs'));
  const examples = examplesIn(text).filter(({ command }) => /\btsdump\b/.test(command));

  test('has examples', () => expect(examples.length).toBeGreaterThan(2));

  for (const { command, output } of examples) {
    test(`$ ${command}`, () => {
      const PATH = `${join(folder, 'bin')}:${process.env['PATH']}`;
      const run = spawnSync('/bin/sh', ['-c', command], {
        cwd,
        env: { ...process.env, PATH },
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      });
      expect(run.stdout).toMatch(matches(output));
    });
  }
});

describe('links between documents', () => {
  const documents = ['README.md', 'docs'].flatMap((name) =>
    name.endsWith('.md')
      ? [name]
      : readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
          .filter((path) => path.endsWith('.md'))
          .map((path) => join(name, path)),
  );

  test.each(documents)('%s: every relative link leads somewhere', (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, link]) => link!);
    const broken = links.filter((link) => !existsSync(join(root, dirname(name), link)));
    expect(broken).toEqual([]);
  });
});

test('the example of the library runs', () => {
  const words = [join(root, 'docs/examples/stuck-tasks.mjs'), machine];
  const run = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(run.stdout).toContain('ID      3 rcu_gp in rescuer_thread\n');
});

test('npm run demo ends with the backtrace of the task that panicked', () => {
  const words = [join(root, 'docs/examples/walk.mjs')];
  const run = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  expect(run.status).toBe(0);
  expect(run.stdout.match(/^complete: tsdump analyze /gm)).toHaveLength(2);
  const [, last] = /\n== (?![\s\S]*\n== )([\s\S]*)$/.exec(run.stdout)!;
  expect(last).toMatch(/ #\d \[\w{16}\] panics_dereference at /);
  expect(run.stdout).toMatch(/^ended in purgatory /m);
});
