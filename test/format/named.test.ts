/**
 * Files that do not say what they hold, or say that it is nothing for us: raw memory, with and
 * without a list of its ranges, and the table of what is refused by name.
 */

import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { type OpenOptions, openDump } from '../../src/dump/open.ts';
import { iomemText, parseIomem } from '../../src/dump/raw/layout.ts';
import { refused } from '../../src/dump/refused.ts';
import type { Dump } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { expectEqual } from '../support/pages.ts';

const codecs = createCodecs(nodeZlib);
const pageSize = 4096;

function open(name: string, bytes: Uint8Array, options: Partial<OpenOptions> = {}): Promise<Dump> {
  return openDump(memorySource(name, bytes), { codecs, ...options });
}

function pagesOf(...fills: readonly number[]): Buffer {
  return Buffer.concat(fills.map((fill) => Buffer.alloc(pageSize, fill)));
}

function fillOf(dump: Dump, pfn: number): number | undefined {
  const { bytes } = dump.readPage(pfn);
  expect(bytes?.every((byte) => byte === bytes[0]) ?? true).toBe(true);
  return bytes?.[0];
}

function statesOf(dump: Dump): string[] {
  return [...dump.runs()].map(({ first, end, state }) => `${first}-${end - 1} ${state}`);
}

describe('raw memory', () => {
  const banner = 'Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org)';
  const memory = (text: string): Buffer => {
    const bytes = pagesOf(0x41, 0, 0x43);
    bytes.write(text, 1.5 * pageSize);
    return bytes;
  };

  test.each(['guest.raw', 'guest.MEM', 'guest.dd'])(
    '%s is known by name and banner',
    async (name) => {
      const dump = await open(name, memory(banner));
      expect(dump.description).toBe('raw memory from address 0');
      expect(statesOf(dump)).toEqual(['0-2 stored']);
      expect(fillOf(dump, 2)).toBe(0x43);
    },
  );

  test('a banner across two pieces of the search is found', async () => {
    const bytes = Buffer.alloc(2 * 1024 * 1024, 0x4c);
    bytes.write(banner, 1024 * 1024 - 7);
    expect((await open('guest.raw', bytes)).format).toBe('raw');
  });

  test.each([
    ['guest.raw', 'no kernel in it'],
    ['guest.raw', 'Linux version %s (%s)'],
    ['disk.img', banner],
  ])('%s with "%s" is not taken for memory', async (name, text) => {
    await expect(open(name, memory(text))).rejects.toMatchObject({ code: 'unsupported' });
  });

  test('whoever says so opens any file', async () => {
    const dump = await open('whatever', pagesOf(0, 1), { format: 'raw' });
    expect([fillOf(dump, 0), fillOf(dump, 1)]).toEqual([0, 1]);
    await expect(open('empty', new Uint8Array(0), { format: 'raw' })).rejects.toMatchObject({
      code: 'truncated',
    });
    await expect(open('x', pagesOf(1), { format: 'vmdk' })).rejects.toMatchObject({
      code: 'usage',
    });
  });

  test('a last page that is cut is partly there', async () => {
    const dump = await open('x', pagesOf(1, 2).subarray(0, 5000), { format: 'raw' });
    expect(dump.readPage(1).present).toEqual({ start: 0, end: 5000 - pageSize });
  });

  const ranges = [
    { start: 0x1000n, end: 0x2000n },
    { start: 0x4000n, end: 0x5000n },
  ];

  test('padded: what lies between ranges is missing, not zero', async () => {
    const dump = await open('x', pagesOf(0, 1, 0, 0, 4), { format: 'raw', ranges });
    expect(dump.description).toBe('raw memory, 2 ranges, padded');
    expect(statesOf(dump)).toEqual(['0-0 missing', '1-1 stored', '2-3 missing', '4-4 stored']);
    expect([fillOf(dump, 0), fillOf(dump, 1), fillOf(dump, 4)]).toEqual([undefined, 1, 4]);
  });

  test('concatenated: known by the sizes', async () => {
    const dump = await open('x', pagesOf(1, 4), { format: 'raw', ranges });
    expect(dump.description).toBe('raw memory, 2 ranges concatenated');
    expect(statesOf(dump)).toEqual(['0-0 missing', '1-1 stored', '2-3 missing', '4-4 stored']);
    expect([fillOf(dump, 1), fillOf(dump, 4)]).toEqual([1, 4]);
  });

  test('padded and cut: the rest is missing, and that is said', async () => {
    const dump = await open('x', pagesOf(0, 1, 0), { format: 'raw', ranges });
    expect(fillOf(dump, 1)).toBe(1);
    expect(dump.state(4)).toBe('missing');
    expect(dump.incomplete).toContain('the file is cut');
  });

  test('a file that is longer than its ranges does not belong to them', async () => {
    const opening = open('x', pagesOf(0, 1, 2, 3, 4, 5), { format: 'raw', ranges });
    await expect(opening).rejects.toMatchObject({ code: 'mismatch' });
  });

  test("the list has /proc/iomem's form", () => {
    expect(iomemText(ranges)).toBe(
      '00001000-00001fff : System RAM\n00004000-00004fff : System RAM\n',
    );
    expect(parseIomem(iomemText(ranges), 'list')).toEqual(ranges);
    const iomem = `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
000f0000-000fffff : System ROM
00100000-07fdffff : System RAM
  01000000-01ffffff : Kernel code
100000000-17fffffff : System RAM
`;
    expect(parseIomem(iomem, 'iomem')).toEqual([
      { start: 0x1000n, end: 0x9fc00n },
      { start: 0x100000n, end: 0x7fe0000n },
      { start: 0x100000000n, end: 0x180000000n },
    ]);
  });

  test.each([
    ['00000000-00000000 : System RAM\n', 'line 1: addresses are hidden'],
    ['00002000-00001fff : System RAM\n', 'line 1: range 00002000-00001fff'],
    ['00001000-00002fff : System RAM\n00002000-00003fff : System RAM\n', 'line 2: range'],
    ['', 'no range of System RAM'],
  ])('a list that makes no sense is refused: %j', (text, message) => {
    expect(() => parseIomem(text, 'list')).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringContaining(message) }),
    );
  });
});

