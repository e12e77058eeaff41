/**
 * What `npm pack` makes, installed into an empty folder: the only thing that a user ever gets.
 * Needs `dist`; the test command builds before it starts.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'tsdump-package-'));
const installed = join(folder, 'node_modules/tsdump');

interface PackedFile {
  readonly path: string;
  readonly size: number;
}
let packed: readonly PackedFile[] = [];

function npm(directory: string, ...words: string[]): string {
  const env = { ...process.env };
  // Settings of the npm that may be running this test; they name the wrong project.
  for (const name of Object.keys(env))
    if (/^npm_(?:package|lifecycle)_/.test(name)) delete env[name];
  delete env['npm_config_local_prefix'];
  return execFileSync('npm', words, { cwd: directory, env, encoding: 'utf8', stdio: 'pipe' });
}

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function tsdump(...words: string[]): Run {
  const program = join(folder, 'node_modules/.bin/tsdump');
  return spawnSync(program, words, { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

beforeAll(() => {
  if (!existsSync(join(root, 'dist/index.js'))) npm(root, 'run', 'build');
  const report = npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  const [pack] = JSON.parse(report) as [{ filename: string; files: PackedFile[] }];
  packed = pack.files;
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }\n');
  npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${pack.filename}`);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the tarball', () => {
  const paths = (): string[] => packed.map(({ path }) => path);

  test('holds the program, its default machine, its manual and its licence', () => {
    const wanted = [
      'bin/tsdump.js',
      'dist/index.js',
      'dist/index.d.ts',
      'fixtures/machine/oom.kdump',
    ];
    // Help shows outputs out of the page of commands.
    const texts = ['LICENSE', 'README.md', 'CHANGELOG.md', 'docs/reference/commands.md'];
    for (const path of [...wanted, ...texts, 'man/tsdump.1']) {
      expect(paths()).toContain(path);
    }
  });

  test('holds no sources, tests or makers of fixtures', () => {
    expect(paths().filter((path) => /^(?:src|test|bench|fixtures\/build)\//.test(path))).toEqual(
      [],
    );
  });

  test('is at most 35 MB, most of it the panics that come along', () => {
    const size = packed.reduce((sum, file) => sum + file.size, 0);
    expect(size).toBeLessThan(35_000_000);
  });

  test('has entries that every module resolution finds', async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('pulls in no package with an install script', () => {
    const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: true }>;
    };
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
    expect(scripted).toEqual([]);
  });
});

describe('installed into an empty folder', () => {
  const machine = join(installed, 'fixtures/machine/null-process.kdump');

  test('tsdump analyze answers from a vmcore', () => {
    const run = tsdump('analyze', machine, 'sys');
    expect(run.stdout).toContain('PANIC: "Oops: 0000');
    expect(`${run.status} ${run.stderr}`).toMatch(/^0 /);
  });

  test.each([
    ['mkdump', 'lkcd'],
    ['kexec', 'kdump'],
  ])('tsdump capture --method %s makes a dump that tsdump analyze opens', (method, format) => {
    const output = `captured.${format}`;
    const capture = tsdump('capture', '--method', method, '-o', output, '--json');
    expect(`${capture.status} ${capture.stderr}`).toMatch(/^0 /);
    const bt = tsdump('analyze', output, 'bt');
    expect(bt.stdout).toMatch(/#\d+ \[[0-9a-f]{16}\] panics_dereference at /);
    expect(bt.stdout).toBe(tsdump('analyze', machine, 'bt').stdout);
  });

  test('a script in TypeScript imports the package that runs it', () => {
    const script = `
      import { isKernelObject, type Script } from 'tsdump';
      export default (({ kernel, print }) => {
        for (const task of kernel.tasks()) if (isKernelObject(task)) print(task.comm as string);
      }) satisfies Script;
    `;
    writeFileSync(join(folder, 'example.ts'), script);
    const run = tsdump('analyze', machine, '--script', 'example.ts');
    expect(`${run.status} ${run.stderr}`).toBe('0 ');
    expect(run.stdout.split('\n')).toContain('kthreadd');
  });

  test('import { capture, openDump, openKernel } works in a module', () => {
    const script = `
      import { capture, openDump, openKernel } from 'tsdump';
      const dump = await openDump(process.argv[2]);
      const tasks = [...openKernel(dump).tasks()].length;
      const faults = ['disk-hung:until=never'];
      const { verdict, why } = await capture(dump, { method: 'mkdump', level: 31, faults });
      console.log(tasks, verdict.class, why.smallest.join());
    `;
    writeFileSync(join(folder, 'example.mjs'), script);
    const base = join(installed, 'fixtures/machine/base.kdump');
    const run = spawnSync(process.execPath, ['example.mjs', base], { cwd: folder });
    expect(run.stderr.toString()).toBe('');
    expect(run.stdout.toString()).toMatch(/^\d\d none disk-hung:until=never\n$/);
  });
});
