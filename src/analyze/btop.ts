/** `btop`: physical addresses to page frame numbers. */

import { jsonAddress } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { hex } from './columns.ts';
import type { Answer } from './command.ts';
import { hexNumber, needWords } from './numbers.ts';

export function run(kernel: Kernel, words: readonly string[]): Answer {
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
}
