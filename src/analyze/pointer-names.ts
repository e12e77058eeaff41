/** What a word of memory points to: a symbol, or an object of a slab cache. */

import type { Kernel } from '../linux/kernel.ts';
import { PageFrames } from '../linux/page-frame.ts';
import { hex } from './columns.ts';

/** __START_KERNEL_map: symbols lie above; per-CPU symbols, which are offsets, do not. */
const lowestSymbol = 0xffff_ffff_8000_0000n;

/**
 * `init_task+168`, `[task_struct]`, with `slab` `address` `[ffff88bd0291a0c0:task_struct]`;
 * undefined where it points to neither.
 */
export function pointerNames(
  kernel: Kernel,
  slab: 'none' | 'name' | 'address',
): (value: bigint) => string | undefined {
  const frames = slab === 'none' ? undefined : new PageFrames(kernel);
  return (value) => {
    const found = value < lowestSymbol ? undefined : kernel.symbols.at(value);
    if (found !== undefined) {
      const { symbol, offset } = found;
      return offset === 0 ? symbol.name : `${symbol.name}+${offset}`;
    }
    const cache = frames?.slabCache(value);
    if (cache === undefined) return undefined;
    return slab === 'address' ? `[${hex(value)}:${cache}]` : `[${cache}]`;
  };
}
