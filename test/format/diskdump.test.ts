/** Diskdump of both machines in both forms: what is written comes back, what is cut is said. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { userRegs } from '../../src/dump/architecture.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { formattedBlock, isFormatted } from '../../src/dump/diskdump/layout.ts';
import {
  type PartitionSummary,
  writeDiskdumpPartition,
} from '../../src/dump/diskdump/partition-write.ts';
import { writeDiskdump } from '../../src/dump/diskdump/write.ts';
import { inspectFile } from '../../src/dump/inspect.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { cpuContexts } from '../../src/linux/cpus.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { fileOf, preparedCodecs, recipesOf } from '../recipes/recipes.ts';
import { contentFor, type Machine, pageOf, registersFor, sampleImage } from '../support/content.ts';
import { openFixture } from '../support/fixture.ts';
import { expectEqual, heldImageArbitrary, imageOf } from '../support/pages.ts';

const codecs = createCodecs(nodeZlib);
const size = 4096;

type Packing = 'none' | 'zlib';

function writeFile(content: DumpContent, compression: Packing): Uint8Array {
  const sink = new MemorySink();
  const summary = writeDiskdump(sink, content, { compression, level: 1, codecs });
  expect(summary.bytes).toBe(sink.bytes().length);
  return sink.bytes();
}

function writePartition(content: DumpContent, compression: Packing, blocks?: number) {
  const sink = new MemorySink();
  const room = blocks === undefined ? {} : { blocks };
  const summary: PartitionSummary = writeDiskdumpPartition(sink, content, {
    compression,
    level: 1,
    codecs,
    ...room,
  });
  expect(summary.bytes).toBe(sink.bytes().length);
  return { bytes: sink.bytes(), summary };
}

const forms = {
  file: writeFile,
  partition: (content: DumpContent, compression: Packing) =>
    writePartition(content, compression).bytes,
} as const;

function open(bytes: Uint8Array): Promise<Dump> {
  return openDump(memorySource('written', bytes), { codecs });
}

const kinds = (['file', 'partition'] as const).flatMap((form) =>
  (['x86_64', 'i386'] as const).flatMap((machine) =>
    (['none', 'zlib'] as const).map((packing) => [form, machine, packing] as const),
  ),
);

describe.each(kinds)('%s of %s, %s', (form, machine, packing) => {
  const write = forms[form];

  test('any set of pages comes back, with what was left out', async () => {
    await fc.assert(
      fc.asyncProperty(heldImageArbitrary, async ({ image, pages }) => {
        const dump = await open(write(contentFor(image, machine, 'user_regs'), packing));
        for (const [pfn, { state, bytes }] of pages) {
          expect(dump.state(pfn)).toBe(state === 'excluded' ? 'excluded' : 'stored');
          if (state === 'excluded') continue;
          expectEqual(dump.readPage(pfn).bytes, bytes ?? new Uint8Array(size));
        }
        let known = 0;
        for (const run of dump.runs()) if (run.state !== 'missing') known += run.end - run.first;
        expect(known).toBe(pages.size);
        expect(dump.incomplete).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  test('headers say what they were told', async () => {
    const content = {
      ...contentFor(sampleImage(), machine, 'user_regs'),
      vmcoreinfo: 'OSRELEASE=2.6.9\n',
    };
    const dump = await open(write(content, packing));
    expect(dump.architecture).toBe(machine);
    expect(dump.description).toBe(
      `diskdump ${form}, ${packing === 'zlib' ? 'zlib' : 'uncompressed'}` +
        (machine === 'i386' ? ', i386' : ''),
    );
    expect(dump.uts).toEqual(content.uts);
    expect(dump.time).toBe(1_100_000_000);
    expect([dump.level, dump.vmcoreinfo]).toEqual([1, content.vmcoreinfo]);
    const { task } = content.panic!;
    expect(dump.panic).toEqual({ message: '', task });
    expect(dump.cpus).toEqual([
      { source: 'DISKDUMP', index: 1, registers: content.cpus[1]!.registers, task },
    ]);
    expect(dump.cpus[0]?.registers).toEqual(registersFor(userRegs[machine], 2));
  });

  test('an unreadable page is missing, and the file says incomplete', async () => {
    const image = sampleImage();
    const broken: MemoryImage = {
      ...image,
      readPage: (pfn) => (pfn === 3 ? { state: 'damaged', bytes: undefined } : image.readPage(pfn)),
    };
    const dump = await open(write(contentFor(broken, machine), packing));
    expect(dump.incomplete).toContain('incomplete');
    expect([2, 3, 4].map((pfn) => dump.state(pfn))).toEqual(['stored', 'missing', 'stored']);
    expectEqual(dump.readPage(4).bytes, pageOf(4));
    expectEqual(dump.readPage(0x10_0005).bytes, pageOf(0x10_0005));
  });

  test('cut anywhere: every page is right or not given out, and that is said', async () => {
    const image = sampleImage();
    const whole = write(contentFor(image, machine), packing);
    await fc.assert(
      fc.asyncProperty(fc.nat(999), async (permille) => {
        const cut = Math.floor((whole.length * permille) / 1000);
        const dump = await open(whole.slice(0, cut)).catch(() => undefined);
        if (dump === undefined) return;
        let given = 0;
        for (const { first, end, state } of dump.runs()) {
          for (let pfn = first; state === 'stored' && pfn < end; pfn++) {
            const { bytes } = dump.readPage(pfn);
            if (bytes === undefined) continue;
            expectEqual(bytes, image.readPage(pfn).bytes!);
            given++;
          }
        }
        expect(given).toBeLessThan(90);
        expect(dump.incomplete).toBeDefined();
      }),
      { numRuns: 60 },
    );
  });
});

describe('partition', () => {
  const content = (machine: Machine = 'x86_64'): DumpContent => contentFor(sampleImage(), machine);

  test('every block carries its number: words as the formatter writes them', () => {
    const block = formattedBlock(7, size);
    const view = new DataView(block.buffer);
    expect(Buffer.from(block.subarray(0, 8)).toString()).toBe('diskdump');
    // By hand: 7, (7 + 7) * 11, (154 + 7) * 11.
    expect([8, 12, 16].map((at) => view.getUint32(at, true))).toEqual([7, 154, 1771]);
    expect(isFormatted(block, 7)).toBe(true);
    expect(isFormatted(block, 8)).toBe(false);
    block[size - 1] = block[size - 1]! ^ 1;
    expect(isFormatted(block, 7)).toBe(false);
  });

  test.each(['none', 'zlib'] as const)('too small, %s: the pages that fit', async (packing) => {
    const { summary, bytes } = writePartition(content(), packing, 76);
    expect(summary.leftOut).toBeGreaterThan(10);
    expect(bytes.length).toBe(76 * size);
    const dump = await open(bytes);
    expect(dump.incomplete).toContain('too small');
    const image = sampleImage();
    let given = 0;
    for (const { first, end, state } of image.runs()) {
      for (let pfn = first; state !== 'missing' && pfn < end; pfn++) {
        const page = dump.readPage(pfn);
        expect(['stored', 'missing', 'excluded']).toContain(page.state);
        if (page.bytes === undefined) continue;
        expectEqual(page.bytes, image.readPage(pfn).bytes!);
        given++;
      }
    }
    expect(given).toBe(summary.pages);
    expect(() => writePartition(content(), packing, 30)).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });

  test('larger than the dump: the rest stays formatted', async () => {
    const { bytes } = writePartition(content(), 'none', 200);
    expect(isFormatted(bytes.subarray(199 * size), 199)).toBe(true);
    expect((await open(bytes)).incomplete).toBeUndefined();
  });

  /** A dump of all of RAM has no second bitmap: the header does not say how far it came. */
  test('interrupted anywhere: what the blocks prove was written, and no more', async () => {
    const pages = new Map(
      Array.from({ length: 40 }, (_, pfn) => [
        pfn,
        { state: 'stored' as const, bytes: pageOf(pfn) },
      ]),
    );
    const { bytes: whole } = writePartition(contentFor(imageOf(pages, 40), 'i386'), 'none', 60);
    for (let written = 0; written <= 40; written++) {
      const bytes = whole.slice();
      // Header, sub header, one bitmap; status incomplete, nothing said of memory.
      const headers = 4;
      for (let block = headers + written; block < 60; block++) {
        bytes.set(formattedBlock(block, size), block * size);
      }
      const view = new DataView(bytes.buffer);
      view.setUint32(size + 412, 1, true);
      view.setUint32(size + 440, headers, true);
      const dump = await open(bytes);
      for (let pfn = 0; pfn < 40; pfn++) {
        const page = dump.readPage(pfn);
        expect(page.state, `${written} written, page ${pfn}`).toBe(
          pfn < written ? 'stored' : 'missing',
        );
        if (page.bytes !== undefined) expectEqual(page.bytes, pageOf(pfn));
      }
      expect(dump.incomplete).toContain('incomplete');
    }
  });
});

