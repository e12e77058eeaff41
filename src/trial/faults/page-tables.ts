/**
 * The pages that page tables are made of: those below the kernel's top table, and below those of
 * every process. Source: Intel SDM volume 3, chapter 4; arch/x86/include/asm/pgtable_types.h.
 */

import { attempt } from '../../bytes/errors.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { memberAddress } from '../../linux/objects.ts';
import { basePageSize, entryTarget } from '../../linux/paging.ts';
import type { PhysicalRange } from '../../machine/ram.ts';

const entriesPerTable = 512;

/** Physical addresses, each once. What is damaged or not in the input is not followed. */
export function pageTablePages(kernel: Kernel, ram: readonly PhysicalRange[]): Set<number> {
  const { root } = kernel.memory;
  const found = new Set<number>();
  const isRam = (at: number): boolean => ram.some(({ start, end }) => at >= start && at < end);
  const visit = (table: number, level: number): void => {
    if (found.has(table) || !isRam(table)) return;
    found.add(table);
    // The entries of the last level lead to pages that are no tables.
    if (level === 1) return;
    const view = attempt(() => kernel.physical.read(BigInt(table), basePageSize));
    if (view === undefined) return;
    const entries = new DataView(view.buffer, view.byteOffset, view.byteLength);
    for (let index = 0; index < entriesPerTable; index++) {
      const target = entryTarget(entries.getBigUint64(index * 8, true), level, root);
      if (target?.isPage === false) visit(Number(target.physical), level - 1);
    }
  };
  for (const top of [Number(root.physical), ...processTables(kernel)]) visit(top, root.levels);
  return found;
}

/** The top tables of all processes; threads share one. */
function processTables(kernel: Kernel): number[] {
  const tables: number[] = [];
  for (const task of kernel.tasks()) {
    const table = attempt(() => {
      const { mm } = task;
      if (mm === null) return undefined;
      const pgd = kernel.memory.u64(memberAddress(mm, 'pgd'));
      return Number(kernel.memory.translate(pgd).physical);
    });
    if (table !== undefined) tables.push(table);
  }
  return tables;
}
