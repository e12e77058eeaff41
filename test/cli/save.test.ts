/** `capture --keep-disk` and `save`: what a dump method left on a disk becomes a dump later. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathOf } from '../../bench/peers.mjs';
import { documentsOf, tsdump } from '../support/cli.ts';
import { schemaProblems } from '../support/schemas.ts';

const fdisk = pathOf('fdisk');
if (fdisk === undefined) console.warn('skipped: no fdisk to show the partitions of an image');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-save-'));
afterAll(() => rmSync(folder, { recursive: true }));
const run = (...words: readonly string[]) => tsdump(words, { cwd: folder });
const read = (name: string): Buffer => readFileSync(join(folder, name));

describe.each([
  ['diskdump', 'DISKDUMP'],
  ['mkdump', 'LKCD'],
  ['kexec', 'KDUMP'],
])('%s', (method, format) => {
  beforeAll(() => {
    const kept = ['--keep-disk', `${method}.img`, '-o', method];
    expect(run(method, '--level', '31', '--seed', '1', ...kept)).toMatchObject({ status: 0 });
  }, 60_000);

  test('the dump that is saved is the one that the capture saved, with a report', () => {
    const saved = run('save', `${method}.img`, '-o', `${method}.saved`);
    expect(saved.status, saved.stderr).toBe(0);
    expect(saved.stdout).toContain(`what ${method} left, as ${format}: ${method}.saved`);
    expect(read(`${method}.saved`).equals(read(method))).toBe(true);
    const report = read(`${method}.saved.report`).toString();
    expect(report).toMatch(/^LCRASH CORE FILE REPORT$/m);
    expect(report).toMatch(/^STACK TRACE FOR TASK: 0x[0-9a-f]{16} \(trigger\)$/m);
  });

  test('the image stays as it is: saved again, it is the same', () => {
    const before = read(`${method}.img`);
    const again = run('save', `${method}.img`, '-o', `${method}.again`, '--json');
    expect(again.status).toBe(0);
    const [document] = documentsOf(again.stdout);
    expect(schemaProblems(document)).toEqual([]);
    expect(document).toMatchObject({
      complete: true,
      data: { method, report: `${method}.again.report` },
    });
    expect(read(`${method}.img`).equals(before)).toBe(true);
  });

  test.skipIf(fdisk === undefined)('fdisk shows both partitions, and finds no fault', () => {
    const shown = spawnSync(fdisk!, ['-l', join(folder, `${method}.img`)], { encoding: 'utf8' });
    expect(shown.stderr).toBe('');
    expect(shown.stdout).toMatch(/Disklabel type: gpt/);
    expect(shown.stdout.match(/^\S+\.img\d/gm)).toHaveLength(2);
    expect(shown.stdout).toMatch(/Linux reserved\n.*Linux filesystem/);
  });
});

describe('a dump that is not whole', () => {
  test('cut by a loss of power, it is saved as far as it goes, and says so', () => {
    const words = ['--scenario', 'power-loss', '--seed', '1', '--keep-disk', 'cut.img'];
    expect(run('diskdump', ...words, '--expect', 'partial', '-o', 'first').status).toBe(0);
    const saved = run('save', 'cut.img', '-o', 'cut');
    expect(saved.status).toBe(0);
    expect(saved.stdout).toMatch(/^not whole: the header says incomplete/m);
    expect(read('cut').equals(read('first'))).toBe(true);
    expect(run('save', 'cut.img', '-o', 'strict', '--strict').status).toBe(5);
  });

  test('nothing on the disk: absent, and no file', () => {
    const faults = ['--fault', 'driver-without-dump-hooks', '--fault', 'server-down'];
    const words = [...faults, '--keep-disk', 'empty.img', '--expect', 'none', '--seed', '1'];
    expect(run('diskdump', ...words).status).toBe(0);
    const saved = run('save', 'empty.img', '-o', 'nothing');
    expect(saved).toMatchObject({ status: 5, stdout: '' });
    expect(saved.stderr).toContain('no method left a dump on the disk');
    expect(() => read('nothing')).toThrow();
  });
});

test('two disks: each is an image, and both together have the dump', () => {
  const words = ['--scenario', 'held-host-lock-two-disks', '--seed', '1', '--keep-disk', 'two.img'];
  expect(run('diskdump', ...words, '-o', 'two').status).toBe(0);
  expect(run('save', 'two.img', '-o', 'one').status).toBe(5);
  expect(run('save', 'two.img', 'two.img.2', '-o', 'both').status).toBe(0);
  expect(read('both').equals(read('two'))).toBe(true);
});

describe('what is no image', () => {
  const changed = (name: string, change: (bytes: Buffer) => Buffer): string => {
    writeFileSync(join(folder, name), change(read('small.img')));
    return name;
  };

  beforeAll(() => {
    const words = ['--fault', 'disk-too-small:percent=1', '--keep-disk', 'small.img'];
    run('mkdump', ...words, '-o', 'small', '--seed', '1');
  }, 60_000);

  test.each([
    ['a file of zeros', 3, /no partition table/, () => Buffer.alloc(4096)],
    ['an empty file', 3, /is empty/, () => Buffer.alloc(0)],
    ['a header that was changed', 4, /checksum of its header/, (b: Buffer) => flipped(b, 512 + 24)],
    [
      'entries that were changed',
      4,
      /checksum of its entries/,
      (b: Buffer) => flipped(b, 1024 + 33),
    ],
    ['an image that was cut', 4, /ends behind the end/, (b: Buffer) => b.subarray(0, 1 << 20)],
  ])('%s is refused with status %i', (name, status, message, change) => {
    const saved = run('save', changed(name.replaceAll(' ', '-'), change), '-o', 'never');
    expect(saved.status).toBe(status);
    expect(saved.stderr).toMatch(message);
    expect(saved.stderr.split('\n').length).toBeLessThan(5);
  });

  test('the image is not taken for the output, nor the other way round', () => {
    const { size } = statSync(join(folder, 'small.img'));
    expect(run('save', 'small.img', '-o', 'small.img', '--force').status).toBe(2);
    expect(run('mkdump', '--keep-disk', 'same', '-o', 'same').status).toBe(2);
    expect(run('mkdump', '--keep-disk', '-').status).toBe(2);
    expect(statSync(join(folder, 'small.img')).size).toBe(size);
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = bytes[at]! ^ 1;
  return bytes;
}
