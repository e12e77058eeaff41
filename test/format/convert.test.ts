/**
 * Conversion of any memory with any provenance: what comes back is what was there but for what the
 * format has no place for, and with the side file all of it.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource, type Source } from '../../src/bytes/source.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { contentOf as gathered } from '../../src/convert/content.ts';
import { countPages, prepare, write } from '../../src/convert/convert.ts';
import { lossesOf } from '../../src/convert/facts.ts';
import { joinRegions } from '../../src/convert/regions.ts';
import { fileMark, parseSidecar, rangesOf, sidecarOf } from '../../src/convert/sidecar.ts';
import { withSidecar } from '../../src/convert/with-sidecar.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage, MemoryRange, PageState } from '../../src/dump/types.ts';
import { type Writer, writers } from '../../src/dump/writers.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { contentFor } from '../support/content.ts';
import { expectEqual, heldPagesArbitrary, imageOf } from '../support/pages.ts';
import { contentOf, registers, vmcoreinfo } from '../support/vmcore-content.ts';

const codecs = createCodecs(nodeZlib);

/** A dump that nobody wrote. */
function dumpOf(image: MemoryImage, changes: Partial<Dump> = {}): Dump {
  const { uts, notes, physBase } = contentOf(image);
  return {
    ...image,
    state: (pfn) => image.state(pfn),
    readPage: (pfn) => image.readPage(pfn),
    runs: () => image.runs(),
    ...{ name: 'vmcore', format: 'kdump', description: 'made up', architecture: 'x86_64' },
    ...{ uts, time: 1700000000, notes, vmcoreinfo, physBase, level: 17 },
    cpus: registers.map((each, index) => ({
      ...{ source: 'NT_PRSTATUS', index, pid: 100 + index, registers: each },
    })),
    panic: undefined,
    incomplete: undefined,
    close: () => {},
    ...changes,
  };
}

interface Made {
  readonly source: Source;
  readonly ranges: readonly MemoryRange[] | undefined;
  readonly back: Dump;
}

async function converted(dump: Dump, format: string): Promise<Made> {
  const sink = new MemorySink();
  const options = { format, compression: 'none', level: 0, codecs } as const;
  const { ranges } = await write(await prepare(dump, options), [sink], options);
  const source = memorySource('made', sink.bytes());
  const raw = format === 'raw' ? { format: 'raw', ranges: ranges ?? [] } : {};
  return { source, ranges, back: await openDump(source, { codecs, ...raw }) };
}

/** In the last place is a page: raw memory and others end with what they hold. */
const anyImage = heldPagesArbitrary.map((list) => {
  const pages = new Map(list.map(([pfn, page]) => [pfn % 3000, page]));
  const end = Math.max(-1, ...pages.keys()) + 1;
  pages.set(end, { state: 'stored', bytes: Uint8Array.from({ length: 4096 }, (_, at) => at) });
  return imageOf(pages, end + 1);
});

function statesOf(image: MemoryImage): PageState[] {
  const states: PageState[] = [];
  for (const { first, end, state } of image.runs()) {
    for (let pfn = first; pfn < end; pfn++) states.push(state === 'zero' ? 'stored' : state);
  }
  return states;
}

describe.each(writers)('$name', (writer: Writer) => {
  test('any pages come back, in the states that the format can tell', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (image) => {
        const { back } = await converted(dumpOf(image), writer.name);
        const told = statesOf(image).map((state) => {
          return state === 'excluded' && writer.lacks.includes('excluded') ? 'missing' : state;
        });
        expect(statesOf(back)).toEqual(told);
        for (const [pfn, state] of told.entries()) {
          if (state !== 'stored') continue;
          expectEqual(back.readPage(pfn).bytes, image.readPage(pfn).bytes!);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('with the side file every state and every fact comes back', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (image) => {
        const was = dumpOf(image);
        const { source, ranges, back } = await converted(was, writer.name);
        const mark = fileMark(source, sha256);
        const side = sidecarOf(was, { mark, image, level: 17, ranges });
        const facts = parseSidecar(JSON.stringify(side), 'side');
        expect(facts.file).toEqual(mark);
        const is = withSidecar(back, facts);
        expect(statesOf(is)).toEqual(statesOf(image));
        for (const [pfn, state] of statesOf(image).entries()) {
          const page = is.readPage(pfn);
          if (state === 'stored') expectEqual(page.bytes, image.readPage(pfn).bytes!);
          else expect(page.bytes).toBeUndefined();
          expect(is.state(pfn) === 'zero' ? 'stored' : is.state(pfn)).toBe(state);
        }
        const { uts, time, notes, cpus, vmcoreinfo: text, physBase, level, endPfn } = is;
        expect({ uts, time, notes, cpus, text, physBase, level, endPfn }).toEqual({
          ...{ uts: was.uts, time: was.time, notes: was.notes, cpus: was.cpus },
          ...{ text: was.vmcoreinfo, physBase: was.physBase, level: 17, endPfn: was.endPfn },
        });
      }),
      { numRuns: 15 },
    );
  });

  test('every fact that it has no place for is named', () => {
    const pages = new Map([
      [1, { state: 'stored' as const, bytes: new Uint8Array(4096).fill(1) }],
      [2, { state: 'excluded' as const }],
      [4, { state: 'stored' as const, bytes: new Uint8Array(4096).fill(1) }],
    ]);
    const panic = { message: 'why', task: 1n };
    const losses = lossesOf(dumpOf(imageOf(pages, 5), { panic }), writer).map(({ fact }) => fact);
    const implied = writer.lacks.includes('panic') ? ['message'] : [];
    expect([...losses, ...implied].sort()).toEqual([...writer.lacks, ...implied].sort());
    expect(lossesOf(dumpOf(imageOf(new Map(), 0), { incomplete: 'cut' }), writer).length).toBe(
      losses.filter((fact) => !['panic', 'message', 'excluded', 'missing'].includes(fact)).length +
        (['lime', 'raw', 'diskdump-partition'].includes(writer.name) ? 1 : 0),
    );
  });
});

