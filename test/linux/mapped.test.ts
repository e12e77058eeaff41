/** Walking all that page tables map, and what single entries say. */

import { describe, expect, test } from 'vitest';
import type { DumpError } from '../../src/bytes/errors.ts';
import { type MappedPiece, mappedPieces } from '../../src/linux/mapped.ts';
import { readPageEntry } from '../../src/linux/page-entry.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { HandMadeMemory } from '../support/memory.ts';

const megabyte = 1024 * 1024;

function pieces(
  memory: HandMadeMemory,
  root: bigint,
  levels: 4 | 5,
  bounds: { start: bigint; end: bigint },
): { found: MappedPiece[]; lost: DumpError[] } {
  const lost: DumpError[] = [];
  const table = { physical: root, levels, encryptionMask: 0n };
  const walk = mappedPieces(new PhysicalMemory(memory), table, bounds, (error) => lost.push(error));
  return { found: [...walk], lost };
}

describe.each([4, 5] as const)('%i levels', (levels) => {
  test('every mapping once, in order, large pages whole, cut at the bounds', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    const base = 0xffff_8880_0000_0000n;
    memory.map(root, levels, base + 0x40_0000n, 0x20_0000n, 2 * megabyte);
    memory.map(root, levels, base + 0x1000n, 0x5000n);
    memory.map(root, levels, 0xffff_ffff_ffff_f000n, 0x7000n);
    const { found, lost } = pieces(memory, root, levels, {
      start: base,
      end: 1n << 64n,
    });
    expect(lost).toEqual([]);
    expect(found).toEqual([
      { virtual: base + 0x1000n, physical: 0x5000n, length: 4096 },
      { virtual: base + 0x40_0000n, physical: 0x20_0000n, length: 2 * megabyte },
      { virtual: 0xffff_ffff_ffff_f000n, physical: 0x7000n, length: 4096 },
    ]);
    const part = { start: base + 0x40_1234n, end: base + 0x40_2000n };
    expect(pieces(memory, root, levels, part).found).toEqual([
      { virtual: part.start, physical: 0x20_1234n, length: 0xdcc },
    ]);
  });
});

test('a table that is not there is told once, and the walk goes on behind what it maps', () => {
  const memory = new HandMadeMemory();
  const root = memory.newTable();
  memory.map(root, 4, 0x1000n, 0x5000n);
  memory.map(root, 4, 0x20_1000n, 0x6000n);
  // The page table of the first 2 MB: the fourth that was made.
  memory.states.set(0x100_3000 / 4096, 'excluded');
  const { found, lost } = pieces(memory, root, 4, { start: 0n, end: 1n << 47n });
  expect(lost).toHaveLength(1);
  expect(found).toEqual([{ virtual: 0x20_1000n, physical: 0x6000n, length: 4096 }]);
});

test('tables that lead in circles: the walk ends and says so', () => {
  const memory = new HandMadeMemory();
  const root = memory.newTable();
  for (let entry = 0n; entry < 512n; entry++) memory.writeU64(root + entry * 8n, root | 3n);
  const table = { physical: root, levels: 4 as const, encryptionMask: 0n };
  const lost: DumpError[] = [];
  const bounds = { start: 0n, end: 1n << 47n };
  let count = 0;
  const image = new PhysicalMemory(memory);
  for (const piece of mappedPieces(image, table, bounds, (error) => lost.push(error))) {
    count += piece.length / 4096;
  }
  expect(count).toBeLessThan(5_000_000);
  expect(lost.map(({ message }) => message)).toEqual(['page tables without an end']);
});

describe('a page table entry', () => {
  test('that is present: its page and its flags', () => {
    expect(readPageEntry(0x8000_0000_02a7_c163n)).toEqual({
      kind: 'present',
      physical: 0x2a7_c000n,
      flags: ['PRESENT', 'RW', 'ACCESSED', 'DIRTY', 'GLOBAL', 'NX'],
    });
  });

  test('PROT_NONE: the page stands in it inverted', () => {
    const entry = readPageEntry((~0x2a7_c000n & 0x000f_ffff_ffff_f000n) | 0x100n);
    expect(entry).toMatchObject({ kind: 'present', physical: 0x2a7_c000n });
    expect(entry.flags).toContain('PROTNONE');
  });

  test('of a page in swap: area and page', () => {
    // __swp_entry(type, offset) of arch/x86/include/asm/pgtable_64.h.
    const type = 3n;
    const offset = 0x1234n;
    const entry = BigInt.asUintN(64, (BigInt.asUintN(64, ~offset << 14n) >> 5n) | (type << 59n));
    expect(readPageEntry(entry)).toMatchObject({ kind: 'swap', swap: { type: 3, offset } });
  });

  test('of zero: nothing', () => {
    expect(readPageEntry(0n)).toEqual({ kind: 'none', physical: 0n, flags: [] });
  });
});
