/** What a page frame is used for, from struct pages made by hand. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PageLayout, pageType } from '../../src/linux/page-layout.ts';
import { type ClassRun, classRuns, isFiltered, PageClass } from '../../src/linux/pages.ts';
import { addressSpaceWith } from '../support/memory.ts';

const { kernel, cache, privateCache, user, free, unusable, unknown } = PageClass;

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
  buddy: { mask: -1, value: -129 },
  offline: { mask: -1, value: -257 },
  unaccepted: undefined,
  slab: undefined,
  hugetlb: { kind: 'destructor', value: 2 },
  orders: 11,
};

type Fields = Partial<Record<keyof PageLayout['offsets'], number>>;

/** The runs of pages whose struct pages have these members; `mapcount` is -1 unless told. */
function runsOf(
  pages: readonly Fields[],
  changes: Partial<PageLayout> = {},
  level?: number,
): ClassRun[] {
  const like = { ...layout, ...changes };
  const ranges = [{ first: 0, end: pages.length }];
  return [...classRuns(addressSpaceWith(like.vmemmap, bytesOf(pages)), like, ranges, level)];
}

function bytesOf(pages: readonly Fields[]): Uint8Array {
  const bytes = new Uint8Array(pages.length * layout.size);
  const view = new DataView(bytes.buffer);
  for (const [index, page] of pages.entries()) {
    for (const [member, value] of Object.entries({ mapcount: -1, ...page })) {
      const at = index * layout.size + layout.offsets[member as keyof Fields]!;
      if (member === 'compoundOrder' || member === 'compoundDestructor') view.setUint8(at, value);
      else view.setInt32(at, value, true);
    }
  }
  return bytes;
}

/** The class of each of them. */
function classesOf(...given: Parameters<typeof runsOf>): number[] {
  return classesIn(runsOf(...given)).slice(0, given[0].length);
}

/** Runs from page 0 on, page by page. */
function classesIn(runs: readonly ClassRun[]): number[] {
  return runs.flatMap(({ first, end, pageClass }) => Array<number>(end - first).fill(pageClass));
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
    const typed = [{ mapcount: -0x0b00_0000, mapping: anonymous }, { mapping: anonymous }];
    expect(classesOf(typed, { slab: pageType(-0x0b00_0000)! })).toEqual([kernel, user]);
  });

  test.each([
    ['v6.10, a bit of -1', ~0x1000, ~0x1000],
    ['v6.11, a bit of the top byte', ~0x0200_0000, ~0x0200_0000],
    ['v6.12, the top byte; the others are the type’s own', 0xf5 << 24, (0xf5 << 24) + 77],
  ])('has a type as %s; a page without mappings has none', (_, exported, mapcount) => {
    const changes = { slab: pageType(exported)! };
    const pages = [{ mapcount, mapping: anonymous }, { mapping: anonymous }];
    expect(classesOf(pages, changes)).toEqual([kernel, user]);
    const huge = [
      { flags: head, mapcount },
      { compoundHead: 1, compoundOrder: 1 },
    ];
    const plain = [{ flags: head }, { compoundHead: 1, compoundOrder: 1 }];
    const kind = { hugetlb: { kind: 'type', type: pageType(exported)! } } as const;
    expect(classesOf([...huge, ...plain], kind)).toEqual([user, user, kernel, kernel]);
  });

  test('that no guest has accepted yet is free with all of the largest block', () => {
    const changes = { unaccepted: pageType(0xf7 << 24)! };
    const [first] = runsOf([{ mapcount: 0xf7 << 24 }], changes);
    expect(first).toEqual({ first: 0, end: 1024, pageClass: free });
  });

  test('that is broken or ballooned away is unusable', () => {
    const pages = [
      { flags: poison },
      { mapcount: -257 },
      {},
      { flags: poison, mapping: anonymous },
    ];
    expect(classesOf(pages)).toEqual([unusable, unusable, kernel, user]);
    // As broken it goes where pages of its kind do not.
    expect(classesOf(pages, {}, 16)).toEqual([unusable, unusable, kernel, unusable]);
  });

  test.each([
    ['destructor', 2, {}, { compoundDestructor: 2 }],
    ['type', 0xf4 << 24, { mapcount: 0xf4 << 24 }, {}],
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
    const byType = { kind: 'type', type: pageType(value)! } as const;
    const changes = { hugetlb: kind === 'type' ? byType : ({ kind, value } as const) };
    expect(classesOf(huge(2), changes)).toEqual([user, user, user, user, kernel]);
    // An order that cannot be, or not here: the first page alone.
    expect(classesOf(huge(19), changes)).toEqual([user, kernel, kernel, kernel, kernel]);
    const moved = classesOf([{}, {}, ...huge(2)], changes);
    expect(moved).toEqual([kernel, kernel, user, kernel, kernel, kernel, kernel]);
    const other = [{ flags: head }, { ...tail, compoundOrder: 2 }, tail, tail, {}];
    expect(classesOf(other, changes)).toEqual([kernel, kernel, kernel, kernel, kernel]);
  });

  test('behind the first of a compound page says nothing by itself', () => {
    expect(classesOf([{}, { compoundHead: 1, flags: lru }])).toEqual([kernel, kernel]);
  });
});

