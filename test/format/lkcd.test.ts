/** LKCD of both machines and both versions that are written. What only recipes make is in those. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { ptRegs } from '../../src/dump/architecture.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { contentFor, type Machine, registersFor, sampleImage } from '../support/content.ts';
import { expectEqual, heldImageArbitrary } from '../support/pages.ts';

const codecs = createCodecs(nodeZlib);

function write(content: DumpContent, version: 8 | 9, compression: 'none' | 'rle' | 'zlib') {
  const sink = new MemorySink();
  const summary = writeLkcd(sink, content, { version, compression, level: 1, codecs });
  return { bytes: sink.bytes(), summary };
}

function open(bytes: Uint8Array): Promise<Dump> {
  return openDump(memorySource('written', bytes), { codecs });
}

const kinds = ([8, 9] as const).flatMap((version) =>
  (['x86_64', 'i386'] as const).map((machine) => [version, machine] as const),
);

describe.each(kinds)('version %i of %s', (version, machine) => {
  test('any set of pages comes back', async () => {
    const packing = fc.constantFrom('none' as const, 'rle' as const, 'zlib' as const);
    await fc.assert(
      fc.asyncProperty(heldImageArbitrary, packing, async ({ image, pages }, compression) => {
        const { bytes, summary } = write(contentFor(image, machine), version, compression);
        const dump = await open(bytes);
        const held = [...pages].filter(([, { state }]) => state !== 'excluded');
        expect(summary).toMatchObject({ bytes: bytes.length, pages: held.length, unreadable: 0 });
        for (const [pfn, { state, bytes: page }] of pages) {
          expect(dump.state(pfn)).toBe(state === 'excluded' ? 'missing' : 'stored');
          if (state === 'excluded') continue;
          expectEqual(dump.readPage(pfn).bytes, page ?? new Uint8Array(4096));
        }
        expect(dump.incomplete).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  test('headers say what they were told', async () => {
    const content = contentFor(sampleImage(), machine);
    const { bytes } = write(content, version, 'zlib');
    const dump = await open(bytes);
    expect(dump.architecture).toBe(machine);
    expect(dump.description).toBe(`LKCD v${version}, zlib${machine === 'i386' ? ', i386' : ''}`);
    expect(dump.uts).toEqual(content.uts);
    expect(dump.time).toBe(1_100_000_000);
    expect(dump.level).toBe(1);
    expect(dump.panic).toEqual({ message: content.panic?.message, task: content.panic?.task });
    expect(dump.cpus).toEqual(
      content.cpus.map(({ registers, task }, index) => ({
        source: 'LKCD',
        index,
        registers,
        task,
      })),
    );
  });
});

test('the registers of i386 go by their names on x86_64; what it does not have is 0', async () => {
  const dump = await open(write(contentFor(sampleImage(), 'i386'), 8, 'none').bytes);
  const { registers } = dump.cpus[0]!;
  expect(ptRegs.i386).toHaveLength(15);
  expect(registers).toEqual(registersFor(ptRegs.i386, 1));
  expect([registers.r15, registers.fs_base]).toEqual([0n, 0n]);
});

describe('many CPUs', () => {
  const contentOf = (machine: Machine, count: number): DumpContent => {
    const content = contentFor(sampleImage(), machine);
    return { ...content, cpus: Array.from({ length: count }, () => content.cpus[0]!) };
  };

  test.each([
    ['x86_64', 336],
    ['i386', 898],
  ] as const)('of %s, %i fit version 8; more are refused, naming version 9', (machine, most) => {
    write(contentOf(machine, most), 8, 'none');
    expect(() => write(contentOf(machine, most + 1), 8, 'none')).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('version 9') }),
    );
  });

  test('the header area of version 9 grows, and VMCOREINFO stays in it', async () => {
    const vmcoreinfo = 'OSRELEASE=2.6.9-test\n'.repeat(200);
    const { bytes } = write({ ...contentOf('x86_64', 2000), vmcoreinfo }, 9, 'none');
    const dump = await open(bytes);
    expect(dump.cpus).toHaveLength(2000);
    expect(dump.vmcoreinfo).toBe(vmcoreinfo);
    expectEqual(dump.readPage(0).bytes, sampleImage().readPage(0).bytes!);
  });
});

/** At the offsets that crash's lkcd_dump_v8.h and lkcd_x86_trace.h have. */
test('fields of i386 and of version 9 stand where others read them', () => {
  const { bytes } = write(contentFor(sampleImage(), 'i386'), 9, 'rle');
  const view = new DataView(bytes.buffer);
  const u32 = (at: number): number => view.getUint32(at, true);
  // Version, header size, RLE, area.
  expect([u32(8), u32(12), u32(722), u32(734), u32(738)]).toEqual([9, 742, 1, 65536, 0]);
  const arch = 742;
  expect([u32(arch), u32(arch + 4), u32(arch + 8)]).toEqual([0xdeaddead, 0, 3]);
  expect(u32(arch + 12)).toBe(92 + 2 * 72);
  const dumping = registersFor(ptRegs.i386, 2);
  expect([u32(arch + 16), u32(arch + 20)].map(BigInt)).toEqual([dumping.rsp, dumping.rip]);
  // ebx, eip, esp of the dumping CPU; CPUs, its number; ebx of CPU 0; tasks; stacks.
  expect([u32(arch + 24), u32(arch + 24 + 40), u32(arch + 24 + 52)].map(BigInt)).toEqual([
    dumping.rbx,
    dumping.rip,
    dumping.rsp,
  ]);
  expect([u32(arch + 84), u32(arch + 88)]).toEqual([2, 1]);
  expect(BigInt(u32(arch + 92))).toBe(registersFor(ptRegs.i386, 1).rbx);
  const tasks = arch + 92 + 2 * 60;
  expect([u32(tasks), u32(tasks + 4)]).toEqual([0xc1234000, 0xc1235000]);
  expect([u32(tasks + 8), u32(tasks + 12)]).toEqual([0, 0]);
  expect([u32(tasks + 16), u32(tasks + 20)]).toEqual([0xc1500000, 0xc1501000]);
});

test('a kernel of i386 is not analysed, and that is said', async () => {
  const dump = await open(write(contentFor(sampleImage(), 'i386'), 8, 'none').bytes);
  expect(() => openKernel(dump)).toThrow(
    expect.objectContaining({ code: 'unsupported', message: 'the kernel is of i386' }),
  );
});
