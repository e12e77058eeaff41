/**
 * LKCD's passes over memory, each a class of pages by their struct page: the kernel's, then the
 * others in use, then those that are free. A level ends them early: 2 after the first, 4 after the
 * second. Here a level is makedumpfile's bits that come closest. Source: LKCD's dump_filters.c.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { dumpLevelBits } from '../../linux/pages.ts';
import type { Machine } from '../../machine/machine.ts';
import { type Selection, selectPages } from '../filter.ts';
import type { LkcdState } from './state.ts';

const { cache, user, free, 'private-cache': privateCache } = dumpLevelBits;

export interface Pass {
  readonly name: string;
  /** makedumpfile's bits of what this pass and those before leave out. */
  readonly level: number;
}

const passes: readonly Pass[] = [
  { name: 'kernel pages', level: cache | privateCache | user | free },
  { name: 'used pages', level: free },
  { name: 'unused pages', level: 0 },
];

/** Those up to a level, in order. */
export function passesTo(level: number): readonly Pass[] {
  return passes.slice(0, passes.findIndex((pass) => pass.level === level) + 1);
}

/** The pages of a pass by what memory says of them now, less those of `written`. */
export function pagesOfPass(
  machine: Machine,
  { layout }: LkcdState,
  { level }: Pass,
  written: Uint8Array,
): { readonly pages: Bitmap; readonly unknown: number } {
  const found: Selection = selectPages(machine.panicCpu.memory, layout, machine.ram, level);
  machine.work(found.ram.count, machine.hardware.cpu.filterPagesPerSecond, 'struct pages');
  const pages = new Bitmap(found.kept.bytes.slice());
  for (const [index, byte] of written.entries()) pages.bytes[index]! &= ~byte;
  return { pages, unknown: found.unknown };
}
