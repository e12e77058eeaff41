/**
 * Every writable format: any image, with any provenance, comes back as it was but for what the
 * format says that it lacks, and pages that cannot be read are never given out.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { writeElf } from '../../src/dump/elf/write.ts';
import { writeLime } from '../../src/dump/lime/write.ts';
import { writeMkdump } from '../../src/dump/mkdump/write.ts';
import { type OpenOptions, openDump } from '../../src/dump/open.ts';
import { iomemText, parseIomem } from '../../src/dump/raw/layout.ts';
import { writeRaw } from '../../src/dump/raw/write.ts';
import type { Dump, MemoryImage, MemoryRange, PageState } from '../../src/dump/types.ts';
import { type Writer, writeDump, writers } from '../../src/dump/writers.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { expectEqual, imageOf, type PageToHold, pageArbitrary } from '../support/pages.ts';
import { contentOf, registers, vmcoreinfo } from '../support/vmcore-content.ts';

const codecs = createCodecs(nodeZlib);
const pageSize = 4096;

async function write(format: string, image: MemoryImage): Promise<MemorySink> {
  const sink = new MemorySink();
  await writeDump(format, sink, contentOf(image), { compression: 'none', level: 17, codecs });
  return sink;
}

async function open(bytes: Uint8Array, options: Partial<OpenOptions> = {}): Promise<Dump> {
  return openDump(memorySource('written', bytes), { codecs, ...options });
}

/** Raw memory does not say what it is, nor what is in it. */
function optionsFor(format: string, image: MemoryImage): Partial<OpenOptions> {
  if (format !== 'raw') return {};
  const ranges: MemoryRange[] = [];
  for (const { first, end, state } of image.runs()) {
    if (state !== 'stored' && state !== 'zero') continue;
    ranges.push({ start: BigInt(first * pageSize), end: BigInt(end * pageSize) });
  }
  return { format: 'raw', ranges };
}

/** Formats that cannot say it, or say something else by it. */
const withoutFlag = new Set(['diskdump-partition', 'lime', 'raw']);

const states = fc.oneof(
  { weight: 4, arbitrary: fc.constant<PageState>('stored') },
  { weight: 2, arbitrary: fc.constantFrom<PageState>('zero', 'excluded', 'missing') },
);
const heldPage: fc.Arbitrary<PageToHold> = fc
  .tuple(states, pageArbitrary(pageSize))
  .map(([state, bytes]) => (state === 'stored' ? { state, bytes } : { state }));
/** In rows and alone; the last page is always there. Raw memory is as long as it reaches. */
function pagesArbitrary(format: string): fc.Arbitrary<Map<number, PageToHold>> {
  const far = fc.nat(format === 'raw' ? 500 : 70_000);
  return fc.array(fc.tuple(fc.oneof(fc.nat(30), far), heldPage), { maxLength: 14 }).map((list) => {
    const pages = new Map(list);
    return pages.set(Math.max(-1, ...pages.keys()) + 1, { state: 'stored', bytes: noise });
  });
}
const noise = Uint8Array.from({ length: pageSize }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24);

/** What state a page of this one has in a file of the format. */
function stateIn({ lacks, name }: Writer, state: PageState): PageState {
  if (state === 'excluded' && lacks.includes('excluded')) return 'missing';
  return state === 'zero' && name !== 'mkdump' ? 'stored' : state;
}

