/** What a page frame is used for, from struct pages made by hand. */

import { describe, expect, test } from 'vitest';
import { classifyPages, isFiltered, PageClass, type PageLayout } from '../../src/linux/pages.ts';
import { addressSpaceWith } from '../support/memory.ts';

const { kernel, cache, privateCache, user, free, unusable } = PageClass;

const lru = 1 << 4;
const swapBacked = 1 << 5;
const swapCache = 1 << 6;
const slab = 1 << 7;
const privateFlag = 1 << 8;
const head = 1 << 9;
const poison = 1 << 10;
const hugetlb = 1 << 11;

/** As Linux 6.1 has it, but for the numbers of the flags. */
const layout: PageLayout = {
  vmemmap: 0xffffea0000000000n,
  size: 64,
  offsets: {
    flags: 0,
    compoundHead: 8,
    compoundDestructor: 16,
    compoundOrder: 17,
    mapping: 24,
    private: 40,
    mapcount: 48,
  },
  masks: { lru, private: privateFlag, swapCache, swapBacked, slab, head, poison },
  buddy: -129,
  offline: -257,
  slab: undefined,
  hugetlb: { kind: 'destructor', value: 2 },
  orders: 11,
};

type Fields = Partial<Record<keyof PageLayout['offsets'], number>>;

/** The classes of pages whose struct pages have these members; `mapcount` is -1 unless told. */
function classesOf(pages: readonly Fields[], changes: Partial<PageLayout> = {}): number[] {
  const like = { ...layout, ...changes };
  const bytes = new Uint8Array(pages.length * like.size);
  const view = new DataView(bytes.buffer);
  for (const [index, page] of pages.entries()) {
    for (const [member, value] of Object.entries({ mapcount: -1, ...page })) {
      const at = index * like.size + like.offsets[member as keyof Fields]!;
      if (member === 'compoundOrder' || member === 'compoundDestructor') view.setUint8(at, value);
      else view.setInt32(at, value, true);
    }
  }
  const ranges = [{ first: 0, end: pages.length }];
  const memory = addressSpaceWith(like.vmemmap, bytes);
  return [...classifyPages(memory, like, ranges, pages.length).classes];
}

const anonymous = 0x1001;
const ofFile = 0x1000;

describe('a page frame', () => {
  test('of the free lists is free with all of its block, whatever the others still say', () => {
    const stale = { flags: lru, mapping: anonymous };
    const pages = [{ mapcount: -129, private: 2 }, stale, stale, stale, stale];
    expect(classesOf(pages)).toEqual([free, free, free, free, user]);
  });

  test('of an order that the free lists do not have is not free', () => {
    expect(classesOf([{ mapcount: -129, private: 11 }, {}, {}])).toEqual([kernel, kernel, kernel]);
    const last = classesOf([{ mapcount: -129, private: 10 }, {}, {}]);
    expect(last).toEqual([free, free, free]);
  });

  test('of a process is its own, in the cache or not; of a file it is cache', () => {
    const pages = [
      { mapping: anonymous },
      { mapping: anonymous, flags: lru | swapBacked | swapCache },
      { mapping: ofFile, flags: lru },
      { mapping: ofFile, flags: lru | privateFlag },
      { flags: swapBacked | swapCache },
      { flags: swapBacked },
      { flags: privateFlag },
    ];
    expect(classesOf(pages)).toEqual([user, user, cache, privateCache, cache, kernel, kernel]);
  });

  test('of the slab allocator is the kernel’s: it has other uses for the members', () => {
    const pages = [
      { flags: slab, mapcount: -129, private: 1 },
      { flags: slab, mapping: anonymous },
    ];
    expect(classesOf(pages)).toEqual([kernel, kernel]);
    // Since v6.10 a page type, of which the low bits count.
    const type = -0x0b00_0000;
    const typed = [{ mapcount: type + 5, mapping: anonymous }, { mapping: anonymous }];
    expect(classesOf(typed, { slab: type })).toEqual([kernel, user]);
  });

  test('that is broken or ballooned away is unusable', () => {
    expect(classesOf([{ flags: poison }, { mapcount: -257 }, {}])).toEqual([
      unusable,
      unusable,
      kernel,
    ]);
  });

  test.each([
    ['destructor', 2, {}, { compoundDestructor: 2 }],
    ['mapcount', -0x0500_0000, { mapcount: -0x0500_0000 }, {}],
    ['flag', hugetlb, {}, { flags: hugetlb }],
  ] as const)('of a huge page is a process’s, known by its %s', (kind, value, first, second) => {
    const tail = { compoundHead: 1 };
    const huge = (order: number) => [
      { flags: head, ...first },
      { ...tail, ...second, compoundOrder: order },
      tail,
      tail,
      {},
    ];
    const changes = { hugetlb: { kind, value } };
    expect(classesOf(huge(2), changes)).toEqual([user, user, user, user, kernel]);
    // An order that cannot be: the first page alone.
    expect(classesOf(huge(19), changes)).toEqual([user, kernel, kernel, kernel, kernel]);
    const other = [{ flags: head }, { ...tail, compoundOrder: 2 }, tail, tail, {}];
    expect(classesOf(other, changes)).toEqual([kernel, kernel, kernel, kernel, kernel]);
  });

  test('behind the first of a compound page says nothing by itself', () => {
    expect(classesOf([{}, { compoundHead: 1, flags: lru }])).toEqual([kernel, kernel]);
  });
});

test('each class goes with its own level bit; private cache alone takes all cache with it', () => {
  const goneAt = (level: number) =>
    [kernel, cache, privateCache, user, free, unusable].filter((each) => isFiltered(each, level));
  expect([0, 1, 2, 4, 8, 16, 31].map(goneAt)).toEqual([
    [unusable],
    [unusable],
    [cache, unusable],
    [cache, privateCache, unusable],
    [user, unusable],
    [free, unusable],
    [cache, privateCache, user, free, unusable],
  ]);
});
