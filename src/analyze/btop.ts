/** `btop`: physical addresses to page frame numbers. */

import { jsonAddress } from '../bytes/text.ts';
import { hex } from './columns.ts';
import type { Run } from './command.ts';
import { hexNumber, needWords } from './numbers.ts';

export const run: Run = (kernel, words) => {
  needWords(words, 'btop', 'a physical address');
  const pageSize = BigInt(kernel.dump.pageSize);
  const pages = words.map((word) => {
    const physical = hexNumber(word);
    return { word, physical, pfn: physical / pageSize };
  });
  return {
    json: () => ({
      pages: pages.map(({ physical, pfn }) => ({
        physical: jsonAddress(physical),
        pfn: String(pfn),
      })),
    }),
    *text() {
      for (const { word, pfn } of pages) yield `${word}: ${hex(pfn)}`;
    },
    missing: [],
  };
};
