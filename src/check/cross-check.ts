/**
 * Some pages read by a second, independent decoder: frames of zstd in a dump carry no checksum, and
 * a flipped bit may decode to a wrong page without an error. What two decoders agree on may still
 * be wrong; what they do not is.
 */

import { sameBytes } from '../bytes/compare.ts';
import { DumpError } from '../bytes/errors.ts';
import type { Dump } from '../dump/types.ts';

export interface CrossCheck {
  /** Pages that both have read. */
  readonly pages: number;
  /** Of them, those that both decoded, and not to the same. */
  readonly differences: readonly DumpError[];
}

const maxDifferences = 100;

/** Every `step`-th page that is stored. `second`: the same file, read by the other decoder. */
export function crossChecked(dump: Dump, second: Dump, step: number): CrossCheck {
  const differences: DumpError[] = [];
  let stored = 0;
  let pages = 0;
  for (const { first, end, state } of dump.runs()) {
    if (state !== 'stored') continue;
    const begin = first + ((step - (stored % step)) % step);
    stored += end - first;
    for (let pfn = begin; pfn < end; pfn += step) {
      const one = dump.readPage(pfn).bytes;
      const other = second.readPage(pfn).bytes;
      pages++;
      const isSame =
        one === undefined || other === undefined ? one === other : sameBytes(one, other);
      if (isSame || differences.length >= maxDifferences) continue;
      const message = 'two decoders do not agree on the page';
      differences.push(new DumpError('corrupt', message, { where: { file: dump.name, pfn } }));
    }
  }
  return { pages, differences };
}
