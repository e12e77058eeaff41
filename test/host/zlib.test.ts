/** Node's zlib as the codecs use it: page after page, without a turn of the event loop between. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { nodeZlib } from '../../src/host/zlib.ts';
import { pageArbitrary } from '../support/pages.ts';

const page = Uint8Array.from({ length: 4096 }, (_, at) => (at * at) >> 7);
const packed = nodeZlib.deflate(page, 1)!;

test('damaged pages leave nothing behind, however many are read in one go', () => {
  const before = process.memoryUsage().external;
  let refused = 0;
  for (let run = 0; run < 30_000; run++) {
    const damaged = packed.slice();
    damaged[2 + (run % (packed.length - 2))]! ^= 1 + (run % 255);
    try {
      nodeZlib.inflate(damaged, page.length);
    } catch (error) {
      if (error instanceof Error) refused++;
    }
  }
  expect(refused).toBeGreaterThan(29_000);
  expect(process.memoryUsage().external - before).toBeLessThan(64 * 1024 * 1024);
});

test('a whole page comes back; too long, cut and empty data is refused', () => {
  expect(nodeZlib.inflate(packed, page.length)).toEqual(page);
  expect(() => nodeZlib.inflate(packed, page.length - 1)).toThrow('larger than 4095');
  expect(() => nodeZlib.inflate(packed.slice(0, -5), page.length)).toThrow('unexpected end');
  expect(() => nodeZlib.inflate(new Uint8Array(0), page.length)).toThrow('unexpected end');
});

test('a page is packed as if none had been packed before it, whatever its size', () => {
  const pages = fc.array(fc.constantFrom(64, 4096, 8192).chain(pageArbitrary), { minLength: 2 });
  fc.assert(
    fc.property(pages, fc.constantFrom(1, 6), (inputs, level) => {
      for (const input of inputs) {
        const windowBits = Math.max(9, Math.log2(input.length));
        const alone = deflateSync(input, { level, windowBits });
        const together = nodeZlib.deflate(input, level);
        if (alone.length >= input.length) expect(together).toBeUndefined();
        else expect(Buffer.compare(together!, alone)).toBe(0);
      }
    }),
  );
});

test('packed pages stay as they were made', () => {
  const inputs = Array.from({ length: 100 }, (_, seed) => page.map((byte) => byte ^ seed));
  const all = inputs.map((input) => nodeZlib.deflate(input, 1)!);
  for (const [index, input] of inputs.entries()) {
    expect(Buffer.compare(nodeZlib.inflate(all[index]!, input.length), input)).toBe(0);
  }
});

test('after damage the next page comes back as if there had been none', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, (damage) => {
      const damaged = packed.slice();
      damaged.set(damage, 2);
      try {
        nodeZlib.inflate(damaged, page.length);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
      expect(nodeZlib.inflate(packed, page.length)).toEqual(page);
    }),
  );
});

test('without the parts that Node does not document, all is as with them', async () => {
  vi.resetModules();
  vi.doMock('node:zlib', async (original) => ({
    ...(await original<object>()),
    createDeflate: () => ({}),
    createInflate: () => ({ _handle: null }),
  }));
  const { nodeZlib: documented } = await import('../../src/host/zlib.ts');
  vi.doUnmock('node:zlib');
  const random = Uint8Array.from({ length: 4096 }, (_, at) => Math.imul(at, 0x9e37_79b1) >>> 13);
  expect(documented.deflate(page, 1)).toEqual(packed);
  expect(documented.deflate(random, 1)).toEqual(nodeZlib.deflate(random, 1));
  expect(documented.inflate(packed, page.length)).toEqual(page);
  expect(() => documented.inflate(packed, page.length - 1)).toThrow('larger than 4095');
  expect(() => documented.inflate(packed.slice(0, -5), page.length)).toThrow('unexpected end');
  expect(() => documented.inflate(packed.slice(3), page.length)).toThrow('incorrect header');
});

test('nothing gathers that Node would warn of', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on('warning', note);
  for (let run = 0; run < 100; run++) nodeZlib.deflate(page, 1);
  await nextTurn();
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
