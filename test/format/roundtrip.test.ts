/** What the writers write, the readers read: any set of pages, any packing, all headers. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent, WriteSummary } from '../../src/dump/content.ts';
import { writeKdump } from '../../src/dump/kdump/write.ts';
import { writeLkcd } from '../../src/dump/lkcd/write.ts';
import { registersOf } from '../../src/dump/notes.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage, Page, PageState } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { expectEqual, heldPagesArbitrary, imageOf, pageArbitrary } from '../support/pages.ts';
import { contentOf, registers, vmcoreinfo } from '../support/vmcore-content.ts';

const codecs = createCodecs(nodeZlib);
await codecs.prepare('zstd');
await codecs.prepare('snappy');

type Write = (sink: MemorySink, content: DumpContent) => WriteSummary;

const writers: readonly (readonly [string, Write])[] = [
  ...(['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const).map(
    (compression) =>
      [
        `kdump ${compression}`,
        (sink, content) => writeKdump(sink, content, { compression, level: 17, codecs }),
      ] as [string, Write],
  ),
  ...(['none', 'rle', 'zlib'] as const).map(
    (compression) =>
      [
        `lkcd ${compression}`,
        (sink, content) => writeLkcd(sink, content, { compression, level: 17, codecs }),
      ] as [string, Write],
  ),
];

async function reopen(sink: MemorySink): Promise<Dump> {
  // Not the prepared codecs: opening must prepare what it needs.
  return openDump(memorySource('written', sink.bytes()), { codecs: createCodecs(nodeZlib) });
}

describe.each(writers)('%s', (name, write) => {
  const isLkcd = name.startsWith('lkcd');

  test('any set of pages comes back', async () => {
    await fc.assert(
      fc.asyncProperty(heldPagesArbitrary, async (list) => {
        const pages = new Map(list);
        const endPfn = Math.max(0, ...pages.keys()) + 1;
        const sink = new MemorySink();
        const summary = write(sink, contentOf(imageOf(pages, endPfn)));
        const dump = await reopen(sink);
        const held = [...pages].filter(([, { state }]) => state !== 'excluded');
        expect(summary).toMatchObject({
          bytes: sink.bytes().length,
          pages: held.length,
          unreadable: 0,
        });
        for (const [at, { state, bytes }] of pages) {
          const excluded: PageState = isLkcd ? 'missing' : 'excluded';
          expect(dump.state(at)).toBe(state === 'excluded' ? excluded : 'stored');
          if (state === 'excluded') continue;
          expectEqual(dump.readPage(at).bytes, bytes ?? new Uint8Array(4096));
        }
        let stored = 0;
        for (const run of dump.runs()) if (run.state === 'stored') stored += run.end - run.first;
        expect(stored).toBe(held.length);
        expect(dump.incomplete).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  test('headers say what they were told', async () => {
    const sink = new MemorySink();
    const page = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(1) };
    const content = contentOf(imageOf(new Map([[5, page]]), 6));
    write(sink, content);
    const dump = await reopen(sink);
    expect(dump.uts).toEqual(content.uts);
    expect(dump.time).toBe(1700000000);
    expect(dump.vmcoreinfo).toBe(vmcoreinfo);
    expect(dump.pageSize).toBe(4096);
    expect(dump.level).toBe(17);
    if (isLkcd) {
      expect(dump.panic).toEqual({ message: 'sysrq triggered crash', task: 0xffff888000001000n });
      expect(dump.cpus.map(({ source, index, task }) => ({ source, index, task }))).toEqual([
        { source: 'LKCD', index: 0, task: 0xffff888000001000n },
        { source: 'LKCD', index: 1, task: 0xffff888000001001n },
      ]);
      for (const [cpu, state] of dump.cpus.entries()) {
        // pt_regs has 21 registers: what follows is not in the file.
        const kept = registersOf(Object.values(registers[cpu]!).slice(0, 21));
        expect(state.registers).toEqual(kept);
      }
    } else {
      expect(dump.notes).toEqual(content.notes);
      expect(dump.cpus).toEqual(
        registers.map((each, index) => ({
          source: 'NT_PRSTATUS',
          index,
          pid: 100 + index,
          registers: each,
        })),
      );
    }
  });

  test('a page that cannot be read is not in the file, and that is said', async () => {
    const good = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(7) };
    const image = imageOf(new Map([1, 2, 3].map((each) => [each, good])), 4);
    const broken: MemoryImage = {
      ...image,
      readPage: (at) => (at === 2 ? { state: 'damaged', bytes: undefined } : image.readPage(at)),
    };
    const sink = new MemorySink();
    expect(write(sink, contentOf(broken))).toMatchObject({ pages: 2, unreadable: 1 });
    const dump = await reopen(sink);
    expect([1, 2, 3].map((each) => dump.state(each))).toEqual(['stored', 'missing', 'stored']);
    expectEqual(dump.readPage(3).bytes, good.bytes);
    // LKCD has no place to say it: a page without a record was never there.
    if (!isLkcd) expect(dump.incomplete).toContain('incomplete');
  });

  test('progress ends with all pages, those that cannot be read too', () => {
    const page = { state: 'zero' as const };
    const whole = imageOf(new Map(Array.from({ length: 3000 }, (_, each) => [each, page])), 3000);
    const readPage = (pfn: number): Page =>
      pfn === 7 ? { state: 'damaged', bytes: undefined } : whole.readPage(pfn);
    const image = { ...whole, readPage };
    const steps: string[] = [];
    const progress = (done: number, total: number): void => {
      steps.push(`${done}/${total}`);
    };
    const content = contentOf(image);
    if (isLkcd)
      writeLkcd(new MemorySink(), content, { compression: 'rle', level: 0, codecs, progress });
    else writeKdump(new MemorySink(), content, { compression: 'zlib', level: 0, codecs, progress });
    expect(steps).toEqual(['1024/3000', '2048/3000', '3000/3000']);
  });
});

describe('lkcd', () => {
  test('VMCOREINFO leaves the header as other readers know it', () => {
    const write = (text: string | undefined): Uint8Array => {
      const sink = new MemorySink();
      const content = { ...contentOf(imageOf(new Map(), 0)), vmcoreinfo: text };
      writeLkcd(sink, content, { compression: 'none', level: 0, codecs });
      return sink.bytes();
    };
    const with_ = write(vmcoreinfo);
    const without = write(undefined);
    const headers = 734 + 192 + 2 * 192;
    expectEqual(with_.subarray(0, headers), without.subarray(0, headers));
    expect(with_.length).toBe(without.length);
  });

  test('336 CPUs fit version 8, 337 make it version 9', () => {
    const content = contentOf(imageOf(new Map(), 0));
    const versionOf = (count: number): number => {
      const cpus = Array.from({ length: count }, () => content.cpus[0]!);
      const sink = new MemorySink();
      writeLkcd(sink, { ...content, cpus }, { compression: 'none', level: 0, codecs });
      return sink.bytes()[8]!;
    };
    expect([336, 337].map(versionOf)).toEqual([8, 9]);
  });

  test('reading a page near the start does not scan the file to its end', async () => {
    const page = {
      state: 'stored' as const,
      bytes: Uint8Array.from({ length: 4096 }, (_, i) => i),
    };
    const pages = new Map(Array.from({ length: 1500 }, (_, each) => [each, page]));
    const sink = new MemorySink();
    writeLkcd(sink, contentOf(imageOf(pages, 1500)), { compression: 'none', level: 0, codecs });
    const bytes = sink.bytes();
    let furthest = 0;
    const inner = memorySource('written', bytes);
    const source = {
      ...inner,
      read(offset: number, length: number) {
        const got = inner.read(offset, length);
        // The last record tells whether the file was cut.
        if (got.length > 16) furthest = Math.max(furthest, offset + got.length);
        return got;
      },
    };
    const dump = await openDump(source, { codecs });
    expect(furthest).toBeLessThanOrEqual(65536);
    expectEqual(dump.readPage(3).bytes, page.bytes);
    expect(dump.incomplete).toBeUndefined();
    expect(furthest).toBeLessThan(2 * 1024 * 1024);
    expect(dump.endPfn).toBe(1500);
  });
});

test('kdump: zero pages share one raw page', () => {
  const page = { state: 'zero' as const };
  const write = (count: number): number => {
    const pages = new Map(Array.from({ length: count }, (_, each) => [each, page]));
    const sink = new MemorySink();
    const content = contentOf(imageOf(pages, 1000));
    return writeKdump(sink, content, { compression: 'none', level: 0, codecs }).bytes;
  };
  expect(write(1000) - write(1)).toBe(999 * 24);
});

/** A page that is given out must be right, whatever was cut off: never a page of invented zeros. */
describe.each([
  ['kdump none', ''],
  ['kdump zlib', ''],
  ['lkcd none', ''],
  ['lkcd rle', ''],
  ['kdump none', 'flattened in order'],
  ['kdump none', 'flattened in reverse order'],
  ['lkcd none', 'flattened in reverse order'],
] as const)('%s %s, cut anywhere', (name, order) => {
  const [, write] = writers.find(([each]) => each === name)!;

  test('every page is right, or said to be missing or damaged', async () => {
    const pagesOnly = fc.array(fc.tuple(fc.nat(300), pageArbitrary(4096)), {
      minLength: 5,
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(pagesOnly, fc.nat(999), async (list, permille) => {
        const pages = new Map(list.map(([at, bytes]) => [at, { state: 'stored' as const, bytes }]));
        const sink = new MemorySink();
        write(sink, contentOf(imageOf(pages, 301)));
        const whole = order === '' ? sink.bytes() : flatten(sink.bytes(), order);
        const start = order === '' ? 12_000 : 8_000;
        const cut = start + Math.floor(((whole.length - start) * permille) / 1000);
        const dump = await reopenBytes(whole.slice(0, cut));
        if (dump === undefined) return;
        for (const [at, { bytes }] of pages) {
          const page = dump.readPage(at);
          if (page.bytes !== undefined) expectEqual(page.bytes, bytes);
        }
        const there = [...pages.keys()].filter((at) => dump.readPage(at).bytes !== undefined);
        if (there.length < pages.size) expect(dump.incomplete).toBeDefined();
      }),
      { numRuns: 100 },
    );
  });
});

async function reopenBytes(bytes: Uint8Array): Promise<Dump | undefined> {
  try {
    return await openDump(memorySource('cut', bytes), { codecs });
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** Records of 1000 bytes, no holes left out. */
function flatten(file: Uint8Array, order: string): Uint8Array {
  const record = (offset: number, payload: Uint8Array): Uint8Array => {
    const header = Buffer.alloc(16);
    header.writeBigInt64BE(BigInt(offset), 0);
    header.writeBigInt64BE(BigInt(offset < 0 ? -1 : payload.length), 8);
    return Buffer.concat([header, payload]);
  };
  const head = Buffer.alloc(4096);
  head.write('makedumpfile');
  head.writeBigInt64BE(1n, 16);
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += 1000)
    records.push(record(at, file.slice(at, at + 1000)));
  if (order.includes('reverse')) records.reverse();
  // The header first in any order: a file without it is no dump.
  const first = order.includes('reverse') ? records.splice(-20) : [];
  return new Uint8Array(Buffer.concat([head, ...first, ...records, record(-1, new Uint8Array(0))]));
}
