/** Files as sources and sinks: refusals of the system are said, nothing is overwritten. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fileSink } from '../../src/host/file-sink.ts';
import { fileSource } from '../../src/host/file-source.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { heedSignals } from '../../src/host/signals.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function fresh(): string {
  return join(folder, `file${count++}`);
}

describe('fileSource', () => {
  test('reads at any offset, less at the end, nothing after it', () => {
    const path = fresh();
    writeFileSync(path, 'abcdefgh');
    const source = fileSource(path);
    const read = (offset: number, length: number): string =>
      new TextDecoder().decode(source.read(offset, length));
    expect([source.size, read(2, 3), read(6, 10), read(8, 1), read(100, 5)]).toEqual([
      8,
      'cde',
      'gh',
      '',
      '',
    ]);
    source.close();
    source.close();
  });

  test('a file that shrinks while it is open reads short, no hang', () => {
    const path = fresh();
    writeFileSync(path, 'abcdefgh');
    const source = fileSource(path);
    truncateSync(path, 3);
    expect(source.read(0, 8)).toHaveLength(3);
    source.close();
  });

  test.each([
    ['no such file', () => fresh(), 'io', 'ENOENT'],
    ['a directory', () => folder, 'unsupported', 'is a directory'],
    ['a device', () => '/dev/null', 'unsupported', 'is not a regular file'],
  ])('%s is refused with a reason and a hint', (_, path, code, reason) => {
    const file = path();
    expect(() => fileSource(file)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(reason),
        where: { file },
        hint: expect.any(String),
      }),
    );
  });

  test('an empty file is refused', () => {
    const path = fresh();
    writeFileSync(path, '');
    expect(() => fileSource(path)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});

describe('fileSink', () => {
  test('the name appears with finish, never before', () => {
    const path = fresh();
    const sink = fileSink(path, { overwrite: false });
    sink.write(4, new TextEncoder().encode('tail'));
    sink.write(0, new TextEncoder().encode('head'));
    expect(existsSync(path)).toBe(false);
    sink.finish();
    expect(readFileSync(path, 'utf8')).toBe('headtail');
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('abort leaves nothing', () => {
    const path = fresh();
    const sink = fileSink(path, { overwrite: false });
    sink.write(0, new Uint8Array(10));
    sink.abort();
    sink.abort();
    expect(readdirSync(folder).filter((name) => name.startsWith(path))).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  test('a file of that name is kept unless it is to be replaced', () => {
    const path = fresh();
    writeFileSync(path, 'old');
    const exists = expect.objectContaining({ code: 'io', message: 'exists already' });
    expect(() => fileSink(path, { overwrite: false })).toThrow(exists);
    const sink = fileSink(path, { overwrite: true });
    sink.write(0, new TextEncoder().encode('new'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    sink.finish();
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  test('a file that appears while we write is kept, and no half dump stays behind', () => {
    const path = fresh();
    const sink = fileSink(path, { overwrite: false });
    sink.write(0, new Uint8Array(10));
    writeFileSync(path, 'theirs');
    expect(() => sink.finish()).toThrow(expect.objectContaining({ message: 'exists already' }));
    expect(readFileSync(path, 'utf8')).toBe('theirs');
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('a folder that is not there is an io error with the name', () => {
    const path = join(folder, 'none', 'file');
    expect(() => fileSink(path, { overwrite: false })).toThrow(
      expect.objectContaining({ code: 'io', where: { file: path } }),
    );
  });

  test('a directory in the way is an io error', () => {
    const path = fresh();
    const sink = fileSink(path, { overwrite: true });
    sink.write(0, new Uint8Array(10));
    mkdirSync(path);
    expect(() => sink.finish()).toThrow(expect.objectContaining({ code: 'io' }));
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('many sinks at once, of a split dump, have one handler of signals', async () => {
    const sinks = Array.from({ length: 12 }, () => fileSink(fresh(), { overwrite: false }));
    for (const sink of sinks) sink.write(0, new Uint8Array(10));
    expect(process.listenerCount('SIGINT')).toBe(1);
    for (const sink of sinks.slice(1)) sink.abort();
    await heedSignals();
    await heedSignals();
    expect(process.listenerCount('SIGINT')).toBe(1);
    sinks[0]!.abort();
  });

  test('no handler of signals stays behind', async () => {
    const releasedOnesGo = async (): Promise<void> => {
      await heedSignals();
      await heedSignals();
    };
    await releasedOnesGo();
    const sink = fileSink(fresh(), { overwrite: false });
    expect(process.listenerCount('SIGTERM')).toBe(0);
    sink.write(0, new Uint8Array(10));
    expect(process.listenerCount('SIGTERM')).toBe(1);
    sink.finish();
    await releasedOnesGo();
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });
});

test('sha256: the digest of FIPS 180-2', () => {
  const digest = sha256(new TextEncoder().encode('abc'));
  expect(Buffer.from(digest).toString('hex')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
