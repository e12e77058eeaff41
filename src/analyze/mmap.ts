/** `mmap`: mm_structs in lcrash's table, and the mappings of each. */

import { plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { KernelObject } from '../linux/objects.ts';
import { vmasOf } from '../linux/vma.ts';
import type { Context, Run } from './command.ts';
import { contextTask, memoryOf } from './context.ts';
import { Gaps } from './gaps.ts';
import { mmRows, vmaRows } from './lcrash-rows.ts';
import { type StructTable, structTable, tableStyle } from './lcrash-table.ts';
import { hexOrAddress } from './numbers.ts';

export const run: Run = (kernel, words, options, context) => {
  const gaps = new Gaps();
  const views = spaces(kernel, words, context);
  const style = tableStyle(options, context);
  const table = structTable(kernel, mmRows, views, style);
  const mappings = new Map<KernelObject, StructTable>();
  for (const view of options.next === true ? views : []) {
    const { vmas, problems } = vmasOf(kernel, view);
    for (const problem of problems) gaps.add('mappings', problem);
    mappings.set(view, structTable(kernel, vmaRows, vmas, { ...style, detail: 'line' }));
  }
  const tables = [table, ...mappings.values()];
  return {
    json: () => ({
      spaces: table.json().map((row, index) => {
        const own = mappings.get(views[index]!);
        return own === undefined ? row : { ...row, vmas: own.json() };
      }),
    }),
    text: () => table.lines((view) => mappings.get(view)?.lines() ?? []),
    counted: plural(views.length, 'address space'),
    missing: [...gaps.missing, ...tables.flatMap(({ missing }) => missing)],
    errors: [...gaps.errors, ...tables.flatMap(({ errors }) => errors)],
  };
};

/** Views of the mm_structs at the addresses; without one, that of the task in question. */
function spaces(
  kernel: Kernel,
  words: readonly string[],
  context: Context,
): readonly KernelObject[] {
  if (words.length === 0) return [memoryOf(contextTask(kernel, context))];
  return words.map((word) => kernel.object('struct mm_struct', hexOrAddress(kernel, word)));
}
