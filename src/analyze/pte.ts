/** `pte`: the contents of page table entries, translated. */

import type { Kernel } from '../linux/kernel.ts';
import type { Answer } from './command.ts';
import { hexNumber, needWords } from './numbers.ts';
import { pageEntryJson, pageEntryLines } from './page-entry-text.ts';

export function run(_: Kernel, words: readonly string[]): Answer {
  needWords(words, 'pte', 'the contents of an entry');
  const entries = words.map(hexNumber);
  return {
    json: () => ({ entries: entries.map(pageEntryJson) }),
    *text() {
      for (const entry of entries) yield* pageEntryLines(entry);
    },
    missing: [],
  };
}