describe('file', () => {
  test.each([
    ['x86_64', 454],
    ['i386', 911],
  ] as const)('of %s: %i tasks fit the header, more are refused', (machine, most) => {
    const content = contentFor(imageOf(new Map(), 1), machine);
    const write = (count: number): void => {
      const cpus = Array.from({ length: count }, () => content.cpus[0]!);
      writeFile({ ...content, cpus }, 'none');
    };
    write(most);
    expect(() => write(most + 1)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  /** At the offsets that crash's diskdump.h has, on x86_64 and, by i386's alignment, there. */
  test.each([
    ['x86_64', 408, 424, 464, 8],
    ['i386', 404, 412, 452, 4],
  ] as const)('fields of %s stand where others read them', (machine, time, status, tasks, word) => {
    const bytes = writeFile(contentFor(sampleImage(), machine), 'zlib');
    const view = new DataView(bytes.buffer);
    const u32 = (at: number): number => view.getUint32(at, true);
    expect(Buffer.from(bytes.subarray(0, 8)).toString()).toBe('DISKDUMP');
    expect([u32(8), u32(time)]).toEqual([1, 1_100_000_000]);
    const bitmapBlocks = 2 * Math.ceil(0x10_0006 / 8 / size);
    // Status, block size, sub header, bitmaps, pages, pages of RAM.
    const fields = [0, 4, 8, 12, 16, 20].map((at) => u32(status + at));
    expect(fields).toEqual([8, 4096, 1, bitmapBlocks, 0x10_0006, 85]);
    // The CPU that dumped, and how many there are.
    expect([u32(status + 32), u32(status + 36)]).toEqual([1, 2]);
    const low = machine === 'i386' ? 0xc1234000 : 0x00001000;
    expect([u32(tasks), u32(tasks + word)]).toEqual([low, low + word * 1024]);
    // The first register of the CPU that dumped.
    const [first] = userRegs[machine];
    expect(BigInt(u32(size))).toBe(registersFor(userRegs[machine], 2)[first!]);
  });
});

test.each(['file', 'partition'] as const)(
  'a kernel in a %s is the kernel that it was',
  async (form) => {
    const original = openKernel(await openFixture());
    const panic = panicTask(original)!;
    const contexts = cpuContexts(original);
    const content: DumpContent = {
      ...contentFor(original.dump, 'x86_64'),
      vmcoreinfo: original.dump.vmcoreinfo,
      panic: { message: '', task: addressOf(panic.task), cpu: panic.cpu! },
      cpus: contexts.map(({ registers, task }) => ({
        registers: registers!,
        task: addressOf(task!),
        stack: 0n,
      })),
    };
    const kernel = openKernel(await open(forms[form](content, 'zlib')));
    expect(addressOf(panicTask(kernel)!.task)).toBe(addressOf(panic.task));
    const dumping = cpuContexts(kernel).find(({ source }) => source === 'DISKDUMP');
    expect(dumping?.cpu).toBe(panic.cpu);
    expect(dumping?.registers).toEqual(contexts[panic.cpu!]!.registers);
  },
);

test('check: a packed page that cannot be is damage at its place, of a partition too', async () => {
  const name = 'partition, a packed page of impossible size: the rest is lost';
  const recipe = recipesOf('diskdump').find((each) => each.name === name)!;
  const file = memorySource('recipe', fileOf(recipe, await preparedCodecs()));
  const { findings, details } = await inspectFile(file, 'all');
  const [{ message, where } = { message: '', where: {} }] = findings;
  expect(findings).toMatchObject([{ kind: 'damage' }]);
  expect(message).toContain(`the packed page at offset ${where.offset} is damaged`);
  expect(details).toContainEqual({ name: 'compression of the pages', value: 'zlib' });
});
