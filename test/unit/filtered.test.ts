/** An image without the pages that a filter leaves out. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { planOf } from '../../src/dump/described-write.ts';
import { FilteredImage, findZeroPages, pagesThere } from '../../src/dump/filtered.ts';
import type { PageState } from '../../src/dump/types.ts';
import { imageOf, type PageToHold } from '../support/pages.ts';

const content = fc.constantFrom(new Uint8Array(4096), new Uint8Array(4096).fill(7));
const heldPage: fc.Arbitrary<PageToHold> = fc.oneof(
  content.map((bytes) => ({ state: 'stored' as const, bytes })),
  fc.constantFrom('zero', 'excluded', 'missing', 'damaged').map((state) => ({ state })),
);
const heldPages = fc.array(heldPage, { minLength: 1, maxLength: 60 });
const pfns = fc.uniqueArray(fc.nat(70), { maxLength: 40 });

function bitmapOf(list: readonly number[]): Bitmap {
  const map = Bitmap.ofSize(71);
  for (const pfn of list) map.add(pfn);
  return map;
}

test('what is not kept is excluded, what is no RAM missing, all else as it was', () => {
  const ends = fc.option(fc.nat(70), { nil: undefined });
  const rams = fc.option(pfns, { nil: undefined });
  const property = fc.property(heldPages, pfns, rams, ends, (pages, kept, ram, endPfn) => {
    const image = imageOf(new Map(pages.entries()), pages.length);
    const selection = {
      kept: bitmapOf(kept),
      ...(ram === undefined ? {} : { ram: bitmapOf(ram) }),
      ...(endPfn === undefined ? {} : { endPfn }),
    };
    const filtered = new FilteredImage(image, selection);
    expect(filtered.endPfn).toBe(Math.min(pages.length, endPfn ?? pages.length));
    const states = pages.slice(0, filtered.endPfn).map(({ state }, pfn): PageState => {
      if (ram?.includes(pfn) === false) return 'missing';
      return (state === 'stored' || state === 'zero') && !kept.includes(pfn) ? 'excluded' : state;
    });
    const runs = [...filtered.runs()];
    expect(runs.flatMap(({ first, end, state }) => Array(end - first).fill(state))).toEqual(states);
    for (const [index, { first, state }] of runs.entries()) {
      expect(first).toBe(runs[index - 1]?.end ?? 0);
      expect(runs[index - 1]?.state).not.toBe(state);
    }
    for (const [pfn, state] of states.entries()) {
      expect(filtered.state(pfn)).toBe(state);
      const page = filtered.readPage(pfn);
      expect(page.state).toBe(state);
      const isThere = state === 'stored' || state === 'zero';
      expect(page.bytes).toEqual(isThere ? image.readPage(pfn).bytes : undefined);
    }
    expect(filtered.state(filtered.endPfn)).toBe('missing');
    expect(filtered.readPage(filtered.endPfn).bytes).toBe(undefined);
  });
  fc.assert(property);
});

test('zero pages are found by content; where the index knows them, nothing is read', () => {
  const property = fc.property(heldPages, pfns, (pages, within) => {
    const image = imageOf(new Map(pages.entries()), pages.length);
    const read: number[] = [];
    const readPage = (pfn: number) => {
      read.push(pfn);
      return image.readPage(pfn);
    };
    const zero = findZeroPages({ ...image, readPage }, bitmapOf(within));
    for (const [pfn, { state, bytes }] of pages.entries()) {
      const isZero = state === 'zero' || bytes?.[0] === 0;
      expect(zero.has(pfn)).toBe(isZero && within.includes(pfn));
    }
    expect(read.every((pfn) => pages[pfn]!.state === 'stored' && within.includes(pfn))).toBe(true);
  });
  fc.assert(property);
});

test('the pages that are there are those that the index says are stored or zero', () => {
  const states = ['stored', 'missing', 'zero', 'excluded', 'damaged', 'stored'] as const;
  const image = imageOf(new Map(states.map((state, pfn) => [pfn, { state }])), states.length);
  expect([...pagesThere(image).runs(0, 6)].map(({ first }) => first)).toEqual([0, 2, 5]);
});

test('a file that claims more pages than there can be costs no memory', () => {
  const image = { ...imageOf(new Map(), 0), endPfn: 2 ** 40, runs: () => [] };
  expect(() => pagesThere(image)).toThrow(DumpError);
  expect(() => findZeroPages(image, bitmapOf([]))).toThrow(/beyond 16 TiB/);
  expect(() => planOf(image, 0)).toThrow(/beyond 16 TiB/);
});
