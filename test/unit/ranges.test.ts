/** Random access and ranges of src/bytes, compared with the plainest implementation. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstWins, lowerBound, pieceFrom } from '../../src/bytes/ranges.ts';
import { Appender, MemorySink } from '../../src/bytes/sink.ts';
import { memorySource, windowed } from '../../src/bytes/source.ts';

const range = fc.record({ start: fc.nat(60), length: fc.nat(20) });

describe('firstWins', () => {
  test('every point belongs to the first range that covers it', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        const starts = ranges.map(({ start }) => start);
        const ends = ranges.map(({ start, length }) => start + length);
        const map = firstWins(starts, ends);
        for (let at = 0; at < 90; at++) {
          const expected = ranges.findIndex((_, each) => starts[each]! <= at && at < ends[each]!);
          const piece = pieceFrom(map, at);
          const found = piece < map.start.length && map.start[piece]! <= at;
          expect(found ? map.owner[piece] : -1).toBe(expected);
        }
        for (let piece = 1; piece < map.start.length; piece++) {
          expect(map.start[piece]).toBeGreaterThanOrEqual(map.end[piece - 1]!);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('100,000 ranges over each other take no time to speak of', () => {
    const starts = Float64Array.from({ length: 100_000 }, (_, index) => index);
    const map = firstWins(
      starts,
      starts.map((start) => start + 50_000),
    );
    expect(map.start.length).toBe(100_000);
  });
});

test('lowerBound: the first element that is not below', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30)), fc.nat(31), (values, value) => {
      const sorted = values.sort((a, b) => a - b);
      const expected = sorted.findIndex((each) => each >= value);
      expect(lowerBound(sorted, value)).toBe(expected < 0 ? sorted.length : expected);
    }),
  );
});

test('windowed: any reads give what the source gives, past its end too', () => {
  const reads = fc.array(fc.record({ at: fc.nat(300), length: fc.nat(80) }), { maxLength: 30 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 250 }), reads, (bytes, list) => {
      const source = memorySource('bytes', bytes);
      const cached = windowed(source, 32, 2);
      for (const { at, length } of list) {
        expect([...cached.read(at, length)]).toEqual([...source.read(at, length)]);
      }
    }),
    { numRuns: 300 },
  );
});

test('windowed: where a file was cut after it was opened, what is gone is not zeros', () => {
  const before = memorySource('bytes', new Uint8Array(96).fill(7));
  const reads = fc.record({ left: fc.nat(96), at: fc.nat(95), length: fc.nat(40) });
  fc.assert(
    fc.property(reads, ({ left, at, length }) => {
      const cut = { ...before, read: memorySource('cut', new Uint8Array(left).fill(7)).read };
      const found = windowed(cut, 32, 2).read(at, length);
      expect(found.length).toBe(Math.max(0, Math.min(left, at + length) - at));
      expect(found.every((byte) => byte === 7)).toBe(true);
    }),
  );
});

test('Appender: pieces of any size arrive in order, from the offset given', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.nat(20), (pieces, offset) => {
      const sink = new MemorySink();
      const appender = new Appender(sink, offset, 16);
      for (const piece of pieces) appender.append(piece);
      appender.flush();
      const expected = pieces.flatMap((piece) => [...piece]);
      expect(appender.offset).toBe(offset + expected.length);
      expect([...sink.bytes().subarray(offset)]).toEqual(expected);
    }),
  );
});
