/** `tsdump capture` and its methods on sound machines: report, verdict, file, exit status. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { machine, program, type Run, tsdump } from '../support/cli.ts';
import { schemaProblems } from '../support/schemas.ts';

const parent = mkdtempSync(join(tmpdir(), 'tsdump-capture-'));
let folder = parent;
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'run-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const here = (...words: string[]): Run => tsdump(words, { cwd: folder });
const lastLine = ({ stdout }: Run): string | undefined => stdout.trimEnd().split('\n').at(-1);

const answers = ['ps', 'log', 'bt', 'mod'];

test('bare capture: default scenario, default method, a name that is free, the next command', () => {
  writeFileSync(join(folder, 'mkdump.lkcd'), 'an earlier one');
  const run = here('capture');
  expect(`${run.status} ${run.stderr}`).toBe('0 ');
  expect(lastLine(run)).toBe('complete: tsdump analyze mkdump-2.lkcd');
  expect(readdirSync(folder)).toEqual(['mkdump-2.lkcd', 'mkdump.lkcd']);
});

test.each([
  ['mkdump', 'rle'],
  ['kexec', 'snappy'],
])('%s: its dump answers as the memory that it was taken from', (method, compression) => {
  const words = ['--machine', machine, '--compress', compression, '--seed', '1'];
  const run = here(method, '-o', 'out', ...words);
  expect(lastLine(run)).toBe('complete: tsdump analyze out');
  for (const name of answers) {
    const ours = here('analyze', 'out', name);
    expect(ours.status, name).toBe(0);
    expect(ours.stdout, name).toBe(tsdump(['analyze', machine, name]).stdout);
  }
  here('capture', '--method', method, '-o', 'again', ...words);
  const [out, again] = ['out', 'again'].map((name) => readFileSync(join(folder, name)));
  expect(again!.equals(out!), 'capture --method is the same code').toBe(true);
});

test.each([
  ['mkdump', 'lkcd', 'none'],
  ['kexec', 'kdump', 'zstd'],
])('%s to %s, --compress %s: a report that its schema allows', (method, format, compression) => {
  const run = here(method, '--compress', compression, '--json', '--level', 'zero,free');
  const document = JSON.parse(run.stdout);
  expect(schemaProblems(document)).toEqual([]);
  const output = `${method}.${format}`;
  const verdict = { class: 'complete' };
  expect(document.data).toMatchObject({ output, compression, format, level: 17, verdict });
  expect(here('analyze', output, 'sys')).toMatchObject({ status: 0, stderr: '' });
});

describe('--dump-device: a device that was mistyped', () => {
  test.each([
    [['lkcd', 'disk'], 'file-system', 'destructive', /bytes outside of the dump area/],
    [['mkdump'], 'file-system', 'destructive', /bytes outside of the dump area/],
    [
      ['diskdump'],
      'file-system',
      'complete',
      /block 0 has no diskdump signature: it is left alone/,
    ],
    [['diskdump'], 'swap', 'complete', /sda1 is a swap area/],
  ])('%s, %s: %s', (method, device, verdict, why) => {
    const { stdout } = here(...method, '--dump-device', device, '--seed', '1');
    expect(stdout).toMatch(why);
    expect(stdout).toMatch(new RegExp(`^${verdict}: `, 'm'));
    expect(stdout).toContain(`tsdump ${method.join(' ')} --dump-device ${device} --seed 1`);
  });

  test('a method without one refuses it', () => {
    const run = here('capture', '--method', 'kexec', '--dump-device', 'swap');
    expect(run.stderr).toMatch(/kexec writes to no device/);
    expect(run.status).toBe(2);
    expect(here('netdump', '--dump-device', 'swap').stderr).toMatch(/unknown option/);
    expect(here('mkdump', '--dump-device', 'tape').stderr).toMatch(/one of file-system, swap/);
  });
});

describe('exit status and output file', () => {
  test('a verdict that was not expected is 1', () => {
    const run = here('kexec', '--expect', 'none', '--quiet', '--level', '31');
    expect(run.stdout).toBe('complete: tsdump analyze kexec.kdump\n');
    expect(run.status).toBe(1);
  });

  test('an existing file is refused without --force, and stays as it is', () => {
    writeFileSync(join(folder, 'mine'), 'precious');
    const run = here('kexec', '-o', 'mine');
    expect(run.status).not.toBe(0);
    expect(run.stderr).toContain('--force');
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('precious');
    expect(here('kexec', '-o', 'mine', '--force', '--level', '31').status).toBe(0);
    expect(readdirSync(folder)).toEqual(['mine']);
  });

  test('the machine that is captured is never written over', () => {
    const file = join(folder, 'mine.kdump');
    copyFileSync(machine, file);
    symlinkSync(file, join(folder, 'link'));
    const run = here('kexec', '--machine', 'mine.kdump', '-o', 'link', '--force');
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining('is the dump itself') });
    expect(readFileSync(file).equals(readFileSync(machine))).toBe(true);
  });

  test.each([
    ['a FIFO', (path: string) => execFileSync('mkfifo', [path]), 'is not a regular file'],
    ['a directory', (path: string) => mkdirSync(path), 'is a directory'],
  ])('%s is not replaced, not even with --force', (_, make, reason) => {
    make(join(folder, 'taken'));
    const before = lstatSync(join(folder, 'taken')).ino;
    const run = here('kexec', '-o', 'taken', '--force');
    expect(run.stderr).toMatch(new RegExp(`^tsdump: io: ${reason}\n  at taken\n  hint: `));
    expect(run.status).toBe(6);
    expect(lstatSync(join(folder, 'taken')).ino).toBe(before);
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  test('an empty name is usage, 2', () => {
    const run = here('kexec', '-o', '');
    expect(run.stderr).toMatch(/^tsdump: usage: --output/);
    expect(run.status).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a folder that does not exist is io, 6', () => {
    const run = here('kexec', '-o', 'no/such/file');
    expect(run.stderr).toMatch(/^tsdump: io: /);
    expect(run.status).toBe(6);
  });

  test('a machine that is no dump leaves no file', () => {
    writeFileSync(join(folder, 'text'), 'no dump');
    const run = here('kexec', '--machine', 'text', '-o', 'out');
    expect(run.status).toBe(3);
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  test.each([
    [['--method', 'kexce'], 'did you mean kexec?'],
    [['--level', '99'], 'the highest level is 31'],
    [['--compress', 'lz4'], 'unknown "lz4"'],
    [['--expect', 'complet'], 'did you mean complete?'],
  ])('%j makes no sense', (words, message) => {
    const run = here('capture', ...words);
    expect(run.stderr).toMatch(/^tsdump: usage: /);
    expect(run.stderr).toContain(message);
    expect(run.status).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('with --json a failure is a document too', () => {
    const run = here('capture', '--machine', 'nothing', '--json');
    const document = JSON.parse(run.stdout);
    expect(schemaProblems(document)).toEqual([]);
    expect(document).toMatchObject({ schema: 'capture/1', data: null, complete: false });
    expect(run.status).toBe(6);
  });
});

/** Sends SIGINT as soon as `isTime`; the signal that ended the program. */
async function interrupted(isTime: () => boolean): Promise<NodeJS.Signals | null> {
  const words = [program, 'mkdump', '-o', 'out', '--force'];
  const child = spawn(process.execPath, words, { cwd: folder, stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (child.exitCode === null && !isTime()) await setTimeout(2);
  child.kill('SIGINT');
  return (await ended)[1];
}

describe('SIGINT, 130 for a shell, leaves no temporary file', () => {
  const parts = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.part'));

  test('before the file is written', async () => {
    const start = Date.now();
    expect(await interrupted(() => Date.now() - start > 500)).toBe('SIGINT');
    expect(parts()).toEqual([]);
  });

  test('while it is written', async () => {
    // The name is also there for an instant at the start, when it is tried.
    const isWritten = (): boolean =>
      parts().some(
        (name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0) > 0,
      );
    expect(await interrupted(isWritten)).toBe('SIGINT');
    expect(parts()).toEqual([]);
  });
});

test('a dump that was cut says so where it does not answer', () => {
  here('mkdump', '-o', 'whole', '--level', '31');
  const bytes = readFileSync(join(folder, 'whole'));
  writeFileSync(join(folder, 'half'), bytes.subarray(0, bytes.length / 2));
  const run = here('analyze', 'half', 'log');
  expect(run.stderr).toMatch(/^tsdump: truncated: /);
  expect(run.stderr).toMatch(/\n {2}hint: .*the file is cut/);
  expect(run.status).toBe(4);
  writeFileSync(join(folder, 'half'), bytes.subarray(0, bytes.length - 1));
  const task = here('analyze', 'half', 'bt', '99999');
  expect(task.stderr).toMatch(/^tsdump: absent: .*\n {2}hint: .*; the file is cut/);
  expect(task.status).toBe(5);
});

test('--verbose lists every change before the instant; no colour where no terminal is', () => {
  const { stdout } = here('kexec', '--verbose', '--level', '31');
  const lines = stdout.split('\n');
  const [count] = /\d+/.exec(lines.find((line) => line.startsWith('set-up: '))!)!;
  const first = lines.findIndex((line) => line.startsWith('Change '));
  expect(lines.slice(first + 1).indexOf('')).toBe(Number(count));
  expect(stdout).not.toContain('\u001b');
});

describe('--explain-needs', () => {
  test('compares methods, and says of each what it needs where', () => {
    const run = here('capture', '--explain-needs', 'kexec,hypervisor', '--picture', 'needs.svg');
    expect(`${run.status} ${run.stderr}`).toBe('0 ');
    expect(run.stdout).toContain('locks: __kexec_lock');
    expect(run.stdout).toMatch(/^hypervisor +1 +0 +0 /m);
    expect(run.stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(readFileSync(join(folder, 'needs.svg'), 'utf8')).toMatch(/^<svg/);
    expect(readdirSync(folder)).toEqual(['needs.svg']);
  });

  test('as JSON by its schema, of a dump of the user', () => {
    const words = ['--machine', machine, '--level', '0', '--json'];
    const run = here('capture', '--explain-needs', 'mkdump', ...words);
    const document = JSON.parse(run.stdout);
    expect(schemaProblems(document)).toEqual([]);
    expect(document.data.needs[0]).toMatchObject({ method: 'mkdump', level: 0, stopped: null });
  });

  test.each([
    [['--explain-needs', 'kexce'], 'kexec'],
    [['--explain-needs', ','], 'no method is named'],
    [['--explain-needs', 'kexec', '--fault', 'disk-hung'], '--fault means nothing'],
    [['--explain-needs', 'kexec', '--picture', 'a.html'], 'needs are drawn as .svg'],
  ])('%j is refused', (words, message) => {
    const run = here('capture', ...words);
    expect(run.status).toBe(2);
    expect(run.stderr).toContain(message);
  });
});