describe('a dump without a kernel in it', () => {
  const page = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(1) };
  const image = imageOf(new Map([[1, page]]), 2);

  test('LKCD slots become register notes, one for each CPU', () => {
    const slots = registers.map((each, at) => ({ at: at * 2, each }));
    const cpus = slots.map(({ at, each }) => ({
      ...{ source: 'LKCD' as const, index: at, registers: each, task: BigInt(at) },
    }));
    const dump = dumpOf(image, { notes: [], cpus, vmcoreinfo: undefined });
    const { content, remarks } = gathered(dump, 'kdump');
    expect(content.notes.map(({ name }) => name)).toEqual(['CORE', 'CORE', 'CORE']);
    expect(content.notes[1]!.desc.every((byte) => byte === 0)).toBe(true);
    expect(remarks[0]).toMatch(/^no kernel was found in the memory: /);
    const kept = gathered(dump, 'lkcd').content.cpus;
    expect(kept.map(({ task }) => task)).toEqual([0n, 0n, 2n]);
  });

  test.each(['lkcd', 'diskdump', 'mkdump'])('one of i386 goes to %s', async (format) => {
    const { cpus, uts } = contentFor(image, 'i386');
    const states = cpus.map(({ registers: each, task }, index) => ({
      ...{ source: 'LKCD' as const, index, registers: each, task },
    }));
    const none = { notes: [], vmcoreinfo: undefined, physBase: undefined };
    const dump = dumpOf(image, { architecture: 'i386', uts, cpus: states, ...none });
    const { back } = await converted(dump, format);
    expect(back.architecture).toBe('i386');
    expect(back.cpus[0]?.registers.rip).toBe(cpus[0]!.registers.rip);
  });
});

test('pages are counted by what becomes of them', () => {
  const image = imageOf(
    new Map([
      [1, { state: 'excluded' }],
      [3, { state: 'zero' }],
    ]),
    5,
  );
  expect(countPages(image)).toEqual({ kept: 1, excluded: 1, missing: 3 });
});

test('regions of memory read as one file, across their edges', () => {
  const bytesFrom = (first: number): Uint8Array =>
    Uint8Array.from({ length: 5 }, (_, at) => first + at);
  const { source, ranges } = joinRegions([
    { source: memorySource('b', bytesFrom(10)), start: 0x2000n },
    { source: memorySource('a', bytesFrom(0)), start: 0x1000n },
  ]);
  expect([...source.read(3, 100)]).toEqual([3, 4, 10, 11, 12, 13, 14]);
  expect(source.read(10, 1).length).toBe(0);
  expect(ranges).toEqual([
    { start: 0x1000n, end: 0x1005n },
    { start: 0x2000n, end: 0x2005n },
  ]);
});

test('ranges of a side file are those of the pages that it says are there', () => {
  const image = imageOf(
    new Map([
      [2, { state: 'zero' }],
      [3, { state: 'excluded' }],
    ]),
    4,
  );
  const mark = { size: 0, sha256: '' };
  const sided = { mark, image, level: 0, ranges: undefined };
  const side = JSON.stringify(sidecarOf(dumpOf(image), sided));
  expect(rangesOf(parseSidecar(side, ''))).toEqual([{ start: 0x2000n, end: 0x3000n }]);
});

test('what is no side file is refused as corrupt, whatever it is', () => {
  const image = imageOf(new Map([[2, { state: 'zero' }]]), 4);
  const mark = { size: 0, sha256: '' };
  const good = sidecarOf(dumpOf(image), { mark, image, level: 0, ranges: undefined });
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(good)), fc.jsonValue(), (member, value) => {
      const text = JSON.stringify({ ...good, [member]: value });
      try {
        parseSidecar(text, 'side');
      } catch (error) {
        expect(error).toMatchObject({ name: 'DumpError', code: 'corrupt' });
      }
    }),
  );
});
