/** `ptob`: page frame numbers to physical addresses. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import { hex } from './columns.ts';
import type { Run } from './command.ts';
import { hexNumber, needWords } from './numbers.ts';

export const run: Run = (kernel, words) => {
  needWords(words, 'ptob', 'a page frame number');
  const pages = words.map((word) => {
    const physical = hexNumber(word) * BigInt(kernel.dump.pageSize);
    if (physical < 2n ** 64n) return { word, physical };
    throw new DumpError('usage', `the page ${word} lies beyond 64 bits`);
  });
  return {
    json: () => ({
      pages: pages.map(({ word, physical }) => ({
        pfn: String(hexNumber(word)),
        physical: jsonAddress(physical),
      })),
    }),
    *text() {
      for (const { word, physical } of pages) yield `${word}: ${hex(physical)}`;
    },
    missing: [],
  };
};
