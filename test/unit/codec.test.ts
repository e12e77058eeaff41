/** Every codec: what goes in comes out, and damaged input is `corrupt` and nothing else. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { lzo } from '../../src/codec/lzo.ts';
import { rle } from '../../src/codec/rle.ts';
import { findSequences } from '../../src/codec/sequences.ts';
import { type CompressionName, compressionNames } from '../../src/codec/types.ts';
import { loadZstdWitness } from '../../src/codec/zstd.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { mutate, Random } from '../support/mutate.ts';
import { expectEqual, pageArbitrary } from '../support/pages.ts';

const codecs = createCodecs(nodeZlib);
await codecs.prepare('zstd');
await codecs.prepare('snappy');
const packers = compressionNames.filter((name) => name !== 'none');

function unpack(name: CompressionName, packed: Uint8Array, size = 4096): Uint8Array {
  return codecs.get(name).decompress(packed, size);
}

describe.each(packers)('%s', (name) => {
  const codec = codecs.get(name);

  test('a page comes back as it was; what does not shrink is refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(4096, 65536).chain(pageArbitrary), (page) => {
        const packed = codec.compress(page);
        if (packed === undefined) return;
        expect(packed.length).toBeLessThan(page.length);
        expectEqual(unpack(name, packed, page.length), page);
      }),
      { numRuns: 200 },
    );
  });

  test('what a page becomes does not depend on the pages before it', async () => {
    const pages = fc.sample(pageArbitrary(4096), { numRuns: 60, seed: 11 });
    const fresh = createCodecs(nodeZlib);
    await fresh.prepare(name);
    const forward = pages.map((page) => fresh.get(name).compress(page)?.slice());
    const again = [...pages].reverse().map((page) => codec.compress(page)?.slice());
    for (const [index, packed] of again.reverse().entries()) {
      expect(Buffer.compare(packed ?? Buffer.of(), forward[index] ?? Buffer.of())).toBe(0);
    }
  });

  test('zeros shrink to almost nothing', () => {
    expect(codec.compress(new Uint8Array(4096))!.length).toBeLessThan(220);
  });

  test('noise does not shrink', () => {
    const random = new Random(5);
    const noise = Uint8Array.from({ length: 4096 }, () => random.below(256));
    expect(codec.compress(noise)).toBeUndefined();
  });

  test('a page of another size is corrupt', () => {
    const packed = codec.compress(new Uint8Array(4096).fill(7))!;
    for (const size of [1, 4095, 4097, 65536]) {
      expect(() => unpack(name, packed, size)).toThrow(DumpError);
    }
  });

  test('every cut of a stream is corrupt', () => {
    const page = fc.sample(pageArbitrary(4096), { numRuns: 1, seed: 3 })[0]!.fill(0, 2000);
    const packed = codec.compress(page)!;
    // Of zlib and zstd only whole streams end well; the last bytes of zlib are its checksum.
    for (let length = 0; length < packed.length; length += 1 + (length >> 4)) {
      expect(() => unpack(name, packed.subarray(0, length))).toThrow(DumpError);
    }
  });

  test('3000 damaged streams: a page or `corrupt`, nothing else', () => {
    const pages = fc.sample(pageArbitrary(4096), { numRuns: 30, seed: 11 });
    const streams = pages.map((page) => codec.compress(page)).filter((each) => each !== undefined);
    expect(streams.length).toBeGreaterThan(5);
    let refused = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const random = new Random(seed);
      const damaged = mutate(random.pick(streams), random, [0, 0, 8]);
      try {
        unpack(name, damaged);
      } catch (error) {
        if (!(error instanceof DumpError) || error.code !== 'corrupt') {
          throw new Error(`seed ${seed}`, { cause: error });
        }
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
    // Whatever the damage did, the codec still works.
    expectEqual(unpack(name, codec.compress(pages[0]!.fill(1))!), pages[0]!);
  });
});

describe('rle', () => {
  const encoded: readonly (readonly [string, string])[] = [
    ['00', '0000'],
    ['0000', '000100'],
    ['41', '41'],
    ['4141', '4141'],
    ['414141', '000241'],
    ['00'.repeat(256), '00ff00'],
    ['00'.repeat(257), '00ff000000'],
  ];

  test('encodes byte by byte as LKCD does', () => {
    for (const [plain, packed] of encoded) {
      // Zeros after it, so that the whole shrinks.
      const tail = new Uint8Array(600).fill(9);
      const input = Uint8Array.from([...Buffer.from(plain, 'hex'), ...tail]);
      const hex = Buffer.from(rle.compress(input)!).toString('hex');
      expect(hex).toBe(`${packed}00ff0900ff09005709`);
    }
  });

  test('a stream that ends inside a run is corrupt, not over-read', () => {
    for (const packed of ['00', '0005']) {
      expect(() => rle.decompress(Buffer.from(packed, 'hex'), 1)).toThrow('ends inside a run');
    }
  });
});

describe('lzo', () => {
  const read = (hex: string, size: number): string => {
    const output = lzo.decompress(Buffer.from(hex.replaceAll(' ', ''), 'hex'), size);
    return Buffer.from(output).toString('latin1');
  };

  test('every instruction of the description', () => {
    const end = '110000';
    // 4 literals, then a match of 3 two bytes back with a literal in its low bits.
    expect(read(`15 61626364 45 00 65 ${end}`, 8)).toBe('abcdcdce');
    // 1 literal after the first byte, then (state 1) 2 bytes from distance 1.
    expect(read(`12 61 00 00 ${end}`, 3)).toBe('aaa');
    // 5 to 8 bytes: 1LLDDDSS.
    expect(read(`15 61626364 ec 00 ${end}`, 12)).toBe('abcdabcdabcd');
    // 001LLLLL, and its long form.
    expect(read(`15 61626364 24 0c00 ${end}`, 10)).toBe('abcdabcdab');
    expect(read(`15 61626364 20 01 0c00 ${end}`, 38)).toBe('abcd'.repeat(10).slice(0, 38));
    // A literal run of 3 + 1 after the first byte's 0: state 0.
    expect(read(`01 61626364 ${end}`, 4)).toBe('abcd');
  });

  test('a match of three right after a literal run reaches behind the nearest 2048 bytes', () => {
    // "abcd" 526 times, the run "wxyz", then three bytes from 2049 before.
    const filled = `15 61626364 20 ${'00'.repeat(8)} 1b 0c00 01 7778797a 00 00 110000`;
    expect(read(filled, 2111).slice(-8)).toBe('dwxyzdab');
  });

  test('a match before the page is corrupt', () => {
    expect(() => read('15 61626364 24 1000 110000', 10)).toThrow('before the page');
  });

  test('bytes after the end are corrupt', () => {
    expect(() => read('01 61626364 110000 00', 4)).toThrow('early');
  });
});

describe('the search for matches', () => {
  test('after 2 GiB, when places are counted anew, a page becomes what it was', () => {
    const [page] = fc.sample(pageArbitrary(4096), { numRuns: 1, seed: 3 });
    const before = lzo.compress(page!);
    expect(before).toBeDefined();
    const zeros = new Uint8Array(65536);
    for (let done = 0; done <= 2 ** 31; done += zeros.length) lzo.compress(zeros);
    expectEqual(lzo.compress(page!)!, before!);
  });

  test('a page that LZO makes larger is refused', () => {
    const random = new Random(8);
    const page = Uint8Array.from({ length: 65536 }, () => random.below(256));
    // 19 literals take two bytes more; a match of four from 2300 before makes up for one of them.
    // At first, each word comes twice: without matches, most places would not be looked at.
    for (let at = 0; at + 23 <= page.length; at += 23) {
      const from = at < 2300 ? at + 15 : at - 2300 + 19;
      page.copyWithin(at + 19, from, from + 4);
    }
    expect(findSequences(page, 49151)).toBeGreaterThan(6000);
    expect(lzo.compress(page)).toBeUndefined();
  });
});

describe('zstd', () => {
  test('both implementations read each other', async () => {
    const witness = await loadZstdWitness();
    const ours = codecs.get('zstd');
    for (const page of fc.sample(pageArbitrary(4096), { numRuns: 50, seed: 2 })) {
      for (const [writer, reader] of [
        [ours, witness],
        [witness, ours],
      ] as const) {
        const packed = writer.compress(page);
        if (packed === undefined) continue;
        expectEqual(reader.decompress(packed, 4096), page);
      }
    }
  });

  test('a frame header that claims 2 GiB is refused before anything is allocated', () => {
    const claim = Buffer.from('28b52ffda000000080', 'hex');
    expect(() => unpack('zstd', claim)).toThrow('says 2147483648 bytes');
  });

  test('without prepare it is unsupported, with the way out', () => {
    expect(() => createCodecs(nodeZlib).get('zstd')).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('prepare') }),
    );
  });
});
