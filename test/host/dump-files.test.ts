/** The files of a dump server in a real directory: whose names they have, and when. */

import {
  existsSync,
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
import { afterAll, describe, expect, test } from 'vitest';
import type { Peer } from '../../src/capture/_net/dump-server.ts';
import { dumpFiles } from '../../src/host/dump-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-dump-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
const fresh = (): string => mkdtempSync(join(folder, `${count++}-`));
const noon = () => Date.UTC(2004, 4, 27, 12);
const peer: Peer = { address: '10.0.0.7', port: 6666, protocol: 'netdump' };
const stem = '10.0.0.7-20040527T120000-vmcore';
const bytes = Uint8Array.of(1, 2, 3);
const refused = expect.objectContaining({ code: 'io' });

test('a file has its name when it is whole, not before, and only its owner may read it', () => {
  const directory = join(fresh(), 'made');
  const files = dumpFiles(directory, noon);
  const name = files.newName(peer);
  expect(name).toBe(stem);
  expect(readdirSync(directory)).toEqual([]);
  files.incomplete(name).write(2, bytes);
  expect(readdirSync(directory)).toEqual([`${stem}-incomplete`]);
  files.complete(name);
  expect(readdirSync(directory)).toEqual([stem]);
  expect([...readFileSync(join(directory, stem))]).toEqual([0, 0, 1, 2, 3]);
  expect(statSync(join(directory, stem)).mode & 0o777).toBe(0o600);
});

describe('no name leads out of the directory, or to a file that is there', () => {
  test.each(['../../etc/cron.d/x', '/etc/passwd', 'fe80::1%eth0/../..', '', 'a'.repeat(300)])(
    'an address that reads %j',
    (address) => {
      const directory = fresh();
      const files = dumpFiles(directory, noon);
      const name = files.newName({ ...peer, address });
      expect(name).toMatch(/^[0-9a-f._]{0,45}-20040527T120000-vmcore$/i);
      files.incomplete(name).write(0, bytes);
      files.complete(name);
      expect(readdirSync(directory)).toEqual([name]);
    },
  );

  test('names of one second are numbered: by this server, and by those before it', () => {
    const directory = fresh();
    const first = dumpFiles(directory, noon);
    expect([first.newName(peer), first.newName(peer)]).toEqual([stem, `${stem}-2`]);
    first.incomplete(stem).write(0, bytes);
    first.incomplete(`${stem}-2`).write(0, bytes);
    first.complete(stem);
    first.release(stem);
    first.release(`${stem}-2`);
    expect(first.newName(peer)).toBe(`${stem}-3`);
    expect(dumpFiles(directory, noon).newName(peer)).toBe(`${stem}-3`);
  });

  test('a link that somebody lays in its way is not followed', () => {
    const directory = fresh();
    const files = dumpFiles(directory, noon);
    const name = files.newName(peer);
    const target = join(fresh(), 'target');
    symlinkSync(target, join(directory, `${name}-incomplete`));
    expect(() => files.incomplete(name).write(0, bytes)).toThrow(refused);
    expect(existsSync(target)).toBe(false);
  });

  test('a name that is taken meanwhile stays as it is, and so does the dump without one', () => {
    const directory = fresh();
    const files = dumpFiles(directory, noon);
    const name = files.newName(peer);
    files.incomplete(name).write(0, bytes);
    writeFileSync(join(directory, name), 'theirs');
    expect(() => files.complete(name)).toThrow(refused);
    expect(readFileSync(join(directory, name), 'utf8')).toBe('theirs');
    expect([...readFileSync(join(directory, `${name}-incomplete`))]).toEqual([...bytes]);
  });
});

test('a directory that cannot be made is an io error', () => {
  const file = join(fresh(), 'file');
  writeFileSync(file, '');
  expect(() => dumpFiles(join(file, 'below'))).toThrow(refused);
});