test('each class goes with its own level bit; private cache alone takes all cache with it', () => {
  const goneAt = (level: number) =>
    [kernel, cache, privateCache, user, free, unusable, unknown].filter((each) =>
      isFiltered(each, level),
    );
  expect([0, 1, 2, 4, 8, 16, 31].map(goneAt)).toEqual([
    [],
    [],
    [cache, unusable],
    [cache, privateCache, unusable],
    [user, unusable],
    [free, unusable],
    [cache, privateCache, user, free, unusable],
  ]);
});

describe('pages in runs', () => {
  const runsIn = (
    pages: readonly Fields[],
    ranges: readonly { readonly first: number; readonly end: number }[],
  ): ClassRun[] => [...classRuns(addressSpaceWith(layout.vmemmap, bytesOf(pages)), layout, ranges)];
  const free10 = { mapcount: -129, private: 10 };

  test('a block is known by its first page also where that one is not asked for', () => {
    const pages = [...Array<Fields>(2048).fill({}), free10, ...Array<Fields>(1023).fill({})];
    expect(runsIn(pages, [{ first: 2600, end: 2610 }])).toEqual([
      { first: 2048, end: 3072, pageClass: free },
    ]);
  });

  test('a block goes on behind the end of its range, and the next range after it', () => {
    const huge = { flags: head, mapping: anonymous };
    const second = { compoundHead: 1, compoundOrder: 12 };
    const stale = { flags: lru };
    const pages = [huge, second, ...Array<Fields>(4094).fill(stale), stale, {}];
    const ranges = [
      { first: 0, end: 8 },
      { first: 3072, end: 4098 },
    ];
    expect(runsIn(pages, ranges).slice(0, 3)).toEqual([
      { first: 0, end: 4096, pageClass: user },
      { first: 4096, end: 4097, pageClass: cache },
      { first: 4097, end: 4160, pageClass: kernel },
    ]);
  });

  test('what has no struct page is unknown', () => {
    const runs = runsIn(
      [{ mapping: anonymous }, {}],
      [
        { first: 0, end: 2 },
        { first: 4096, end: 4097 },
      ],
    );
    expect(runs).toEqual([
      { first: 0, end: 1, pageClass: user },
      { first: 1, end: 64, pageClass: kernel },
      { first: 64, end: 1024, pageClass: unknown },
      { first: 4096, end: 5120, pageClass: unknown },
    ]);
  });
});

/**
 * What makedumpfile's loop leaves out, written down again without runs and batches; but for what a
 * free block still says where free pages stay: it looks, and finds nothing in a healthy kernel.
 */
function leftOut(pages: readonly Fields[], level: number): boolean[] {
  const out = Array<boolean>(pages.length).fill(false);
  for (let pfn = 0; pfn < pages.length; pfn++) {
    const { flags = 0, mapping = 0, mapcount = -1, private: order = 0, ...page } = pages[pfn]!;
    if ((page.compoundHead ?? 0) % 2 === 1) continue;
    const isHead = (flags & head) !== 0 && pfn % 64 < 63;
    const compound = isHead ? (pages[pfn + 1] ?? {}) : {};
    const told = compound.compoundOrder ?? 0;
    let count = told <= 18 && pfn % 2 ** told === 0 ? 2 ** told : 1;
    const isAnon = (mapping & 1) === 1 && (flags & slab) === 0;
    const isCached =
      ((flags & lru) !== 0 || (flags & (swapCache | swapBacked)) === (swapCache | swapBacked)) &&
      !isAnon;
    const isPrivate = (flags & privateFlag) !== 0;
    const isFree = mapcount === -129 && (flags & slab) === 0;
    if (isFree && order >= layout.orders) continue;
    if (isFree) {
      count = 2 ** order;
      if ((level & 16) === 0) {
        pfn += count - 1;
        continue;
      }
    } else if (!((level & 2) !== 0 && isCached && !isPrivate) && !((level & 4) !== 0 && isCached)) {
      const isHuge = compound.compoundDestructor === 2;
      const isUser = (level & 8) !== 0 && (isAnon || isHuge);
      const isOffline = mapcount === -257 && (flags & slab) === 0;
      if (!isUser && (flags & poison) === 0 && !isOffline) continue;
    }
    out.fill(true, pfn, pfn + count);
    pfn += count - 1;
  }
  return out;
}

test('whatever stands in struct pages, what makedumpfile leaves out is left out', () => {
  const anyPage: fc.Arbitrary<Fields> = fc.record(
    {
      flags: fc.subarray([lru, swapBacked, swapCache, slab, privateFlag, head, poison]).map(sum),
      mapping: fc.constantFrom(0, anonymous, ofFile),
      mapcount: fc.constantFrom(-1, 0, -129, -257),
      private: fc.nat(12),
      compoundHead: fc.constantFrom(0, 0, 0, 1),
      compoundOrder: fc.constantFrom(0, 1, 2, 3, 7, 20),
      compoundDestructor: fc.constantFrom(0, 2),
    },
    { requiredKeys: [] },
  );
  const property = fc.property(
    fc.array(anyPage, { minLength: 1, maxLength: 300 }),
    fc.integer({ min: 2, max: 31 }),
    (pages, level) => {
      const ours = classesOf(pages, {}, level).map((pageClass) => isFiltered(pageClass, level));
      expect(ours).toEqual(leftOut(pages, level));
    },
  );
  fc.assert(property, { numRuns: 300 });
});

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
