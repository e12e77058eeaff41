/** `pte`: the contents of page table entries, translated. */

import type { Run } from './command.ts';
import { hexNumber, needWords } from './numbers.ts';
import { pageEntryJson, pageEntryLines } from './page-entry-text.ts';

export const run: Run = (_, words) => {
  needWords(words, 'pte', 'the contents of an entry');
  const entries = words.map(hexNumber);
  return {
    json: () => ({ entries: entries.map(pageEntryJson) }),
    *text() {
      for (const entry of entries) yield* pageEntryLines(entry);
    },
    missing: [],
  };
};
