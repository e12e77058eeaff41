/**
 * Fields that our readers do not look at and others do, at the offsets that those have: crash's
 * lkcd_dump_v8.h and diskdump.h, makedumpfile's diskdump_mod.h.
 */

import { expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeKdump } from '../../src/dump/kdump/write.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { prstatusNote, registersOf } from '../../src/dump/notes.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { imageOf, type PageToHold } from '../support/pages.ts';

const codecs = createCodecs(nodeZlib);
const registers = [1000n, 2000n].map((base) =>
  registersOf(Array.from({ length: 27 }, (_, index) => base + BigInt(index))),
);
const text = 'OSRELEASE=6.1.0\n';
const stored = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(7) };
const content: DumpContent = {
  image: imageOf(
    new Map<number, PageToHold>([
      [3, stored],
      [5, { state: 'excluded' }],
    ]),
    40,
  ),
  uts: {
    sysname: 'Linux',
    nodename: 'n',
    release: 'r',
    version: 'v',
    machine: 'x86_64',
    domainname: 'd',
  },
  time: 1700000000.25,
  notes: [
    ...registers.map((each, cpu) => prstatusNote(each, cpu)),
    { name: 'VMCOREINFO', type: 0, desc: new TextEncoder().encode(text) },
  ],
  vmcoreinfo: text,
  physBase: -4096n,
  panic: { message: 'boom', task: 0xffff_8880_0000_1000n, cpu: 1 },
  cpus: registers.map((each, cpu) => ({
    registers: each,
    task: 0xffff_8880_0000_1000n + BigInt(cpu),
    stack: 0xffff_c900_0000_0000n + BigInt(cpu),
  })),
};

function fields(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    u32: (at: number) => view.getUint32(at, true),
    u64: (at: number) => view.getBigUint64(at, true),
  };
}

test('LKCD version 8', () => {
  const sink = new MemorySink();
  writeLkcd(sink, content, { compression: 'rle', level: 0, codecs });
  const { u32, u64 } = fields(sink.bytes());
  const magic = 0xa8190173618f23edn;
  expect([u64(0), u32(8), u32(12), u32(16), u32(20)]).toEqual([magic, 8, 734, 8, 4096]);
  // Pages of memory, the magic again, page records.
  expect([u64(24), u64(40), u32(48)]).toEqual([40n, magic, 1]);
  expect([u64(308), u64(316)]).toEqual([1700000000n, 250000n]);
  // Task, RLE.
  expect([u64(714), u32(722)]).toEqual([content.panic!.task, 1]);
  const arch = 734;
  expect([u64(arch), u32(arch + 8), u32(arch + 12)]).toEqual([0xdeaddeadn, 2, 192 + 2 * 192]);
  expect([u64(arch + 16), u32(arch + 184), u32(arch + 188)]).toEqual([2000n, 2, 1]);
  const arrays = arch + 192;
  expect([u64(arrays), u64(arrays + 168)]).toEqual([1000n, 2000n]);
  const tasks = arrays + 2 * 168;
  expect([0, 8].map((at) => u64(tasks + at))).toEqual(content.cpus.map(({ task }) => task));
  expect([16, 24].map((at) => u64(tasks + at))).toEqual([0n, 0n]);
  expect([32, 40].map((at) => u64(tasks + at))).toEqual(content.cpus.map(({ stack }) => stack));
});

test('KDUMP version 6', () => {
  const sink = new MemorySink();
  writeKdump(sink, content, { compression: 'zlib', level: 17, codecs });
  const bytes = sink.bytes();
  const { u32, u64 } = fields(bytes);
  expect(Buffer.from(bytes.subarray(0, 8)).toString()).toBe('KDUMP   ');
  expect([u32(8), u64(408), u64(416)]).toEqual([6, 1700000000n, 250000n]);
  // Status, block size, blocks of the sub header and of both bitmaps, pages, CPUs.
  expect([424, 428, 432, 436, 440, 460].map(u32)).toEqual([1, 4096, 1, 2, 40, 2]);
  const sub = 4096;
  expect([u64(sub), u32(sub + 8), u32(sub + 12)]).toEqual([2n ** 64n - 4096n, 17, 0]);
  const place = Number(u64(sub + 32));
  const size = Number(u64(sub + 40));
  expect(Buffer.from(bytes.subarray(place, place + size)).toString()).toBe(text);
  expect(u64(sub + 48)).toBe(BigInt(sub + 104));
  expect(u64(sub + 48) + u64(sub + 56)).toBeGreaterThanOrEqual(BigInt(place + size));
  expect(u64(sub + 96)).toBe(40n);
  // First bitmap: RAM; second: pages in the file. Then the one descriptor, and its page.
  expect([bytes[2 * 4096]! & 0b101000, bytes[3 * 4096]]).toEqual([0b101000, 0b1000]);
  const descriptor = 4 * 4096;
  expect([u64(descriptor), u32(descriptor + 12)]).toEqual([BigInt(descriptor + 24), 1]);
});
