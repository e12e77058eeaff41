import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { Kallsyms } from '../../src/linux/kallsyms.ts';
import { kallsymsTables } from '../../src/linux/kallsyms-tables.ts';
import { SymbolTable } from '../../src/linux/symbols.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { type SymbolToWrite, type TableOrder, writeKallsyms } from '../support/kallsyms.ts';

const text = 0xffff_ffff_8100_0000n;
const orders: TableOrder[] = ['before-4.6', 'before-6.4', 'since-6.2', 'since-6.4'];

function open(
  symbols: readonly SymbolToWrite[],
  order: TableOrder,
  absolutePerCpu: boolean,
): Kallsyms {
  const { memory, vmcoreinfo } = writeKallsyms(symbols, text, order, absolutePerCpu);
  return new Kallsyms(memory, kallsymsTables(memory, vmcoreinfo)!);
}

const perCpu: SymbolToWrite[] = [
  { name: 'fixed_percpu_data', type: 'D', address: 0n },
  { name: 'runqueues', type: 'd', address: 0x2_fd40n },
];
const image: SymbolToWrite[] = [
  { name: '_text', type: 'T', address: text },
  { name: '_stext', type: 'T', address: text },
  { name: 'panic', type: 'T', address: text + 0x1000n },
  { name: 'show', type: 't', address: text + 0x1100n },
  { name: 'show', type: 't', address: text + 0x1200n },
  { name: '_end', type: 'B', address: text + 0x2000n },
];

describe('kallsyms', () => {
  for (const order of orders) {
    test(`tables in the order of ${order} give names, types and addresses both ways`, () => {
      const kallsyms = open([...perCpu, ...image], order, true);
      expect(kallsyms.count).toBe(8);
      const [panic] = kallsyms.find('panic');
      expect(kallsyms.address(panic!)).toBe(text + 0x1000n);
      expect(kallsyms.type(panic!)).toBe('T');
      expect(kallsyms.name(kallsyms.at(text + 0x10ffn))).toBe('panic');
      expect(kallsyms.address(kallsyms.find('runqueues')[0]!)).toBe(0x2_fd40n);
    });
  }

  test('offsets without the absolute per-CPU form (v6.15 and later) are plain', () => {
    const kallsyms = open(image, 'since-6.4', false);
    expect(kallsyms.address(kallsyms.find('panic')[0]!)).toBe(text + 0x1000n);
  });

  test('of several symbols at one address the first names it; below the first there is none', () => {
    const kallsyms = open([...perCpu, ...image], 'since-6.4', true);
    expect(kallsyms.name(kallsyms.at(text))).toBe('_text');
    expect(kallsyms.at(text - 1n)).toBe(-1);
  });

  test('a name longer than 127 characters is read whole', () => {
    const name = 'x'.repeat(300);
    const kallsyms = open([{ name, type: 'T', address: text }, ...image], 'before-6.4', true);
    expect(kallsyms.name(0)).toBe(name);
    expect(kallsyms.find(name)).toEqual([0]);
  });

  test('any table reads back as it was written', () => {
    const symbol = fc.record({
      name: fc.stringMatching(/^[a-zA-Z_.][a-zA-Z0-9_.]{0,200}$/),
      type: fc.constantFrom(...'TtDdBbRrWA'),
      offset: fc.nat(0x3fff_ffff),
    });
    fc.assert(
      fc.property(
        fc.array(symbol, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...orders),
        fc.boolean(),
        (entries, order, absolutePerCpu) => {
          const symbols = entries
            .sort((a, b) => a.offset - b.offset)
            .map(({ name, type, offset }) => ({ name, type, address: text + BigInt(offset) }));
          const kallsyms = open(symbols, order, absolutePerCpu);
          for (const [index, { name, type, address }] of symbols.entries()) {
            expect(kallsyms.name(index)).toBe(name);
            expect(kallsyms.type(index)).toBe(type);
            expect(kallsyms.address(index)).toBe(address);
            expect(kallsyms.find(name)).toContain(index);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('VMCOREINFO without the tables (before v6.0) is not an error of kallsyms', () => {
    const { memory } = writeKallsyms(image, text, 'since-6.4', true);
    expect(kallsymsTables(memory, new Vmcoreinfo('OSRELEASE=5.10\n'))).toBeUndefined();
  });

  test('a wild count or a name of length zero is corrupt, with nothing allocated for it', () => {
    const { memory, vmcoreinfo } = writeKallsyms(image, text, 'since-6.4', true);
    const tables = kallsymsTables(memory, vmcoreinfo)!;
    for (const count of [0, 7, 0xffff_ffff]) {
      expect(() => new Kallsyms(memory, { ...tables, count })).toThrow(DumpError);
    }
  });
});

describe('the symbol table', () => {
  const symbols = (): SymbolTable =>
    new SymbolTable(open([...perCpu, ...image], 'since-6.4', true), () => [
      {
        name: 'labcrash',
        ranges: [{ start: 0xffff_ffff_c000_0000n, end: 0xffff_ffff_c000_1000n }],
        symbols: () => [
          { name: 'deref', address: 0xffff_ffff_c000_0010n, type: 't', module: 'labcrash' },
          { name: 'show', address: 0xffff_ffff_c000_0040n, type: 't', module: 'labcrash' },
        ],
      },
      {
        name: 'filtered',
        ranges: [{ start: 0xffff_ffff_c001_0000n, end: 0xffff_ffff_c001_1000n }],
        symbols: () => {
          throw new DumpError('excluded', 'the table of this module was left out');
        },
      },
    ]);

  test('an address inside a module is named by that module', () => {
    expect(symbols().at(0xffff_ffff_c000_0012n)).toMatchObject({
      symbol: { name: 'deref', module: 'labcrash' },
      offset: 2,
    });
  });

  test('a name that several functions share is found as often as it occurs', () => {
    expect(
      symbols()
        .lookupAll('show')
        .map((symbol) => symbol.module),
    ).toEqual([undefined, undefined, 'labcrash']);
  });

  test('a module whose table is not in the dump costs only its own names', () => {
    expect(symbols().lookup('deref')?.module).toBe('labcrash');
    expect(symbols().at(0xffff_ffff_c001_0010n)).toBeUndefined();
  });

  test('an address between image and modules has no symbol', () => {
    expect(symbols().at(0xffff_8880_0000_0000n)).toBeUndefined();
    expect(symbols().at(text + 0x2000n)).toBeUndefined();
  });

  test('a function is as long as the distance to the next other address', () => {
    const table = symbols();
    expect(table.sizeOf(table.lookup('_text')!)).toBe(0x1000);
    expect(table.sizeOf(table.lookup('panic')!)).toBe(0x100);
    expect(table.sizeOf(table.lookup('deref')!)).toBe(0x30);
  });
});
