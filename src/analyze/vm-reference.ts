/** `vm -R`: the mappings that have to do with a number or a name. */

import type { Extent } from './vm-pages.ts';
import type { VmaRow } from './vma-text.ts';

/** A hexadecimal number, or a part of a path. */
export type Reference = { readonly number: bigint } | { readonly text: string };

export interface Referred {
  readonly rows: readonly VmaRow[];
  /** Of a mapping that an address lies in, its page. */
  readonly pages: ReadonlyMap<VmaRow, Extent>;
}

/** As in crash, what looks like a number is one. */
export function referenceOf(word: string): Reference {
  return /^(0x)?[0-9a-f]{1,16}$/i.test(word)
    ? { number: BigInt(`0x${word.replace(/^0x/i, '')}`) }
    : { text: word };
}

/**
 * Mappings whose struct, bounds or flags are the number, or in which it is an address, or whose
 * file has the text in its path. Undefined: nothing here has to do with it.
 */
export function referredTo(
  reference: Reference,
  mm: { readonly address: bigint; readonly pgd: bigint },
  all: readonly VmaRow[],
): Referred | undefined {
  const pages = new Map<VmaRow, Extent>();
  if ('text' in reference) {
    const rows = all.filter(({ path }) => path?.includes(reference.text));
    return rows.length === 0 ? undefined : { rows, pages };
  }
  const { number } = reference;
  const rows = all.filter((row) => {
    const { address, start, end, flags } = row;
    if ([address, start, end, flags].includes(number)) return true;
    if (number < start || number >= end) return false;
    const page = number & ~0xfffn;
    pages.set(row, { start: page, end: page + 4096n });
    return true;
  });
  const isSpace = number === mm.address || number === mm.pgd;
  return rows.length === 0 && !isSpace ? undefined : { rows, pages };
}
