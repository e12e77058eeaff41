import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { AddressSpace } from '../../src/linux/memory.ts';
import { isCanonical, walk } from '../../src/linux/paging.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { HandMadeMemory } from '../support/memory.ts';

const sizes = [4096, 2 * 1024 * 1024, 1024 * 1024 * 1024];

function space(memory: HandMadeMemory, root: bigint, levels: 4 | 5): AddressSpace {
  return new AddressSpace(new PhysicalMemory(memory), {
    physical: root,
    levels,
    encryptionMask: 0n,
  });
}

function codeOf(body: () => unknown): string | undefined {
  try {
    body();
  } catch (error) {
    if (error instanceof DumpError) return error.code;
    throw error;
  }
  return undefined;
}

describe('page tables', () => {
  test('any page of any size, in four and five levels, translates to where it was mapped', () => {
    const mapping = fc.record({
      levels: fc.constantFrom(4 as const, 5 as const),
      size: fc.constantFrom(...sizes),
      page: fc.bigInt(0n, 2n ** 26n),
      frame: fc.bigInt(0n, 2n ** 10n),
      offset: fc.nat(4095),
      kernelHalf: fc.boolean(),
    });
    fc.assert(
      fc.property(mapping, ({ levels, size, page, frame, offset, kernelHalf }) => {
        const memory = new HandMadeMemory();
        const root = memory.newTable();
        const bits = levels === 5 ? 57n : 48n;
        const low = (page * BigInt(size)) % 2n ** (bits - 1n);
        const virtual = kernelHalf ? BigInt.asUintN(64, low - 2n ** (bits - 1n)) : low;
        const physical = frame * BigInt(size);
        memory.map(root, levels, virtual, physical, size);
        const found = space(memory, root, levels).translate(virtual + BigInt(offset));
        expect(found.physical).toBe(physical + BigInt(offset));
        expect(found.pageSize).toBe(size);
      }),
      { numRuns: 300 },
    );
  });

  test('a PROT_NONE page is read through its inverted frame number', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x5000n);
    const { entryAddress } = space(memory, root, 4).translate(0x1000n);
    memory.writeU64(entryAddress, (~0x5000n & 0x000f_ffff_ffff_f000n) | 0x100n);
    expect(space(memory, root, 4).translate(0x1234n).physical).toBe(0x5234n);
  });

  test('a large PROT_NONE page as well; a table is no page, whatever bits its entry has', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x20_0000n, 0x60_0000n, 2 * 1024 * 1024);
    memory.map(root, 4, 0x40_0000n, 0x5000n);
    const { entryAddress } = space(memory, root, 4).translate(0x20_0000n);
    memory.writeU64(entryAddress, (~0x60_0000n & 0x000f_ffff_ffff_f000n) | 0x180n);
    expect(space(memory, root, 4).translate(0x20_1234n).physical).toBe(0x60_1234n);
    const table = entryAddress + 8n;
    const entry = new PhysicalMemory(memory).u64(table);
    memory.writeU64(table, ((~entry & 0x000f_ffff_ffff_f000n) | 0x100n) & ~1n);
    expect(codeOf(() => space(memory, root, 4).u8(0x40_0000n))).toBe('absent');
  });

  test("the bit of AMD's memory encryption is no part of an address, at any level", () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x5000n);
    const encryptionMask = 1n << 47n;
    for (const [pfn, page] of memory.pages) {
      if (pfn === 5) continue;
      const words = new BigUint64Array(page.buffer, page.byteOffset, 512);
      for (const [at, word] of words.entries()) if (word !== 0n) words[at] = word | encryptionMask;
    }
    const physical = new PhysicalMemory(memory);
    const found = walk(physical, { physical: root, levels: 4, encryptionMask }, 0x1234n);
    expect(found.physical).toBe(0x5234n);
  });

  test('an address that is not sign-extended is absent, in both depths', () => {
    expect(isCanonical(0x0000_8000_0000_0000n, 4)).toBe(false);
    expect(isCanonical(0x0000_8000_0000_0000n, 5)).toBe(true);
    expect(isCanonical(0xffff_8000_0000_0000n, 4)).toBe(true);
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    expect(codeOf(() => space(memory, root, 4).u8(0x8000_0000_0000_0000n))).toBe('absent');
  });

  test('a page is writable only if every level says so', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x5000n);
    expect(space(memory, root, 4).translate(0x1000n).writable).toBe(true);
    memory.writeU64(root, memory.readU64(root) & ~2n);
    expect(space(memory, root, 4).translate(0x1000n).writable).toBe(false);
  });

  test('a missing level is named, and a table that is filtered out is excluded, not absent', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x5000n);
    expect(() => space(memory, root, 4).u8(0x2000n)).toThrow(/PTE entry is 0x0/);
    const tables = [...memory.pages.keys()];
    memory.states.set(Math.max(...tables), 'excluded');
    expect(codeOf(() => space(memory, root, 4).u8(0x1000n))).toBe('excluded');
  });

  test('page tables that point at themselves end', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    for (let entry = 0n; entry < 512n; entry++) memory.writeU64(root + entry * 8n, root | 3n);
    const physical = new PhysicalMemory(memory);
    const found = walk(physical, { physical: root, levels: 5, encryptionMask: 0n }, 0x1000n);
    expect(found.physical).toBe(root);
  });
});

describe('address spaces', () => {
  test('a read across pages joins frames that are apart', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x9000n);
    memory.map(root, 4, 0x2000n, 0x5000n);
    memory.write(0x9ffen, Uint8Array.of(1, 2));
    memory.write(0x5000n, Uint8Array.of(3, 4));
    expect([...space(memory, root, 4).read(0x1ffen, 4)]).toEqual([1, 2, 3, 4]);
    expect(space(memory, root, 4).u32(0x1ffen)).toBe(0x04030201);
  });

  test('the error of an excluded page names its virtual and physical address', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x9000n);
    memory.write(0x9000n, new Uint8Array(4096));
    memory.states.set(9, 'excluded');
    try {
      space(memory, root, 4).u64(0x1008n);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(DumpError);
      const { code, where } = error as DumpError;
      expect(code).toBe('excluded');
      expect(where).toMatchObject({ virtual: 0x1008n, physical: 0x9008n, pfn: 9 });
    }
  });

  test('a read through a large page names the small page that is missing', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x40_0000n, 0x80_0000n, 2 * 1024 * 1024);
    for (const page of [0x80_0000n, 0x80_1000n, 0x80_2000n])
      memory.write(page, new Uint8Array(4096));
    memory.write(0x80_1ffen, Uint8Array.of(7, 8));
    memory.write(0x80_2000n, Uint8Array.of(9));
    expect([...space(memory, root, 4).read(0x40_1ffen, 3)]).toEqual([7, 8, 9]);
    memory.states.set(0x802, 'excluded');
    try {
      space(memory, root, 4).read(0x40_0800n, 12_000);
      expect.unreachable();
    } catch (error) {
      const where = { virtual: 0x40_2000n, physical: 0x80_2000n, pfn: 0x802 };
      expect(error).toMatchObject({ code: 'excluded', where });
    }
  });

  test('text ends at its NUL although the next page is not there', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    memory.map(root, 4, 0x1000n, 0x9000n);
    memory.write(0x9ff0n, new TextEncoder().encode('swapper/0\0'));
    expect(space(memory, root, 4).cstring(0x1ff0n, 64)).toBe('swapper/0');
  });

  test('a wild length is refused before anything is allocated', () => {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    expect(codeOf(() => space(memory, root, 4).read(0x1000n, 2 ** 40))).toBe('corrupt');
  });
});
