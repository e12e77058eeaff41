/** Pages that look like a kernel's memory, for fast-check, and images made of them. */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { MemoryImage, Page, PageRun, PageState } from '../../src/dump/types.ts';

/** Zeros, runs, pointers that repeat, text, noise: what codecs meet, at any mix. */
export function pageArbitrary(size: number): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(
    fc.record({
      kind: fc.constant('run'),
      value: fc.nat(255),
      length: fc.integer({ min: 1, max: 700 }),
    }),
    fc.record({
      kind: fc.constant('noise'),
      value: fc.nat(),
      length: fc.integer({ min: 1, max: 300 }),
    }),
    fc.record({
      kind: fc.constant('words'),
      value: fc.nat(),
      length: fc.integer({ min: 1, max: 500 }),
    }),
    fc.record({
      kind: fc.constant('copy'),
      value: fc.nat(),
      length: fc.integer({ min: 1, max: 900 }),
    }),
  );
  return fc.array(piece, { minLength: 1, maxLength: 40 }).map((pieces) => {
    const page = new Uint8Array(size);
    let at = 0;
    for (let index = 0; at < size; index++) {
      const { kind, value, length } = pieces[index % pieces.length]!;
      const end = Math.min(size, at + length);
      for (let to = at; to < end; to++) page[to] = byteOf(kind, value, to, page, at);
      at = end;
    }
    // A failing property prints how a page is made, not its 4,096 bytes.
    return Object.assign(page, { [fc.toStringMethod]: () => `page of ${JSON.stringify(pieces)}` });
  });
}

function byteOf(kind: string, value: number, to: number, page: Uint8Array, at: number): number {
  if (kind === 'run') return value;
  if (kind === 'noise') return (Math.imul(value + to * 2654435761, 0x9e3779b1) >>> 13) & 0xff;
  if (kind === 'words') return to % 8 < 3 ? (value + (to >> 5)) & 0xff : 0xff;
  return at === 0 ? 0 : page[to - 1 - (value % at)]!;
}

/** toEqual looks at bytes one by one: a thousand times slower. */
export function expectEqual(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual?.length).toBe(expected.length);
  if (Buffer.compare(actual!, expected) === 0) return;
  const at = expected.findIndex((byte, index) => byte !== actual![index]);
  throw new Error(`byte ${at} is ${actual![at]}, not ${expected[at]}`);
}

export interface PageToHold {
  readonly state: PageState;
  readonly bytes?: Uint8Array;
}

/** An image of the pages given; all others are missing. */
export function imageOf(
  pages: ReadonlyMap<number, PageToHold>,
  endPfn: number,
  pageSize = 4096,
): MemoryImage {
  const state = (pfn: number): PageState => pages.get(pfn)?.state ?? 'missing';
  return {
    name: 'image',
    pageSize,
    endPfn,
    state,
    readPage(pfn): Page {
      const page = pages.get(pfn);
      if (page?.state === 'zero') return { state: 'zero', bytes: new Uint8Array(pageSize) };
      return { state: state(pfn), bytes: page?.bytes };
    },
    *runs(): Generator<PageRun> {
      for (let first = 0; first < endPfn; ) {
        let end = first + 1;
        while (end < endPfn && state(end) === state(first)) end++;
        yield { first, end, state: state(first) };
        first = end;
      }
    },
  };
}

const heldPage: fc.Arbitrary<PageToHold> = fc.oneof(
  {
    weight: 4,
    arbitrary: pageArbitrary(4096).map((bytes) => ({ state: 'stored' as const, bytes })),
  },
  { weight: 1, arbitrary: fc.constant({ state: 'zero' as const }) },
  { weight: 1, arbitrary: fc.constant({ state: 'excluded' as const }) },
);
/** Pages alone, in rows, around the block limits of bitmaps. */
const somePfn = fc.oneof(fc.nat(40), fc.integer({ min: 32760, max: 32775 }), fc.nat(70_000));

/** A few pages of any state, some of them twice. */
export const heldPagesArbitrary = fc.array(fc.tuple(somePfn, heldPage), { maxLength: 12 });

/** An image of them. */
export const heldImageArbitrary = heldPagesArbitrary.map((list) => {
  const pages = new Map(list);
  return { pages, image: imageOf(pages, Math.max(0, ...pages.keys()) + 1) };
});
