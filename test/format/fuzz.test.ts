/**
 * Damaged input to everything that reads bytes of others: what coverage-guided fuzzing found worth
 * keeping (test/fuzz/corpus), then new damage from there, a fixed number of runs from a fixed seed.
 * Whatever happens to the bytes, reading ends, with DumpErrors only, and is bounded: see
 * test/fuzz/exercise.ts. TSDUMP_FUZZ=N does N runs of each reader, TSDUMP_SEED=S those of a seed.
 */

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Codecs } from '../../src/codec/types.ts';
import { formats } from '../../src/dump/formats.ts';
import { corpusText, type Entry, parseCorpus, recipeOf } from '../fuzz/corpus.ts';
import { type Base, damaged, mutated } from '../fuzz/damage.ts';
import { Loop } from '../fuzz/loop.ts';
import { type Reader, readersWith } from '../fuzz/readers.ts';
import { preparedCodecs } from '../recipes/recipes.ts';
import { Random } from '../support/mutate.ts';

const codecs = await preparedCodecs();
const readers = [...readersWith(codecs).values()];
const runs = Number(process.env['TSDUMP_FUZZ'] ?? 2500);
const seed = Number(process.env['TSDUMP_SEED'] ?? 1);
const maxMemory = 64 * 1024 * 1024;
/** Larger files are for `npm run fuzz`: copying them is all that would be done here. */
const largeFile = 512 * 1024;

function keptOf(reader: Reader, bases: readonly Base[]): Entry[] {
  const file = new URL(`../fuzz/corpus/${reader.name}.txt`, import.meta.url);
  return existsSync(file) ? parseCorpus(readFileSync(file, 'utf8'), bases) : [];
}

async function runOne(reader: Reader, bases: readonly Base[], entry: Entry): Promise<boolean> {
  const file = damaged(bases[entry.base]!, entry.edits);
  const held = process.memoryUsage().arrayBuffers;
  try {
    const outcome = await reader.run(file);
    const grown = process.memoryUsage().arrayBuffers - held;
    if (grown > maxMemory) throw new Error(`${grown} bytes of memory`);
    return outcome === 'opened';
  } catch (cause) {
    throw new Error(`breaks the ${reader.name} reader:\n${recipeOf(entry, bases)}`, { cause });
  }
}

test('every format is fuzzed', () => {
  const fuzzed = readers.map(({ name }) => name);
  expect(fuzzed).toEqual(expect.arrayContaining(formats.map(({ name }) => name)));
});

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
  const reader = readersWith(broken).get('kdump')!;
  const bases = await readersWith(codecs).get('kdump')!.bases();
  const outcome = runOne(reader, bases, { base: 0, edits: [] });
  await expect(outcome).rejects.toThrow(/breaks the kdump reader:\n\[two bitmaps/);
});

test('canary: the loop comes to where only one step after another leads', async () => {
  const depthOf = (bytes: Uint8Array): number =>
    bytes.findIndex((byte, at) => byte % 4 !== 1 + (at % 3));
  const places = Array.from({ length: 16 }, (_, at) => ({ at, size: 1 }));
  const base = { name: 'zeros', bytes: new Uint8Array(16), places };
  let depth = 0;
  const reader: Reader = {
    name: 'canary',
    bases: async () => [base],
    async run(input) {
      depth = depthOf(input);
      if (depth >= 9) throw new Error('deep enough');
      return 'opened';
    },
  };
  const search = async (isGuided: () => boolean): Promise<Entry | undefined> => {
    let found: Entry | undefined;
    const loop = new Loop(reader, [base], 1, {
      onRun: () => {},
      onFinding: (finding) => {
        found = finding;
      },
      onProgress: ({ runs: done }) => found === undefined && done < 5000,
      features: () => (isGuided() ? [depth] : []),
    });
    await loop.run([]);
    return found;
  };
  const found = await search(() => true);
  expect(depthOf(damaged(base, found?.edits ?? []))).toBeGreaterThanOrEqual(9);
  expect(await search(() => false)).toBeUndefined();
});

describe.each(readers)('$name', async (reader) => {
  const bases = await reader.bases();
  const kept = keptOf(reader, bases);

  test(`${kept.length} kept inputs and ${runs} new ones: read or refused, no more`, async () => {
    const random = new Random(Math.imul(seed, 0x9e3779b1));
    const small = bases.flatMap(({ bytes }, base) => (bytes.length > largeFile ? [] : [base]));
    const parents = [...small.map((base) => ({ base, edits: [] })), ...kept].filter(({ base }) =>
      small.includes(base),
    );
    let opened = 0;
    for (const entry of parents) if (await runOne(reader, bases, entry)) opened++;
    for (let run = 0; run < runs; run++) {
      const { base, edits } = random.pick(parents);
      const other = random.pick(parents).edits;
      const entry = { base, edits: mutated(bases[base]!, edits, other, random) };
      if (await runOne(reader, bases, entry)) opened++;
    }
    const total = parents.length + runs;
    console.log(`${reader.name}: ${opened} of ${total} opened`);
    expect(opened).toBeGreaterThan(total / 100);
  });

  test('the kept inputs are written as they are read', () => {
    expect(parseCorpus(corpusText(kept, bases), bases)).toEqual(kept);
  });
});