describe('refused by name', () => {
  const rows = refused.flatMap(({ what, starts, hint }) =>
    starts.map((start) => ({ what, start, hint })),
  );

  test.each(rows)('$what: $start', async ({ what, start, hint }) => {
    const bytes = Buffer.concat([Buffer.from(start, 'hex'), Buffer.alloc(pageSize)]);
    const error = await open('file.raw', bytes).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unsupported', message: what, hint });
    // Half a magic is none.
    const half = bytes.subarray(0, start.length / 4);
    await expect(open('file', half)).rejects.toMatchObject({
      message: expect.stringContaining('not a dump of a known format'),
    });
  });

  test('every one of the formats that are known and not read has a row', () => {
    const all = refused.map(({ what }) => what).join('\n');
    for (const name of ['AVML', 'QEMU migration', 'libvirt', 'VMware', 'Xen', 's390', 'sadump']) {
      expect(all).toContain(name);
    }
  });

  test('.vmem has nothing but its name', async () => {
    await expect(open('guest.vmem', pagesOf(0, 1))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('VMware'),
      hint: expect.stringContaining('vmss2core'),
    });
    const lime = Buffer.alloc(32 + pageSize, 1);
    Buffer.from('454d694c01000000000000000000000000ff0f00000000000000000000000000', 'hex').copy(
      lime,
    );
    lime.writeBigUInt64LE(0n, 8);
    lime.writeBigUInt64LE(0xfffn, 16);
    const named = await open('guest.vmem', lime);
    expectEqual(named.readPage(0).bytes, Buffer.alloc(pageSize, 1));
  });
});
