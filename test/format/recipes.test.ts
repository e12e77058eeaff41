/**
 * Each recipe of test/recipes is made into a file and opened; what comes out is compared with
 * NAME.expect beside it. `npx vitest run test/format/recipes.test.ts -u` rewrites those files: the
 * review is their diff.
 */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { openDump } from '../../src/dump/open.ts';
import {
  describeDump,
  describeError,
  fileOf,
  preparedCodecs,
  recipeFiles,
  recipesOf,
} from '../recipes/recipes.ts';

const codecs = await preparedCodecs();

async function outcome(file: Uint8Array): Promise<string[]> {
  try {
    return describeDump(await openDump(memorySource('recipe', file), { codecs }));
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return [describeError(error)];
  }
}

describe.each(recipeFiles)('%s', (file) => {
  test('each situation reads as written down', async () => {
    const sections: string[] = [];
    for (const recipe of recipesOf(file)) {
      const lines = await outcome(fileOf(recipe, codecs));
      sections.push(`[${recipe.name}]\n${lines.join('\n')}\n`);
    }
    const path = `../recipes/${file}.expect`;
    await expect(sections.join('\n')).toMatchFileSnapshot(path);
  });
});

test('a page whose descriptor has offset 0 is given out as missing, whatever else that says', async () => {
  const text = 'kdump pages=64 status=9\npage 1 fill=0x41\npage 2 fill=0x42 lost=1\n';
  const file = fileOf({ name: 'lost', text }, codecs);
  const dump = await openDump(memorySource('recipe', file), { codecs });
  expect(dump.readPage(2)).toMatchObject({ state: 'missing', bytes: undefined });
  expect(dump.readPage(1).state).toBe('stored');
});
