/** What goes wrong on the command line: the words, the hint, the exit status. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { machine, program, type Run, root, tsdump } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inFolder = (...words: string[]): Run => tsdump(words, { cwd: folder });

function file(name: string, contents: string | Uint8Array): string {
  writeFileSync(join(folder, name), contents);
  return name;
}

describe('inputs that are no dumps', () => {
  const claim = (run: Run, status: number, code: string): void => {
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(new RegExp(`^tsdump: ${code}: `));
    expect(run.stderr).toContain('\n  hint: ');
    expect(run.stderr).not.toMatch(/\n {4}at /);
    expect(run.status).toBe(status);
  };

  test('a missing file is io, 6', () => {
    const run = inFolder('analyze', 'nothing', 'sys');
    claim(run, 6, 'io');
    expect(run.stderr).toContain('\n  at nothing\n');
  });

  test('a directory is unsupported, 3', () => {
    claim(inFolder('analyze', '.', 'sys'), 3, 'unsupported');
  });

  test('an empty file is unsupported, 3', () => {
    claim(inFolder('analyze', file('empty', ''), 'sys'), 3, 'unsupported');
  });

  test('a text file is unsupported, 3', () => {
    claim(inFolder('analyze', file('text', 'no dump\n'.repeat(100)), 'sys'), 3, 'unsupported');
  });

  test('a dump cut in its headers is truncated, 4', () => {
    const bytes = readFileSync(machine).subarray(0, 5000);
    const run = inFolder('analyze', file('cut', bytes), 'sys');
    expect(run.stderr).toMatch(/^tsdump: truncated: /);
    expect(run.status).toBe(4);
  });

  test('a FIFO that nobody writes to is unsupported, 3, and no endless wait', () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    claim(inFolder('analyze', 'fifo', 'sys'), 3, 'unsupported');
  });

  // Root may read everything.
  test.skipIf(process.getuid?.() === 0)('an unreadable file is io, 6', () => {
    const name = file('unreadable', 'x');
    chmodSync(join(folder, name), 0);
    claim(inFolder('analyze', name, 'sys'), 6, 'io');
  });

  test('a loop of links is io, 6', () => {
    symlinkSync('loop', join(folder, 'loop'));
    const run = inFolder('analyze', 'loop', 'sys');
    expect(run.stderr).toMatch(/^tsdump: io: .*ELOOP/);
    expect(run.status).toBe(6);
  });
});

describe('a dump that is cut in its pages', () => {
  const bytes = readFileSync(machine);
  const cut = file('half', bytes.subarray(0, bytes.length / 2));

  test('what is left is answered or refused, never invented', () => {
    const run = inFolder('analyze', cut, 'ps', '--json');
    const document = JSON.parse(run.stdout) as { complete: boolean; missing: unknown[] };
    expect(document.complete).toBe(false);
    expect(document.missing.length).toBeGreaterThan(0);
    expect([0, 4, 5]).toContain(run.status);
  });

  test('with --strict the exit status is not 0', () => {
    const { status } = inFolder('analyze', cut, 'log', '--strict');
    expect([4, 5]).toContain(status);
  });
});

describe('command lines that make no sense', () => {
  test.each([
    [['analize'], "unknown command 'analize' (did you mean analyze?)"],
    [['analyze', machine, 'pss'], "unknown command 'pss' (did you mean ps?)"],
    [['analyze', machine, 'ps', '--usr'], "unknown option '--usr'\n(Did you mean --user?)"],
    [['analyze', machine, 'sys', 'x'], 'sys takes no "x"'],
    [['capture', '--methd', 'kexec'], "unknown option '--methd'\n(Did you mean --method?)"],
  ])('%j', (words, message) => {
    const run = tsdump(words);
    expect(run.stderr).toContain(`tsdump: usage: ${message}`);
    expect(run.stdout).toBe('');
    expect(run.status).toBe(2);
  });

  test.each([
    [['help', 'captur'], "'captur' (did you mean capture?)"],
    [['analyze', machine, 'help', 'pss'], "'pss' (did you mean ps?)"],
    [['analyze', machine, 'help', 'xyzzy'], "'xyzzy'\n  hint: `help` lists the commands"],
  ])('%j: help refuses what it does not know', (words, message) => {
    const run = tsdump(words);
    expect(run.stderr).toContain(`tsdump: usage: unknown command ${message}`);
    expect(run.stderr).not.toContain('Usage: ');
    expect(run.stdout).toBe('');
    expect(run.status).toBe(2);
  });

  test.each([[['analyze']], [['analyze', '']]])('%j: analyze without a file', (words) => {
    const run = tsdump(words);
    expect(run.stderr).toBe(
      'tsdump: usage: no dump file was named\n  hint: tsdump analyze FILE [command]\n',
    );
    expect(run.status).toBe(2);
  });

  test('options that answer different questions', () => {
    const run = tsdump(['analyze', machine, 'ps', '-pc']);
    expect(run.stderr).toMatch(/^tsdump: usage: --parents and --children do not go together/);
    expect(run.status).toBe(2);
  });

  test('sym without a symbol', () => {
    const run = tsdump(['analyze', machine, 'sym']);
    expect(run.stderr).toMatch(/^tsdump: usage: sym needs a symbol/);
    expect(run.status).toBe(2);
  });
});

describe('what the dump does not have is absent, 5', () => {
  test.each([
    [['bt', '99999'], '"99999"'],
    [['ps', 'no-such'], '"no-such"'],
    [['sym', 'no_such_symbol'], 'symbol not found: no_such_symbol'],
    [['mod', 'no-such'], '"no-such" is loaded\n  hint: `mod` lists the modules'],
    [['sym', '-m', 'no-such'], '"no-such"'],
  ])('%j', (words, message) => {
    const run = tsdump(['analyze', machine, ...words]);
    expect(run.stderr).toMatch(/^tsdump: absent: /);
    expect(run.stderr).toContain(message);
    expect(run.status).toBe(5);
  });

  test('a symbol beside one that exists is a partial answer', () => {
    const run = tsdump(['analyze', machine, 'sym', 'schedule', 'no_such_symbol']);
    expect(run.stdout).toMatch(/ \(T\) schedule\n$/);
    expect(run.stderr).toContain('1 symbol, incomplete: ');
    expect(run.status).toBe(0);
  });
});

describe('the program itself', () => {
  const breakIt = 'data:text/javascript,JSON.stringify=()=>{throw new Error("boom%5Cnand more")}';
  const broken = (...words: string[]): Run =>
    tsdump(['analyze', machine, 'mod', '--json', ...words], { nodeOptions: ['--import', breakIt] });

  test('a bug of ours is one line and 70', () => {
    const run = broken();
    expect(run.stderr).toBe('tsdump: internal error: boom (--verbose shows where)\n');
    expect(run.status).toBe(70);
  });

  test('--verbose shows where', () => {
    expect(broken('--verbose').stderr).toMatch(/\n {4}at .*analyze\.js/);
  });

  test('a closed pipe ends it quietly', () => {
    const line =
      '"$0" "$1" analyze "$2" log 2>&1 >/dev/null | cat; "$0" "$1" analyze "$2" log | head -1';
    const words = ['-c', line, process.execPath, program, machine];
    const out = execFileSync('/bin/sh', words, { encoding: 'utf8', stdio: 'pipe' });
    expect(out).toMatch(/^\d+ records, complete\n\[ {4}0\.000000\] Linux version [^\n]*\n$/);
  });

  test.skipIf(!existsSync('/dev/full'))('output that cannot be written is io, 6', () => {
    const words = ['-c', '"$0" "$1" analyze "$2" log >/dev/full', process.execPath, program];
    const run = spawnSync('/bin/sh', [...words, machine], { encoding: 'utf8' });
    expect(run.stderr).toContain('tsdump: io: the output cannot be written: ENOSPC\n');
    expect(run.status).toBe(6);
  });

  test('bare: three worked examples', () => {
    const run = tsdump([]);
    expect(run.stdout.match(/^ {2}tsdump /gm)).toHaveLength(3);
    expect(run.status).toBe(0);
  });

  test('--version is that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(tsdump(['--version']).stdout).toBe(`${version}\n`);
  });

  test.each([
    [[]],
    [['analyze']],
    [['analyze', 'x', 'ps']],
    [['capture']],
    [['mkdump']],
    [['scenario', 'check']],
  ])('%j --help is help, with status 0', (words) => {
    const run = tsdump([...words, '--help']);
    expect(run.stdout).toMatch(/^Usage: tsdump/);
    expect(run.status).toBe(0);
  });
});
