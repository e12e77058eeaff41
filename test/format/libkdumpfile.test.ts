/**
 * libkdumpfile, page by page: what it reads of the files that we write is what we read of them, and
 * of the same situations it says much the same. Skipped loudly where its Python module is not
 * installed.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { writeDiskdump } from '../../src/dump/diskdump/write.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage } from '../../src/dump/types.ts';
import { fileOf, preparedCodecs, recipesOf } from '../recipes/recipes.ts';
import { contentFor, type Machine, sampleImage } from '../support/content.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-libkdumpfile-'));
afterAll(() => rmSync(folder, { recursive: true }));
const codecs = await preparedCodecs();
const script = fileURLToPath(new URL('libkdumpfile.py', import.meta.url));

/** Debian's module belongs to Debian's Python, which need not be the first one. */
const python = ['python3', '/usr/bin/python3'].find(
  (each) => spawnSync(each, ['-c', 'import kdumpfile']).status === 0,
);
if (python === undefined) console.warn('skipped: no python3 with kdumpfile');

/** What it says of the file, and of each page. */
function foreign(bytes: Uint8Array, pfns: readonly number[]): { file: string; pages: string[] } {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const input = [`file ${path}`, ...pfns.map((pfn) => `page ${pfn}`)].join('\n');
  const output = execFileSync(python!, [script], { input: `${input}\n`, encoding: 'utf8' });
  const [file, ...pages] = output.trimEnd().split('\n');
  return { file: file!, pages };
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function storedPfns(dump: MemoryImage): number[] {
  return [...dump.runs()].flatMap(({ first, end, state }) =>
    state === 'stored' || state === 'zero'
      ? Array.from({ length: end - first }, (_, index) => first + index)
      : [],
  );
}

function open(bytes: Uint8Array): Promise<Dump> {
  return openDump(memorySource('file', bytes), { codecs });
}

describe.skipIf(python === undefined)('libkdumpfile', () => {
  const archNames: Readonly<Record<Machine, string>> = { x86_64: 'x86_64', i386: 'ia32' };
  const machines = ['x86_64', 'i386'] as const;
  const packings = ['none', 'rle', 'zlib'] as const;
  const lkcd = ([8, 9] as const).flatMap((version) =>
    machines.flatMap((machine) =>
      packings.map((compression) => [version, machine, compression] as const),
    ),
  );

  test.each(lkcd)('reads our LKCD version %i of %s, %s', async (version, machine, compression) => {
    const sink = new MemorySink();
    const content = contentFor(sampleImage(), machine);
    writeLkcd(sink, content, { version, compression, level: 0, codecs });
    const dump = await open(sink.bytes());
    const pfns = storedPfns(dump);
    expect(pfns.length).toBeGreaterThan(50);
    const { file, pages } = foreign(sink.bytes(), pfns);
    expect(file).toBe(`${archNames[machine]} 4096`);
    const ours = pfns.map((pfn) => digest(dump.readPage(pfn).bytes!));
    // It takes the count of a run for its length: LKCD's own encoder counts the repetitions.
    if (compression === 'rle') {
      expect(pages.some((page) => /Wrong uncompressed size/.test(page))).toBe(true);
      expect(pages.filter((page, index) => page === ours[index]).length).toBeGreaterThan(20);
    } else {
      expect(pages).toEqual(ours);
    }
  });

  const diskdump = machines.flatMap((machine) =>
    (['none', 'zlib'] as const).map((compression) => [machine, compression] as const),
  );

  test.each(diskdump)('reads our diskdump file of %s, %s', async (machine, compression) => {
    const sink = new MemorySink();
    const content = contentFor(sampleImage(), machine, 'user_regs');
    writeDiskdump(sink, content, { compression, level: 0, codecs });
    const dump = await open(sink.bytes());
    const pfns = storedPfns(dump);
    const { file, pages } = foreign(sink.bytes(), pfns);
    expect(file).toBe(`${archNames[machine]} 4096`);
    expect(pages).toEqual(pfns.map((pfn) => digest(dump.readPage(pfn).bytes!)));
  });

  /** What it cannot read and we can, and why that is right. */
  const differences: Readonly<Record<string, string>> = {
    'a raw record of size 0 is a page of zeros': 'crash reads it as zeros',
    'version 10 as crash reads it: 64 KiB, whatever the header says': 'it believes the header',
    'version 1 of i386, early: pages by their virtual address': 'it does not know them',
    'a live dump': 'it does not know the magic',
    'file, version 0, as kernels leave it': 'it stops before the bitmaps of version 0',
    'a page that was anonymous is no LZO page': 'it takes the flag for LZO',
    'a descriptor larger than a page': 'it writes past its buffer, and may die of that',
  };
  // It knows no partitions.
  const files = recipesOf('diskdump').filter(({ text }) => !text.includes('form=partition'));
  const of386 = recipesOf('kdump').filter(({ text }) => text.includes('machine=i386'));
  const situations = [...recipesOf('lkcd'), ...files, ...of386].map(({ name, text }) => ({
    name,
    text,
  }));

  test.each(situations)('of the recipe "$name" it reads the same pages', async (recipe) => {
    const file = fileOf(recipe, codecs);
    const dump = await open(file).catch(() => undefined);
    if (dump === undefined || differences[recipe.name] !== undefined) return;
    const pfns = storedPfns(dump);
    const { pages } = foreign(file, pfns);
    for (const [index, pfn] of pfns.entries()) {
      const { bytes } = dump.readPage(pfn);
      const isRun = /rle/.test(dump.description) && /Wrong uncompressed/.test(pages[index]!);
      if (bytes === undefined || isRun) expect(pages[index]).toMatch(/^error/);
      else expect(pages[index]).toBe(digest(bytes));
    }
  });

  test('the differences are really there', async () => {
    const unlike = situations.filter(({ name }) => differences[name] !== undefined);
    expect(unlike).toHaveLength(Object.keys(differences).length);
    for (const recipe of unlike.filter(({ name }) => !/larger than a page/.test(name))) {
      const file = fileOf(recipe, codecs);
      const dump = await open(file);
      const pfns = storedPfns(dump);
      const theirs = foreign(file, pfns).pages.join();
      expect(theirs, recipe.name).not.toBe(
        pfns.map((pfn) => digest(dump.readPage(pfn).bytes!)).join(),
      );
    }
  });
});
