/** Bitmaps together. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap, nextInAny } from '../../src/bytes/bitmap.ts';

const length = 200;
const bits = fc.uniqueArray(fc.nat(length - 1), { maxLength: 20 });

function bitmapOf(indexes: readonly number[]): Bitmap {
  const map = Bitmap.ofSize(length);
  for (const index of indexes) map.add(index);
  return map;
}

test('the next bit of any of them, as a search of each finds it', () => {
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 3 }), fc.nat(length), (maps, end) => {
      const next = nextInAny(maps.map(bitmapOf), end);
      for (let from = 0; from < end; from += 1 + (from % 7)) {
        const after = maps.flat().filter((bit) => bit >= from && bit < end);
        expect(next(from)).toBe(Math.min(end, ...after));
      }
    }),
  );
});

test('a map that is empty is searched once, however often the others have bits', () => {
  class Counting extends Bitmap {
    searches = 0;

    override next(from: number): number {
      this.searches++;
      return super.next(from);
    }
  }
  const empty = new Counting(new Uint8Array(1000));
  const next = nextInAny([bitmapOf([1, 5, 9, 100, 150]), empty], 8000);
  for (let from = 0; from < 8000; from++) next(from);
  expect(empty.searches).toBe(1);
});

test('ranges and differences of bits, as taken one by one; runs are maximal', () => {
  const range = fc.tuple(fc.nat(length - 1), fc.nat(60));
  fc.assert(
    fc.property(bits, range, range, bits, (some, added, removed, gone) => {
      const map = bitmapOf(some);
      const expected = new Set(some);
      const ends = ([first, count]: readonly [number, number]) =>
        [first, Math.min(length, first + count)] as const;
      map.addRange(...ends(added));
      for (let bit = ends(added)[0]; bit < ends(added)[1]; bit++) expected.add(bit);
      expect(map.count).toBe(expected.size);
      map.removeRange(...ends(removed));
      for (let bit = ends(removed)[0]; bit < ends(removed)[1]; bit++) expected.delete(bit);
      map.subtract(bitmapOf(gone));
      for (const bit of gone) expected.delete(bit);
      expect(map.count).toBe(expected.size);
      const runs = [...map.runs(0, length)];
      const inRuns = runs.flatMap(({ first, end }) =>
        Array.from({ length: end - first }, (_, index) => first + index),
      );
      expect(inRuns).toEqual([...expected].sort((a, b) => a - b));
      for (const { end } of runs) expect(map.has(end)).toBe(false);
    }),
  );
});