describe.each(writers)('$name', (writer) => {
  const { name, lacks } = writer;

  test('any image comes back, page by page and run by run', async () => {
    await fc.assert(
      fc.asyncProperty(pagesArbitrary(name), async (pages) => {
        const image = imageOf(pages, Math.max(...pages.keys()) + 1);
        const bytes = (await write(name, image)).bytes();
        const dump = await open(bytes, optionsFor(name, image));
        expect(dump.format).toBe(name === 'diskdump-partition' ? 'diskdump' : name);
        expect(dump.incomplete).toBeUndefined();
        expect(dump.endPfn).toBe(image.endPfn);
        const expected: PageState[] = [];
        for (let pfn = 0; pfn < image.endPfn; pfn++) {
          expected.push(stateIn(writer, image.state(pfn)));
        }
        const found: PageState[] = [];
        for (const { first, end, state } of dump.runs()) {
          for (let pfn = first; pfn < end; pfn++) found.push(state);
        }
        expect(found.findIndex((state, pfn) => state !== expected[pfn])).toBe(-1);
        for (const [pfn, { state, bytes: content }] of pages) {
          const page = dump.readPage(pfn);
          expect([page.state, dump.state(pfn)]).toEqual([expected[pfn], expected[pfn]]);
          const held = state === 'stored' || state === 'zero';
          if (held) expectEqual(page.bytes, content ?? new Uint8Array(pageSize));
          else expect(page.bytes).toBeUndefined();
        }
      }),
      { numRuns: 40 },
    );
  });

  test('what it says of the summary is true', async () => {
    const stored = { state: 'stored' as const, bytes: noise };
    const pages = new Map<number, PageToHold>([
      [3, stored],
      [4, { state: 'zero' }],
      [5, { state: 'stored', bytes: new Uint8Array(pageSize) }],
      [6, { state: 'excluded' }],
      [9, stored],
    ]);
    const sink = new MemorySink();
    const steps: string[] = [];
    const summary = await writeDump(name, sink, contentOf(imageOf(pages, 12)), {
      compression: 'none',
      level: 0,
      codecs,
      progress: (done, total) => steps.push(`${done}/${total}`),
    });
    expect(summary).toMatchObject({
      bytes: sink.bytes().length,
      pages: 4,
      zeroPages: 2,
      unreadable: 0,
    });
    expect(steps).toEqual(['4/4']);
  });

  test('it carries what it does not say that it lacks, and nothing else', async () => {
    const image = imageOf(new Map([[5, { state: 'stored' as const, bytes: noise }]]), 6);
    const content = contentOf(image);
    const dump = await open((await write(name, image)).bytes(), optionsFor(name, image));
    const carried = (fact: Writer['lacks'][number]): boolean => !lacks.includes(fact);
    expect(dump.uts).toEqual(carried('uts') ? content.uts : undefined);
    expect(dump.time).toBe(carried('time') ? 1700000000 : undefined);
    expect(dump.level).toBe(carried('level') ? 17 : undefined);
    const { task } = content.panic!;
    const message = carried('message') ? content.panic!.message : '';
    expect(dump.panic).toEqual(carried('panic') ? { message, task } : undefined);
    expect(dump.notes).toEqual(carried('notes') ? content.notes : []);
    if (carried('notes')) {
      expect(dump.vmcoreinfo).toBe(vmcoreinfo);
      expect(dump.cpus.map((cpu) => cpu.registers)).toEqual(registers);
    }
  });

  test('pages that cannot be read are not given out, those around them are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(39), { maxLength: 12 }), async (lost) => {
        const pages = new Map<number, PageToHold>();
        for (let pfn = 0; pfn < 40; pfn++) {
          const excluded = pfn % 16 > 12;
          pages.set(pfn, excluded ? { state: 'excluded' } : { state: 'stored', bytes: noise });
        }
        const image = imageOf(pages, 40);
        const isLost = (pfn: number): boolean =>
          lost.includes(pfn) && pages.get(pfn)?.state === 'stored';
        const broken: MemoryImage = {
          ...image,
          readPage: (pfn) =>
            isLost(pfn) ? { state: 'damaged', bytes: undefined } : image.readPage(pfn),
        };
        const kept = [...pages].filter(([pfn, { state }]) => state === 'stored' && !isLost(pfn));
        const sink = new MemorySink();
        const content = contentOf(broken);
        const options = { compression: 'none', level: 0, codecs } as const;
        const summary = await writeDump(name, sink, content, options);
        expect(summary.pages).toBe(kept.length);
        const lostCount = [...pages.keys()].filter(isLost).length;
        expect(summary.unreadable).toBe(lostCount);
        const how =
          'ranges' in summary
            ? { format: 'raw', ranges: summary.ranges as readonly MemoryRange[] }
            : {};
        const dump = await open(sink.bytes(), how);
        for (let pfn = 0; pfn < 40; pfn++) {
          const held = pages.get(pfn)?.state === 'stored' && !isLost(pfn);
          if (held) expectEqual(dump.readPage(pfn).bytes, noise);
          else expect(dump.readPage(pfn).bytes).toBeUndefined();
        }
        const says = !['lime', 'raw'].includes(name);
        if (says && lostCount > 0) expect(dump.incomplete).toBeDefined();
      }),
      { numRuns: 30 },
    );
  });

  test.each(['whole', 'cut short'] as const)(
    'of what is known to be %s that is said',
    async (of) => {
      const stored = { state: 'stored' as const, bytes: noise };
      const image = imageOf(new Map([3, 4, 7].map((pfn) => [pfn, stored])), 8);
      const content = { ...contentOf(image), isIncomplete: () => of === 'cut short' };
      for (const isPipe of [false, true]) {
        const file = new MemorySink();
        const written: { readonly first: number; readonly end: number }[] = [];
        const sink = {
          ...{ name, isPipe, finish: () => {}, abort: () => {} },
          write(offset: number, bytes: Uint8Array): void {
            file.write(offset, bytes);
            written.push({ first: offset, end: offset + bytes.length });
          },
        };
        await writeDump(name, sink, content, { compression: 'none', level: 0, codecs });
        const dump = await open(file.bytes(), optionsFor(name, image));
        const isSaid = of === 'cut short' && !withoutFlag.has(name);
        expect(dump.incomplete !== undefined).toBe(isSaid);
        for (const pfn of [3, 4, 7]) expectEqual(dump.readPage(pfn).bytes, noise);
        if (!isPipe || name === 'diskdump-partition') continue;
        // Readers of a flattened stream may take either of two.
        written.sort((a, b) => a.first - b.first);
        for (const [index, { first }] of written.entries()) {
          expect(first).toBeGreaterThanOrEqual(written[index - 1]?.end ?? 0);
        }
      }
    },
  );

  test.each([8192, 16384, 32768, 65536])(
    'pages of %s bytes come back, or are refused',
    async (size) => {
      const bytes = Uint8Array.from({ length: size }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24);
      const image = { ...imageOf(new Map([[2, { state: 'stored', bytes }]]), 3), pageSize: size };
      const sink = new MemorySink();
      const options = { compression: 'none', level: 0, codecs } as const;
      const writing = writeDump(name, sink, contentOf(image), options);
      if (name === 'diskdump-partition') {
        return expect(writing).rejects.toMatchObject({ code: 'unsupported' });
      }
      await writing;
      const ranges = [{ start: BigInt(2 * size), end: BigInt(3 * size) }];
      const dump = await open(sink.bytes(), name === 'raw' ? { format: 'raw', ranges } : {});
      const inOne = size / dump.pageSize;
      for (let piece = 0; piece < inOne; piece++) {
        const from = piece * dump.pageSize;
        const expected = bytes.subarray(from, from + dump.pageSize);
        expectEqual(dump.readPage(2 * inOne + piece).bytes, expected);
      }
    },
  );

  test('a compression that it does not have is refused', async () => {
    const image = imageOf(new Map(), 0);
    const options = { level: 0, codecs, compression: name === 'lkcd' ? 'zstd' : 'rle' } as const;
    const writing = writeDump(name, new MemorySink(), contentOf(image), options);
    await expect(writing).rejects.toMatchObject({ code: 'usage' });
  });
});

