/**
 * Damaged files: at least 2,000 mutations of small valid files for each reader. Whatever happens to
 * the bytes, opening, listing the runs and reading every page ends, with DumpErrors only, reading a
 * bounded number of bytes. TSDUMP_FUZZ=N does N mutations of each reader, TSDUMP_SEED=S that one.
 */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { memorySource, type Source } from '../../src/bytes/source.ts';
import type { Codecs } from '../../src/codec/types.ts';
import { openDump } from '../../src/dump/open.ts';
import { fileOf, preparedCodecs, recipesOf } from '../recipes/recipes.ts';
import { mutate, Random } from '../support/mutate.ts';

const codecs = await preparedCodecs();
const mutations = Number(process.env['TSDUMP_FUZZ'] ?? 2200);
const onlySeed = process.env['TSDUMP_SEED'];
/** Reading all of a file through windows, some of it twice, and a page again and again. */
const maxReads = 20_000;
const maxBytesRead = 64 * 1024 * 1024;
const maxPagesRead = 500;
const maxMemory = 64 * 1024 * 1024;

/** Where the structures of each format are: most damage is to go there. */
const hotSpots: Readonly<Record<string, readonly number[]>> = {
  elf: [0, 0, 64, 192],
  kdump: [0, 400, 4096, 4096, 4200, 12288, 16384, 20480],
  flattened: [0, 4096, 4096, 8208, 4612],
  diskdump: [0, 400, 4096, 4500, 8192, 12288, 16384, 20480],
  lkcd: [0, 0, 700, 65536, 65536, 65600],
  lime: [0, 0, 4128, 8256],
  mkdump: [0, 0, 64, 4096, 4096, 4200],
};

/** Counts what a reader asks for, and stops one that would go on for ever. */
function counted(file: Uint8Array): { source: Source; reads: () => number } {
  const inner = memorySource('fuzz', file);
  let reads = 0;
  let bytes = 0;
  const source: Source = {
    ...inner,
    read(offset, length) {
      reads++;
      const result = inner.read(offset, length);
      bytes += result.length;
      if (reads > maxReads || bytes > maxBytesRead) {
        throw new Error(`${reads} reads, ${bytes} bytes of a file of ${file.length}`);
      }
      return result;
    },
  };
  return { source, reads: () => reads };
}

async function readAll(file: Uint8Array, lent = codecs): Promise<'opened' | 'refused'> {
  const { source } = counted(file);
  try {
    const dump = await openDump(source, { codecs: lent });
    let pages = 0;
    let end = 0;
    let runs = 0;
    for (const run of dump.runs()) {
      // Maximal, ascending, without gaps.
      if (run.first !== end || run.end <= run.first) throw new Error('runs are no partition');
      end = run.end;
      if (++runs > 100_000) throw new Error('runs without end');
      for (const pfn of [run.first, run.end - 1]) {
        if (dump.state(pfn) !== run.state) throw new Error(`state of ${pfn} is not its run's`);
      }
      for (let pfn = run.first; pfn < run.end && pages < maxPagesRead; pfn++, pages++) {
        const { state, bytes } = dump.readPage(pfn);
        const held = state === 'stored' || state === 'zero';
        if (held !== (bytes?.length === dump.pageSize)) throw new Error(`page ${pfn}: ${state}`);
        if (state !== run.state && state !== 'damaged') throw new Error(`${run.state}: ${state}`);
        if (run.state !== 'stored' && run.state !== 'zero' && run.end - run.first > 64) pfn += 63;
      }
    }
    if (end !== dump.endPfn) throw new Error('runs end before endPfn');
    return 'opened';
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    if (error.message === '' || error.where.file === undefined) {
      throw new Error('an error without place', { cause: error });
    }
    return 'refused';
  }
}

test('canary: a reader that throws anything else is noticed', async () => {
  const broken: Codecs = {
    ...codecs,
    get: (name) => ({
      ...codecs.get(name),
      decompress: () => {
        throw new RangeError('canary');
      },
    }),
  };
  const file = fileOf(recipesOf('kdump')[0]!, codecs);
  await expect(readAll(file, broken)).rejects.toThrow('canary');
});

describe.each(Object.keys(hotSpots))('%s', async (format) => {
  const files: Uint8Array[] = [];
  for (const recipe of recipesOf(format)) {
    const file = fileOf(recipe, codecs);
    if ((await readAll(file)) === 'opened') files.push(file);
  }

  test(`${mutations} damaged files: read or refused, nothing else`, async () => {
    let opened = 0;
    let slowest = 0;
    for (let seed = 1; seed <= mutations; seed++) {
      if (onlySeed !== undefined && seed !== Number(onlySeed)) continue;
      const random = new Random(Math.imul(seed, 0x9e3779b1));
      const damaged = mutate(files[seed % files.length]!, random, hotSpots[format]!);
      const start = performance.now();
      const held = process.memoryUsage().arrayBuffers;
      try {
        if ((await readAll(damaged)) === 'opened') opened++;
        const grown = process.memoryUsage().arrayBuffers - held;
        if (grown > maxMemory) throw new Error(`${grown} bytes of memory`);
      } catch (cause) {
        const again = `TSDUMP_SEED=${seed} npx vitest run test/format/fuzz.test.ts -t ${format}`;
        throw new Error(`seed ${seed} breaks the ${format} reader; again: ${again}`, { cause });
      }
      slowest = Math.max(slowest, performance.now() - start);
    }
    const memory = Math.round(process.memoryUsage().rss / 1e6);
    console.log(
      `${format}: ${opened} of ${mutations} opened, slowest ${slowest.toFixed(0)} ms, ` +
        `${memory} MB resident`,
    );
    if (onlySeed === undefined) expect(opened).toBeGreaterThan(mutations / 10);
  });
});
