/** Page table entries in crash's columns, for `pte` and `vtop`. */

import { jsonAddress } from '../bytes/text.ts';
import { readPageEntry } from '../linux/page-entry.ts';
import { centered, centeredRight, hex } from './columns.ts';
import type { Json } from './command.ts';

/** A title and a line. */
export function pageEntryLines(entry: bigint): string[] {
  const { kind, physical, flags, swap } = readPageEntry(entry);
  const digits = hex(entry);
  const width = Math.max(digits.length, 'PTE'.length);
  const title = centered('PTE', width);
  const value = centeredRight(digits, width);
  if (swap !== undefined) {
    const place = `swap ${swap.type}`;
    return [
      `${title}  ${centered('SWAP', place.length)}  OFFSET`,
      `${value}  ${place}  ${swap.offset}`,
    ];
  }
  const wide = Math.max(hex(physical).length, 'PHYSICAL'.length);
  const meaning = kind === 'none' ? 'no mapping' : flags.join('|');
  return [
    `${title}  ${centered('PHYSICAL', wide)}  FLAGS`,
    `${value}  ${centeredRight(hex(physical), wide)}  (${meaning})`,
  ];
}

export function pageEntryJson(entry: bigint): { readonly [key: string]: Json } {
  const { kind, physical, flags, swap } = readPageEntry(entry);
  return {
    entry: jsonAddress(entry),
    kind,
    physical: kind === 'present' ? jsonAddress(physical) : null,
    flags: [...flags],
    swap: swap === undefined ? null : { type: swap.type, offset: String(swap.offset) },
  };
}
