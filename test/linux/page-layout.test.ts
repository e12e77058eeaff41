/** Where struct page has what the filter asks, as kernels of all ages export it. */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { type PageKernel, pageLayout } from '../../src/linux/page-layout.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { addressSpaceWith } from '../support/memory.ts';

const always = [
  'SIZE(page)=64',
  'OFFSET(page.flags)=0',
  'OFFSET(page.mapping)=24',
  'OFFSET(page.private)=40',
  'OFFSET(page._mapcount)=48',
  'OFFSET(page.compound_head)=8',
  'LENGTH(zone.free_area)=11',
  'NUMBER(PG_lru)=4',
  'NUMBER(PG_private)=13',
  'NUMBER(PG_swapcache)=10',
  'NUMBER(PG_swapbacked)=19',
  'NUMBER(PG_head_mask)=65536',
];
const sections = 0xffff_8880_0000_0000n;
const vmemmap = 0xffff_ea12_4000_0000n;

/** A kernel that has nothing but VMCOREINFO, and one root of sections in its memory. */
function kernelWith(lines: readonly string[], memory = rootOfSections()): PageKernel {
  const vmcoreinfo = new Vmcoreinfo([...always, ...lines].join('\n'));
  const nobody = (what: string) => (): never => {
    throw new TypeError(`nobody should ask for ${what}`);
  };
  return {
    memory,
    vmcoreinfo,
    get types() {
      return nobody('types')();
    },
    get symbols() {
      return nobody('symbols')();
    },
  };
}

const leadToSections = [
  `SYMBOL(mem_section)=${sections.toString(16)}`,
  'LENGTH(mem_section)=512',
  'SIZE(mem_section)=16',
  'OFFSET(mem_section.section_mem_map)=0',
];

/** The first root has no section, the second has them from its third one on. */
function rootOfSections(map = vmemmap | 0xfn) {
  const bytes = new Uint8Array(3 * 4096);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, sections + 4096n, true);
  // Present, and no memory map: memory that was taken out.
  view.setBigUint64(4096 + 16, 1n, true);
  view.setBigUint64(4096 + 32, map, true);
  return addressSpaceWith(sections, bytes);
}

const v61 = [
  'OFFSET(page.compound_order)=17',
  'OFFSET(page.compound_dtor)=16',
  'NUMBER(PG_slab)=9',
  'NUMBER(HUGETLB_PAGE_DTOR)=2',
  'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129',
  'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257',
];

describe('by VMCOREINFO alone', () => {
  test('the base of struct pages is that of the first section with a memory map', () => {
    expect(pageLayout(kernelWith([...leadToSections, ...v61])).vmemmap).toBe(vmemmap);
  });

  test.each([
    ['v6.1', v61, 17, { kind: 'destructor', value: 2 }, 1 << 9],
    [
      'v6.4: in struct folio, behind its first page',
      ['OFFSET(folio._folio_order)=81', 'OFFSET(folio._folio_dtor)=80', ...v61.slice(2)],
      17,
      { kind: 'destructor', value: 2 },
      1 << 9,
    ],
    [
      'v6.6: in the second page’s flags',
      ['NUMBER(PG_hugetlb)=8', 'NUMBER(PG_slab)=9'],
      0,
      { kind: 'flag', value: 1 << 8 },
      1 << 9,
    ],
    [
      'v6.10: types that clear a bit',
      ['NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-2049', 'NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-4097'],
      0,
      { kind: 'type', type: { mask: -1, value: -2049 } },
      0,
    ],
    [
      'v6.12: types in the top byte',
      ['NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592'],
      0,
      { kind: 'type', type: { mask: -0x100_0000, value: -201_326_592 } },
      0,
    ],
  ] as const)('compound pages of %s', (_, lines, order, hugetlb, slab) => {
    const layout = pageLayout(kernelWith([...leadToSections, ...lines]));
    expect(layout.offsets.compoundOrder).toBe(order);
    expect(layout.offsets.compoundDestructor).toBe(hugetlb.kind === 'destructor' ? 16 : undefined);
    expect(layout.hugetlb).toEqual(hugetlb);
    expect(layout.masks.slab).toBe(slab);
  });

  test('a flag that is not exported is one that the kernel does not have', () => {
    const { masks } = pageLayout(kernelWith([...leadToSections, ...v61]));
    expect(masks.poison).toBe(0);
  });
});

describe('where that is not enough', () => {
  const memory = rootOfSections();
  const { vmcoreinfo: told } = kernelWith([...leadToSections, ...v61]);
  const symbols = { inKernel: () => undefined } as unknown as PageKernel['symbols'];

  test.each([
    ['no symbol of sections', leadToSections.slice(1)],
    ['sections larger than a page', [...leadToSections.slice(0, 2), 'SIZE(mem_section)=8192']],
    [
      'sections that are nowhere',
      ['SYMBOL(mem_section)=ffff999900000000', ...leadToSections.slice(1)],
    ],
  ])('%s: the base that is fixed without randomization', (_, lines) => {
    const { vmcoreinfo } = kernelWith([...lines, ...v61]);
    const kernel = { memory, vmcoreinfo, symbols, types: undefined! } as PageKernel;
    expect(pageLayout(kernel).vmemmap).toBe(0xffff_ea00_0000_0000n);
  });

  test.each([
    ['OFFSET(page.private)=60', 'a member that reaches out of the structure'],
    ['OFFSET(folio._folio_order)=3', 'a member of the second page before it begins'],
    ['LENGTH(zone.free_area)=4000000', 'more orders than there is memory'],
  ])('%s is damage: %s', (line) => {
    const text = [line, ...told.source.split('\n')].join('\n');
    const kernel = { memory, symbols, vmcoreinfo: new Vmcoreinfo(text) } as unknown as PageKernel;
    expect(() => pageLayout(kernel)).toThrow(DumpError);
  });
});
