/** Bytes kept by reference, against a plain array that is written like them. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Extents } from '../../src/bytes/extents.ts';
import { appenderOfKept, MemorySink } from '../../src/bytes/sink.ts';

const size = 300;

test('whatever is written over whatever: reads are those of a plain array', () => {
  const part = fc.uint8Array({ minLength: 0, maxLength: 40 });
  const write = fc.record({ offset: fc.nat(150), parts: fc.array(part, { maxLength: 4 }) });
  fc.assert(
    fc.property(fc.array(write), fc.nat(size), fc.nat(size), (writes, a, b) => {
      const extents = new Extents();
      const plain = new Uint8Array(size + 100);
      for (const { offset, parts } of writes) {
        extents.write(offset, parts.length === 1 ? parts[0]! : parts);
        plain.set(Buffer.concat(parts), offset);
      }
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      expect(extents.read(start, end - start)).toEqual(plain.slice(start, end));
      expect(extents.read(0, plain.length)).toEqual(plain);
      let last = 0;
      for (const [offset, bytes] of extents.pieces) {
        expect(offset).toBeGreaterThanOrEqual(last);
        expect(bytes.length).toBeGreaterThan(0);
        last = offset + bytes.length;
      }
      const again = new Extents(extents.pieces);
      again.write(0, new Uint8Array(size));
      expect(extents.read(0, plain.length)).toEqual(plain);
    }),
    { numRuns: 300 },
  );
});

test('an exact read gives the very array that was written', () => {
  const extents = new Extents();
  const pages = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)];
  extents.write(128, pages);
  expect(extents.read(128, 64)).toBe(pages[0]);
  expect(extents.read(192, 64)).toBe(pages[1]);
  extents.write(200, Uint8Array.of(9));
  expect(extents.read(128, 64)).toBe(pages[0]);
  expect(extents.read(192, 64)).not.toBe(pages[1]);
  expect(pages[1]![8]).toBe(2);
});

test('a sink that keeps nothing gets the same bytes as one that does', () => {
  const parts = Array.from({ length: 40 }, (_, index) => new Uint8Array(index * 3).fill(index));
  const copied = new MemorySink();
  const extents = new Extents();
  const keeping = {
    ...{ name: 'kept', write: () => {}, finish: () => {}, abort: () => {} },
    writeKept: (offset: number, kept: readonly Uint8Array[]) => extents.write(offset, kept),
  };
  for (const sink of [copied, keeping]) {
    const appender = appenderOfKept(sink, 10, 50);
    for (const part of parts) appender.append(part);
    appender.flush();
    expect(appender.offset).toBe(10 + Buffer.concat(parts).length);
  }
  expect(extents.read(0, copied.bytes().length)).toEqual(copied.bytes());
  expect(extents.read(10 + 3 + 6, 9)).toBe(parts[3]);
});
