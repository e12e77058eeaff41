/** `tsdump capture` and its methods on the default machine: report, verdict, file, exit status. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { machine, type Run, tsdump } from '../support/cli.ts';
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

test('bare capture: default machine, default method, a name that is free, the next command', () => {
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
  const run = here(method, '-o', 'out', '--compress', compression);
  expect(lastLine(run)).toBe('complete: tsdump analyze out');
  for (const name of answers) {
    const ours = here('analyze', 'out', name);
    expect(ours.status, name).toBe(0);
    expect(ours.stdout, name).toBe(tsdump(['analyze', machine, name]).stdout);
  }
  here('capture', '--method', method, '-o', 'again', '--compress', compression);
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

test('--verbose lists every change before the instant; no colour where no terminal is', () => {
  const { stdout } = here('kexec', '--verbose', '--level', '31');
  const lines = stdout.split('\n');
  const [count] = /\d+/.exec(lines.find((line) => line.startsWith('set-up: '))!)!;
  const first = lines.findIndex((line) => line.startsWith('Change '));
  expect(lines.slice(first + 1).indexOf('')).toBe(Number(count));
  expect(stdout).not.toContain('\u001b');
});
