/** Split KDUMP files: what is written in parts is read as one, and what does not fit is said. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { eraseinfoName } from '../../src/dump/notes.ts';
import { openDump, openSplit } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { writeParts } from '../../src/dump/writers.ts';
import { fileOf, preparedCodecs } from '../recipes/recipes.ts';
import { mutate, Random } from '../support/mutate.ts';
import { expectEqual, heldImageArbitrary, imageOf, type PageToHold } from '../support/pages.ts';
import { contentOf } from '../support/vmcore-content.ts';

const codecs = await preparedCodecs();

async function split(content: DumpContent, parts: number): Promise<Uint8Array[]> {
  const sinks = Array.from({ length: parts }, () => new MemorySink());
  await writeParts(sinks, content, { compression: 'zlib', level: 17, codecs });
  return sinks.map((sink) => sink.bytes());
}

function join(files: readonly Uint8Array[]): Promise<Dump> {
  const sources = files.map((bytes, index) => memorySource(`part${index + 1}`, bytes));
  return openSplit(sources, { codecs });
}

function samplePages(count: number): Map<number, PageToHold> {
  const pages = new Map<number, PageToHold>();
  for (let pfn = 0; pfn < count; pfn++) {
    const isExcluded = pfn % 5 === 4;
    const bytes = new Uint8Array(4096).fill(1 + (pfn % 250));
    pages.set(pfn, isExcluded ? { state: 'excluded' } : { state: 'stored', bytes });
  }
  return pages;
}

const pages = samplePages(640);
const content = contentOf(imageOf(pages, 640));

test('any image in any number of parts, given in any order, comes back', async () => {
  const order = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat());
  await fc.assert(
    fc.asyncProperty(heldImageArbitrary, order, async ({ pages: held, image }, [count, seed]) => {
      const files = await split(contentOf(image), count);
      const turned = files.map((_, index) => files[(index + seed) % count]!);
      const dump = await join(seed % 2 === 0 ? turned : turned.reverse());
      expect(dump.incomplete).toBeUndefined();
      expect(dump.notes).toEqual(contentOf(image).notes);
      let end = 0;
      for (const run of dump.runs()) {
        expect(run.first).toBe(end);
        end = run.end;
      }
      expect(end).toBe(Math.max(1, image.endPfn));
      for (const [pfn, { state, bytes }] of held) {
        const isExcluded = state === 'excluded';
        expect(dump.state(pfn)).toBe(isExcluded ? 'excluded' : 'stored');
        if (!isExcluded) expectEqual(dump.readPage(pfn).bytes, bytes ?? new Uint8Array(4096));
      }
    }),
    { numRuns: 60 },
  );
});

test('parts have about the same number of pages, and together those of the whole', async () => {
  const sinks = Array.from({ length: 3 }, () => new MemorySink());
  const steps: string[] = [];
  const progress = (done: number, total: number): void => {
    steps.push(`${done}/${total}`);
  };
  const options = { compression: 'none', level: 0, codecs, progress } as const;
  const written = await writeParts(sinks, content, options);
  expect(written.map((each) => each.pages)).toEqual([205, 154, 153]);
  expect(steps).toEqual(['205/512', '359/512', '512/512']);
  // crash takes no other beginning of a part.
  for (const sink of sinks) {
    const { buffer, byteOffset } = sink.bytes();
    expect(new DataView(buffer, byteOffset).getBigUint64(4096 + 80, true) % 64n).toBe(0n);
  }
});

describe('opened together', () => {
  test('a part that is missing leaves its pages missing, and that is said', async () => {
    const [first, , third] = await split(content, 3);
    const dump = await join([third!, first!]);
    expect(dump.incomplete).toMatch(/^no part holds pages 0x100 to 0x1bf$/);
    expect(dump.readPage(0xff).state).toBe('stored');
    expect(dump.readPage(0x100)).toMatchObject({ state: 'missing', bytes: undefined });
    expect(dump.readPage(0x1c0).state).toBe('stored');
    // What a filter left out is known from any part.
    expect(dump.state(0x103)).toBe('excluded');
    expect(dump.description).toBe('KDUMP v6, zlib, 2 parts of a split dump');
  });

  test('a part by itself is the same, by openDump', async () => {
    const [, second] = await split(content, 3);
    const dump = await openDump(memorySource('part2', second!), { codecs });
    expect(dump.incomplete).toContain('no part holds pages 0x0 to 0xff');
    expect(dump.incomplete).toContain('no part holds pages 0x1c0 to 0x27f');
    expect(dump.readPage(0x101).state).toBe('stored');
    expect(dump.readPage(1).problem).toMatchObject({ code: 'absent' });
  });

  test('a part that is cut says so, the others are whole', async () => {
    const [first, second] = await split(content, 2);
    const dump = await join([first!, second!.subarray(0, second!.length - 60)]);
    expect(dump.incomplete).toMatch(/^part2: the file is cut at/);
    expect(dump.readPage(0).state).toBe('stored');
    expect(dump.readPage(638).state).toBe('missing');
  });

  test('a part given twice, one of another dump, a whole dump: all refused by name', async () => {
    const [first, second] = await split(content, 2);
    const [, other] = await split({ ...content, time: 5 }, 2);
    const whole = fileOf({ name: 'whole', text: 'kdump pages=64\npage 1 fill=1\n' }, codecs);
    const refusal = (message: string, file: string) =>
      expect.objectContaining({
        code: 'mismatch',
        message: expect.stringContaining(message),
        where: expect.objectContaining({ file }),
      });
    await expect(join([first!, second!, first!])).rejects.toThrow(refusal('holds pages', 'part3'));
    await expect(join([first!, other!])).rejects.toThrow(refusal('not of the same dump', 'part2'));
    await expect(join([first!, whole])).rejects.toThrow(refusal('not a part', 'part2'));
    await expect(join([])).rejects.toMatchObject({ code: 'usage' });
  });

  test('closing closes all, and so does a failure', async () => {
    const closed: string[] = [];
    const open = (files: readonly Uint8Array[]): Promise<Dump> => {
      const sources = files.map((bytes, index) => ({
        ...memorySource(`part${index + 1}`, bytes),
        close: () => closed.push(`part${index + 1}`),
      }));
      return openSplit(sources, { codecs });
    };
    const [first, second] = await split(content, 2);
    (await open([first!, second!])).close();
    expect(closed).toEqual(['part1', 'part2']);
    await expect(open([first!, new Uint8Array(10)])).rejects.toMatchObject({ code: 'unsupported' });
    expect(closed).toEqual(['part1', 'part2', 'part1', 'part2']);
  });
});

test('damaged parts: read or refused, nothing else', async () => {
  const files = await split(contentOf(imageOf(samplePages(256), 256)), 3);
  let opened = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const random = new Random(Math.imul(seed, 0x9e3779b1));
    const hot = [0, 400, 4096, 4096, 4200, 8192, 12288, 16384];
    const given = files.map((file, index) =>
      index === seed % 3 ? mutate(file, random, hot) : file,
    );
    try {
      const dump = await join(given);
      let end = 0;
      for (const { first, end: next, state } of dump.runs()) {
        expect(first).toBe(end);
        end = next;
        for (let pfn = first; pfn < Math.min(next, first + 20); pfn++) {
          const page = dump.readPage(pfn);
          expect(page.state === state || page.state === 'damaged').toBe(true);
        }
      }
      opened++;
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      expect(error.where.file).toBeDefined();
    }
  }
  expect(opened).toBeGreaterThan(100);
});

test('a page that cannot be read makes its part incomplete, not the others', async () => {
  const image = imageOf(pages, 640);
  const broken = {
    ...image,
    readPage: (pfn: number) =>
      pfn === 3 ? { state: 'damaged' as const, bytes: undefined } : image.readPage(pfn),
  };
  const dump = await join(await split(contentOf(broken), 2));
  expect(dump.incomplete).toMatch(/^part1: the header says incomplete/);
  expect(dump.incomplete).not.toContain('part2');
  expect(dump.readPage(3).state).toBe('missing');
});

test('what was erased goes to its own place and comes back as the note that it was', async () => {
  const desc = new TextEncoder().encode('erase jiffies 8\n');
  const notes = [...content.notes, { name: eraseinfoName, type: 0, desc }];
  const [only] = await split({ ...content, notes }, 1);
  const view = new DataView(only!.buffer, only!.byteOffset);
  const at = Number(view.getBigUint64(4096 + 64, true));
  const size = Number(view.getBigUint64(4096 + 72, true));
  expectEqual(only!.subarray(at, at + size), desc);
  expect((await join([only!])).notes).toEqual(notes);
});
