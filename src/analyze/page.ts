/** `page`: struct pages in lcrash's table, by their addresses or page frame numbers. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { PageFrames } from '../linux/page-frame.ts';
import type { Run } from './command.ts';
import { pageRows } from './lcrash-rows.ts';
import { structTable, tableStyle } from './lcrash-table.ts';
import { hexOrAddress, needWords } from './numbers.ts';

export const run: Run = (kernel, words, options, context) => {
  needWords(words, 'page', 'page frame numbers or addresses of struct pages');
  const frames = new PageFrames(kernel);
  const views = words.map((word) => {
    const value = hexOrAddress(kernel, word);
    if (value < BigInt(kernel.dump.endPfn)) {
      return kernel.object('struct page', frames.pageOf(Number(value)));
    }
    const pfn = frames.pfnOf(value);
    if (pfn !== undefined && pfn < kernel.dump.endPfn) return kernel.object('struct page', value);
    throw new DumpError('usage', `${word} is no page frame number and no struct page`, {
      where: { virtual: value },
      hint: '`btop` makes a page frame number of an address',
    });
  });
  const table = structTable(kernel, pageRows, views, tableStyle(options, context));
  return {
    json: () => ({ pages: table.json() }),
    text: () => table.lines(),
    counted: plural(views.length, 'page'),
    missing: table.missing,
    errors: table.errors,
  };
};
