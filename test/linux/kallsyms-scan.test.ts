/** kallsyms by its looks, in tables written by hand; test/linux/older-kernels has real ones. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanKallsyms } from '../../src/linux/kallsyms-scan.ts';
import { kallsymsTables } from '../../src/linux/kallsyms-tables.ts';
import {
  imageStart,
  type SymbolToWrite,
  type TableOrder,
  writeKallsyms,
} from '../support/kallsyms.ts';
import { addressSpaceWith } from '../support/memory.ts';

const symbols: SymbolToWrite[] = [
  { name: '_stext', type: 'T', address: imageStart },
  ...Array.from({ length: 1500 }, (_, index) => ({
    name: `function_${index}${'x'.repeat(index % 90)}`,
    type: 't',
    address: imageStart + BigInt(index + 1) * 16n,
  })),
];

describe('kallsyms by scan', () => {
  test.each<TableOrder>(['before-4.6', 'before-6.4', 'since-6.2', 'since-6.4'])(
    'tables in the order of %s are found where they are',
    (order) => {
      const { memory, vmcoreinfo } = writeKallsyms(symbols, imageStart, order, true);
      const found = scanKallsyms(memory);
      const { names, count, tokenTable, tokenIndex } = kallsymsTables(memory, vmcoreinfo)!;
      expect(found?.tables).toMatchObject({ names, count, tokenTable, tokenIndex });
      for (const [index, { name, type, address }] of symbols.entries()) {
        expect([found!.name(index), found!.type(index), found!.address(index)]).toEqual([
          name,
          type,
          address,
        ]);
      }
    },
  );

  test('a table that knows another image is not believed', () => {
    const others = symbols.map((symbol) => ({ ...symbol, address: symbol.address + 0x100_0000n }));
    const { memory } = writeKallsyms(others, imageStart, 'since-6.4', true);
    expect(scanKallsyms(memory)).toBeUndefined();
  });

  test('memory without the tables has none, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 20_000 }), (bytes) => {
        expect(scanKallsyms(addressSpaceWith(imageStart, bytes))).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });
});
