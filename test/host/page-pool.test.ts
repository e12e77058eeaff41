/**
 * Who reads and packs the pages makes no difference to the file: the loop of the emulated methods,
 * this thread in batches, other threads. The last need the built program.
 */

import { copyFileSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { CompressionName } from '../../src/codec/types.ts';
import { findPooledZeroPages, findZeroPages, pagesThere } from '../../src/dump/filtered.ts';
import { batchesOf, type PagePool } from '../../src/dump/packed-pages.ts';
import type { MemoryImage } from '../../src/dump/types.ts';
import { writeDump, writeParts, writers } from '../../src/dump/writers.ts';
import { inlinePool } from '../../src/host/page-pool.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { root } from '../support/cli.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import { expectEqual, imageOf, type PageToHold } from '../support/pages.ts';
import { contentOf } from '../support/vmcore-content.ts';

const codecs = createCodecs(nodeZlib);
/** Threads start from compiled code. */
const { workerPool }: typeof import('../../src/host/page-pool.ts') = await import(
  pathToFileURL(join(root, 'dist/host/page-pool.js')).href
);
const folder = mkdtempSync(join(tmpdir(), 'tsdump-pool-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function written(
  format: string,
  image: MemoryImage,
  compression: CompressionName,
  pool?: PagePool,
): Promise<Uint8Array> {
  const sink = new MemorySink();
  const options = { compression, level: 1, codecs, ...(pool === undefined ? {} : { pool }) };
  const summary = await writeDump(format, sink, contentOf(image), options);
  expect(summary.bytes).toBe(sink.bytes().length);
  return sink.bytes();
}

/** Everything that can be met: 700 pages are three batches. */
function motley(): MemoryImage {
  const pages = new Map<number, PageToHold>();
  for (let pfn = 0; pfn < 900; pfn++) {
    if (pfn % 90 > 70) continue;
    const bytes = new Uint8Array(4096);
    if (pfn % 5 !== 0) for (let at = 0; at < 4096; at++) bytes[at] = (at * pfn) >> (pfn % 9);
    if (pfn % 7 === 0)
      for (let at = 0; at < 4096; at++) bytes[at] = Math.imul(at, 0x9e3779b1) >> 24;
    pages.set(pfn, pfn % 13 === 0 ? { state: 'excluded' } : { state: 'stored', bytes });
  }
  pages.set(60, { state: 'zero' });
  const image = imageOf(pages, 900);
  return {
    ...image,
    readPage: (pfn) =>
      pfn % 31 === 8 ? { state: 'damaged', bytes: undefined } : image.readPage(pfn),
  };
}

describe.each(writers)('$name', ({ name, compressions }) => {
  test.each(compressions)('packed with %s: the same file in batches', async (compression) => {
    await codecs.prepare(compression);
    const image = motley();
    const expected = await written(name, image, compression);
    expectEqual(await written(name, image, compression, inlinePool(image, codecs)), expected);
  });
});

test('a split dump: the same parts', async () => {
  const image = motley();
  const parts = async (pool?: PagePool): Promise<Uint8Array[]> => {
    const sinks = [new MemorySink(), new MemorySink()];
    const options = { compression: 'zlib', level: 1, codecs, ...(pool && { pool }) } as const;
    await writeParts(sinks, contentOf(image), options);
    return sinks.map((sink) => sink.bytes());
  };
  const expected = await parts();
  const found = await parts(inlinePool(image, codecs));
  for (const [index, part] of found.entries()) expectEqual(part, expected[index]!);
});

test('zero pages: the same ones, those that are known and those that are read', async () => {
  const image = motley();
  const within = pagesThere(image);
  const expected = findZeroPages(image, within);
  expect(expected.count).toBeGreaterThan(50);
  expect(expected.has(60)).toBe(true);
  const told: string[] = [];
  const progress = (done: number, total: number): void => void told.push(`${done} of ${total}`);
  const pool = inlinePool(image, codecs);
  const found = await findPooledZeroPages(image, within, pool, progress);
  expectEqual(found.bytes, expected.bytes);
  // What is known to be zeros needs no search.
  const read = [...image.runs()].reduce(
    (sum, { first, end, state }) => sum + (state === 'stored' ? end - first : 0),
    0,
  );
  expect(told.at(-1)).toBe(`${read} of ${read}`);
});

describe('other threads', () => {
  test('read a real dump as this one does, whichever is done first', async () => {
    const file = dumpPath('sysrq.kdump');
    const dump = await openFile(file);
    const pool = workerPool({ files: [file] }, 3);
    try {
      for (const compression of ['zlib', 'lzo'] as const) {
        const expected = await written('kdump', dump, compression);
        expectEqual(await written('kdump', dump, compression, pool), expected);
      }
      const zeros: number[] = [];
      const runs = [...dump.runs()].filter(({ state }) => state === 'stored');
      for await (const { runs: batch, sizes } of pool.findZeros(batchesOf(runs))) {
        let index = 0;
        for (const { first, end } of batch) {
          for (let pfn = first; pfn < end; pfn++) if (sizes[index++]! > 4096) zeros.push(pfn);
        }
      }
      const isZero = (pfn: number): boolean =>
        dump.readPage(pfn).bytes?.every((byte) => byte === 0) === true;
      const expected = runs.flatMap(({ first, end }) =>
        Array.from({ length: end - first }, (_, at) => first + at).filter(isZero),
      );
      expect(zeros).toEqual(expected);
    } finally {
      await pool.close();
      dump.close();
    }
  });

  test('are told once what to open, however many batches there are', async () => {
    const file = dumpPath('sysrq.kdump');
    let told = 0;
    const input = {
      get files() {
        told++;
        return [file];
      },
    };
    const pool = workerPool(input, 2);
    const batches = Array.from({ length: 40 }, (_, first) => [{ first, end: first + 1 }]);
    for await (const { sizes } of pool.findZeros(batches)) expect(sizes.length).toBe(1);
    expect(told).toBeLessThanOrEqual(2);
    await pool.close();
  });

  test('whose dump is not there any more: an error, no hang', async () => {
    const file = join(folder, 'gone.kdump');
    copyFileSync(dumpPath('sysrq.kdump'), file);
    const dump = await openFile(file);
    rmSync(file);
    const pool = workerPool({ files: [file] }, 2);
    await expect(written('kdump', dump, 'none', pool)).rejects.toThrow(/cannot be opened/);
    await pool.close();
    dump.close();
  });

  test('who find the file cut lose its last pages and say how many', async () => {
    const file = join(folder, 'cut.kdump');
    copyFileSync(dumpPath('sysrq.kdump'), file);
    const dump = await openFile(file);
    truncateSync(file, 3_000_000);
    const pool = workerPool({ files: [file] }, 2);
    const options = { compression: 'none', level: 0, codecs, pool } as const;
    const summary = await writeDump('kdump', new MemorySink(), contentOf(dump), options);
    expect(summary.unreadable).toBeGreaterThan(100);
    expect(summary.pages).toBeGreaterThan(100);
    await pool.close();
    dump.close();
  });
});