describe.each(['lime', 'raw'])('%s: as many ranges as a filtered dump has', (name) => {
  const imageWith = (count: number): MemoryImage => ({
    ...{ name: 'many', pageSize, endPfn: 2 * count },
    state: (pfn) => (pfn % 2 === 1 ? 'stored' : 'missing'),
    readPage: () => ({ state: 'zero', bytes: new Uint8Array(pageSize) }),
    *runs() {
      for (let pfn = 1; pfn < 2 * count; pfn += 2) {
        yield { first: pfn, end: pfn + 1, state: 'stored' };
      }
    },
  });

  test('are all read again', async () => {
    const count = 70_000;
    if (name === 'raw') {
      const range = (at: number): MemoryRange => ({
        start: BigInt((2 * at + 1) * pageSize),
        end: BigInt((2 * at + 2) * pageSize),
      });
      const ranges = Array.from({ length: count }, (_, at) => range(at));
      expect(parseIomem(iomemText(ranges), 'ranges')).toEqual(ranges);
      return;
    }
    const dump = await open((await write(name, imageWith(count))).bytes());
    expect(dump.incomplete).toBeUndefined();
    expect(dump.endPfn).toBe(2 * count);
  });

  test('more than are read are not written', async () => {
    const options = { compression: 'none', level: 0, codecs } as const;
    const writing = writeDump(name, new MemorySink(), contentOf(imageWith(2 ** 20 + 1)), options);
    await expect(writing).rejects.toMatchObject({ code: 'unsupported' });
  });
});

