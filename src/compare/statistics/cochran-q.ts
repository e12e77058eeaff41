/**
 * W. G. Cochran's Q, Biometrika 37 (1950): do several methods differ at all, on the same blocks?
 * Asymptotic; blocks in which all agree do not count.
 */

import { chiSquareTail } from './distributions.ts';

export interface CochranQ {
  readonly q: number;
  readonly degrees: number;
  readonly p: number;
  /** Blocks in which not all methods agree. */
  readonly blocks: number;
}

/** Of blocks with an outcome of each method, in the same order. */
export function cochranQ(blocks: readonly (readonly boolean[])[]): CochranQ {
  const methods = blocks[0]?.length ?? 0;
  const columns = new Array<number>(methods).fill(0);
  let total = 0;
  let spread = 0;
  let discordant = 0;
  for (const block of blocks) {
    let row = 0;
    block.forEach((isSuccess, at) => {
      if (!isSuccess) return;
      columns[at]!++;
      row++;
    });
    total += row;
    spread += row * (methods - row);
    if (row > 0 && row < methods) discordant++;
  }
  const degrees = Math.max(0, methods - 1);
  if (spread === 0) return { q: 0, degrees, p: 1, blocks: 0 };
  const mean = total / methods;
  const between = columns.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  const q = (methods * degrees * between) / spread;
  return { q, degrees, p: chiSquareTail(q, degrees), blocks: discordant };
}
