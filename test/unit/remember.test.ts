/** Codecs that remember: the same bytes as without, and the very arrays where they are known. */

import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { createCodecs } from '../../src/codec/codecs.ts';
import { rememberingCodecs } from '../../src/codec/remember.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { Random } from '../support/mutate.ts';
import { expectEqual, pageArbitrary } from '../support/pages.ts';

const plain = createCodecs(nodeZlib);
const random = new Random(5);
const noise = Uint8Array.from({ length: 4096 }, () => random.below(256));

describe.each(['none', 'rle', 'zlib', 'lzo'] as const)('%s', (name) => {
  test('gives what the codec gives, the second time without asking it', () => {
    fc.assert(
      fc.property(pageArbitrary(4096), (page) => {
        const codec = plain.get(name);
        const compress = vi.spyOn(codec, 'compress');
        const remembering = rememberingCodecs(plain).get(name);
        const first = remembering.compress(page);
        const asked = compress.mock.calls.length;
        expect(remembering.compress(page)).toBe(first);
        expect(compress.mock.calls.length).toBe(asked);
        compress.mockRestore();
        expect(first).toEqual(codec.compress(page));
        if (first !== undefined) expect(remembering.decompress(first, 4096)).toBe(page);
      }),
      { numRuns: 30 },
    );
  });

  test('an encoding from elsewhere is decoded', () => {
    const page = new Uint8Array(4096).fill(7);
    const packed = plain.get(name).compress(page) ?? page;
    const found = rememberingCodecs(plain).get(packed === page ? 'none' : name);
    expectEqual(found.decompress(packed, 4096), page);
  });
});

test('a page that no codec shrinks comes back as itself from `none`', () => {
  const codecs = rememberingCodecs(plain);
  expect(codecs.get('zlib').compress(noise)).toBeUndefined();
  expect(codecs.get('none').decompress(noise, 4096)).toBe(noise);
  const other = noise.slice();
  expect(codecs.get('none').decompress(other, 4096)).not.toBe(other);
});

test('a remembered page of another size than asked for is corrupt', () => {
  const codecs = rememberingCodecs(plain);
  const page = new Uint8Array(4096);
  const packed = codecs.get('zlib').compress(page)!;
  expect(() => codecs.get('zlib').decompress(packed, 8192)).toThrow('not 8192');
});