/** One page in two cannot be read: more cuts than there is room for in the headers. */
describe.each([
  ['elf', writeElf],
  ['mkdump', writeMkdump],
] as const)('%s: no room left for cuts', (name, writeIt) => {
  test('the rest of the run is given up, and that is said', async () => {
    const count = 1200;
    const pages = new Map<number, PageToHold>();
    for (let pfn = 0; pfn < count; pfn++) pages.set(pfn, { state: 'stored', bytes: noise });
    pages.set(count + 5, { state: 'stored', bytes: noise });
    const image = imageOf(pages, count + 6);
    const broken: MemoryImage = {
      ...image,
      readPage: (pfn) =>
        pfn % 2 === 1 && pfn < count ? { state: 'damaged', bytes: undefined } : image.readPage(pfn),
    };
    const sink = new MemorySink();
    const summary = writeIt(sink, contentOf(broken), { style: 'kdump', level: 0, codecs });
    expect(summary.pages).toBeGreaterThan(100);
    expect(summary.pages + summary.unreadable).toBe(count + 1);
    const dump = await open(sink.bytes());
    let there = 0;
    for (let pfn = 0; pfn < dump.endPfn; pfn++) {
      const { bytes } = dump.readPage(pfn);
      if (bytes === undefined) continue;
      expectEqual(bytes, noise);
      if (pfn < count) expect(pfn % 2).toBe(0);
      there++;
    }
    expect(there).toBe(summary.pages);
    expectEqual(dump.readPage(count + 5).bytes, noise);
    expect(dump.format).toBe(name);
    expect(dump.incomplete).toBeDefined();
  });
});

