/** Which of the missing pages a file should have: those behind a cut, not holes between memory. */

import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openDump } from '../../src/dump/open.ts';
import type { PageRun } from '../../src/dump/types.ts';
import { fileOf, preparedCodecs, type Recipe, recipeFiles, recipesOf } from '../recipes/recipes.ts';

const codecs = await preparedCodecs();

function lengthOf(runs: Iterable<PageRun>): number {
  let pages = 0;
  for (const { first, end } of runs) pages += end - first;
  return pages;
}

/** Lost pages of the file as it is, and cut; undefined where it cannot be opened. */
async function lostOf(recipe: Recipe, share: number): Promise<number | undefined> {
  const bytes = fileOf(recipe, codecs);
  const cut = bytes.slice(0, Math.ceil(bytes.length * share));
  try {
    const dump = await openDump(memorySource(recipe.name, cut), { codecs });
    const lost = [...(dump.lost?.() ?? [])];
    const missing = [...dump.runs()].filter(({ state }) => state === 'missing');
    for (const { first, end } of lost) {
      // Each lies within what is missing, and each of its pages says that it is.
      expect(
        missing.some((run) => run.first <= first && end <= run.end),
        recipe.name,
      ).toBe(true);
      for (let pfn = first; pfn < end; pfn++) expect(dump.state(pfn)).toBe('missing');
    }
    return lengthOf(lost);
  } catch (error) {
    if (error instanceof Error && error.name === 'DumpError') return undefined;
    throw error;
  }
}

describe.each(recipeFiles)('%s: pages that the file should have and has not', (file) => {
  test.each(recipesOf(file).map((recipe) => [recipe.name, recipe] as const))(
    '%s: cutting it never makes them fewer',
    async (_, recipe) => {
      const whole = await lostOf(recipe, 1);
      for (const share of [0.9, 0.6, 0.3]) {
        const cut = await lostOf(recipe, share);
        if (whole !== undefined && cut !== undefined) expect(cut).toBeGreaterThanOrEqual(whole);
      }
    },
  );
});

test('a hole between memory is not lost, what stands behind a cut is', async () => {
  const find = (name: string): Recipe => recipesOf('kdump').find((each) => each.name === name)!;
  expect(await lostOf(find('two bitmaps, notes, a shared zero page'), 1)).toBe(0);
  expect(await lostOf(find('a lost page: descriptor offset 0'), 1)).toBe(1);
});