describe('elf', () => {
  const pages = new Map<number, PageToHold>();
  for (let pfn = 16; pfn < 32; pfn++) pages.set(pfn, { state: 'stored', bytes: noise });
  const image = imageOf(pages, 32);
  const phdrs = (bytes: Uint8Array): bigint[][] => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return Array.from({ length: view.getUint16(56, true) }, (_, index) =>
      [0, 8, 16, 24, 32, 40, 48].map((at) => {
        const field = 64 + 56 * index + at;
        return at === 0 ? BigInt(view.getUint32(field, true)) : view.getBigUint64(field, true);
      }),
    );
  };

  test('kdump style: the direct map and the kernel image have their addresses', () => {
    const sink = new MemorySink();
    const directMap = 0xffff888000000000n;
    const kernel = { virtual: 0xffffffff81000000n, physical: 20 * pageSize, size: 8 * pageSize };
    writeElf(sink, { ...contentOf(image), directMap, kernel }, { style: 'kdump', codecs });
    const [note, text, load, ...rest] = phdrs(sink.bytes());
    expect(rest).toEqual([]);
    expect(note?.[0]).toBe(4n);
    // makedumpfile dies of aligned segments with excluded tails.
    expect(load![1]! % 4096n).not.toBe(0n);
    const [, offset] = load!;
    const bytesOf = (count: number): bigint => BigInt(count * pageSize);
    const size = bytesOf(16);
    expect(load).toEqual([1n, offset, directMap + size, size, size, size, 0n]);
    const inLoad = offset! + bytesOf(4);
    expect(text).toEqual([1n, inLoad, kernel.virtual, bytesOf(20), bytesOf(8), bytesOf(8), 0n]);
  });

  test('netdump style: segments are aligned, and a note names the task', async () => {
    const sink = new MemorySink();
    writeElf(sink, contentOf(image), { style: 'netdump', codecs });
    const [, load] = phdrs(sink.bytes());
    expect([load![1]! % 4096n, load![6]]).toEqual([0n, 4096n]);
    const dump = await open(sink.bytes());
    expect(dump.description).toBe('ELF64 vmcore, netdump style, 1 segment');
    expect(dump.panic?.task).toBe(0xffff888000001000n);
    expect(dump.notes).toHaveLength(4);
    // A name without its NUL, where crash looks for the task.
    const head = Buffer.from([4, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, ...Buffer.from('CORE')]);
    expect(Buffer.from(sink.bytes()).includes(head)).toBe(true);
    // QEMU's notes make crash die.
    const qemu = { name: 'QEMU', type: 0, desc: new Uint8Array(440) };
    const qemuSink = new MemorySink();
    const notes = [...contentOf(image).notes, qemu];
    writeElf(qemuSink, { ...contentOf(image), notes }, { style: 'netdump', codecs });
    expect((await open(qemuSink.bytes())).notes).toEqual(dump.notes);
    // Written once more, the note is not doubled.
    const again = new MemorySink();
    writeElf(again, { ...contentOf(image), notes: dump.notes }, { style: 'netdump', codecs });
    expect((await open(again.bytes())).notes).toEqual(dump.notes);
  });

  test('zeros are holes of the file', () => {
    const zeros = new Map<number, PageToHold>();
    for (let pfn = 0; pfn < 4096; pfn++) zeros.set(pfn, { state: 'zero' });
    let written = 0;
    const sink = new MemorySink();
    const counting = {
      name: 'counting',
      write: (offset: number, bytes: Uint8Array): void => {
        written += bytes.length;
        sink.write(offset, bytes);
      },
      finish: (): void => {},
      abort: (): void => {},
    };
    for (const write of [writeElf, writeLime, writeRaw]) {
      written = 0;
      const summary = write(counting, contentOf(imageOf(zeros, 4096)), { style: 'kdump', codecs });
      expect(summary.bytes).toBeGreaterThanOrEqual(4096 * pageSize);
      expect(written).toBeLessThan(100_000);
    }
  });

  test('more than 65534 segments', async () => {
    const many = new Map<number, PageToHold>();
    for (let pfn = 0; pfn < 140_000; pfn += 2) many.set(pfn, { state: 'excluded' });
    many.set(140_000, { state: 'stored', bytes: noise });
    const sink = new MemorySink();
    writeElf(sink, contentOf(imageOf(many, 140_001)), { style: 'kdump', codecs });
    const dump = await open(sink.bytes());
    expect(dump.description).toBe('ELF64 vmcore, 70001 segments');
    expect(dump.state(139_998)).toBe('excluded');
    expectEqual(dump.readPage(140_000).bytes, noise);
  });
});

/** Takes so many writes, and then no more: whoever wrote was killed. */
class KilledSink extends MemorySink {
  #left: number;

  constructor(writes: number) {
    super();
    this.#left = writes;
  }

  override write(offset: number, bytes: Uint8Array): void {
    if (this.#left-- > 0) super.write(offset, bytes);
  }
}

describe('a file whose writing was cut short', () => {
  // Nothing in LiME or raw memory says how much there should be: their name ends in .part.
  const flagged = writers.filter(({ name }) => name !== 'lime' && name !== 'raw');

  test.each(flagged)('$name: is refused or says so, and gives no wrong page', async ({ name }) => {
    const pages = new Map<number, PageToHold>();
    for (let pfn = 0; pfn < 700; pfn++) {
      if (pfn % 50 === 49) continue;
      const bytes = noise.map((byte) => byte ^ pfn);
      pages.set(pfn, pfn % 9 === 0 ? { state: 'zero' } : { state: 'stored', bytes });
    }
    const content = contentOf(imageOf(pages, 700));
    const options = { compression: 'none', level: 0, codecs } as const;
    const whole = new MemorySink();
    await writeDump(name, whole, content, options);
    let incomplete = 0;
    for (let writes = 1; ; writes++) {
      const sink = new KilledSink(writes);
      await writeDump(name, sink, content, options);
      if (Buffer.compare(sink.bytes(), whole.bytes()) === 0) break;
      const dump = await open(sink.bytes()).catch(() => undefined);
      if (dump === undefined) continue;
      expect(dump.incomplete, `after ${writes} writes`).toBeDefined();
      incomplete++;
      for (const [pfn, { bytes = new Uint8Array(pageSize) }] of pages) {
        const page = dump.readPage(pfn).bytes;
        if (page !== undefined) expectEqual(page, bytes);
      }
    }
    expect(incomplete).toBeGreaterThan(0);
  });
});
