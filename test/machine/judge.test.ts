/** The judge on dumps of a few pages: what decides, and what decides first. */

import { describe, expect, test } from 'vitest';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import type { Dump } from '../../src/dump/types.ts';
import { OwnWrites } from '../../src/machine/own-writes.ts';
import { type Circumstances, type GroundTruth, judge, judgeDump } from '../../src/trial/judge.ts';
import { dumpLike, openFixture } from '../support/fixture.ts';
import { imageOf, type PageToHold } from '../support/pages.ts';

const fixture = await openFixture();
const endPfn = 4;

/** Page n is filled with n + 1; no kernel is found in these, so that pages alone decide. */
function dumpOf(changes: Readonly<Record<number, PageToHold>> = {}, incomplete?: string): Dump {
  const page = (pfn: number): PageToHold =>
    changes[pfn] ?? { state: 'stored', bytes: new Uint8Array(4096).fill(pfn + 1) };
  const pfns = new Set([...Array(endPfn).keys(), ...Object.keys(changes).map(Number)]);
  const pages = new Map([...pfns].map((pfn) => [pfn, page(pfn)]));
  const none = { vmcoreinfo: undefined, cpus: [], notes: [] };
  return dumpLike(fixture, { ...imageOf(pages, Math.max(...pfns) + 1), ...none, incomplete });
}

function truthOf(changes: Partial<GroundTruth> = {}): GroundTruth {
  const kept = Bitmap.ofSize(8);
  for (let pfn = 0; pfn < endPfn; pfn++) kept.add(pfn);
  const ownWrites = new OwnWrites(4096);
  return { dump: dumpOf(), kept, withoutZeroPages: 'not allowed', ownWrites, ...changes };
}

const lost = { 1: { state: 'missing' } } as const;
const different = { 2: { state: 'stored', bytes: new Uint8Array(4096) } } as const;

describe('a dump that opens is', () => {
  test('complete where every page due is there and equal', () => {
    expect(judgeDump(dumpOf(), truthOf())).toMatchObject({
      class: 'complete',
      pages: { due: 4, equal: 4 },
    });
  });

  test('partial only where it says itself that it lacks something', () => {
    const flagged = judgeDump(dumpOf(lost, 'cut'), truthOf());
    expect(flagged).toMatchObject({ class: 'partial', pages: { absent: 1 } });
    expect(flagged.reasons).toEqual(['flagged incomplete: cut', '1 of 4 pages due are not there']);
    expect(judgeDump(dumpOf(lost), truthOf())).toMatchObject({
      class: 'inaccurate',
      reasons: ['1 of 4 pages due are not there'],
    });
  });

  test('unreadable where it has no page that is due, though others are right', () => {
    const other = { 5: { state: 'stored', bytes: new Uint8Array(4096).fill(6) } } as const;
    const empty = { 0: lost[1], 1: lost[1], 2: lost[1], 3: lost[1] };
    const truth = truthOf({ dump: dumpOf(other) });
    expect(judgeDump(dumpOf({ ...empty, ...other }, 'cut'), truth)).toMatchObject({
      class: 'unreadable',
      pages: { due: 4, equal: 1, absent: 4 },
    });
  });

  test('inaccurate where a page differs, whether it is flagged or not', () => {
    for (const incomplete of ['cut', undefined]) {
      expect(judgeDump(dumpOf(different, incomplete), truthOf())).toMatchObject({
        class: 'inaccurate',
        reasons: ['1 pages differ from the memory'],
      });
    }
  });

  test('inaccurate where the analyzer says something else of it, though no page is wrong', () => {
    const empty = dumpLike(fixture, imageOf(new Map(), 0));
    const truth = truthOf({ dump: fixture, kept: Bitmap.ofSize(0) });
    const verdict = judgeDump(empty, truth);
    expect(verdict).toMatchObject({ class: 'inaccurate', pages: { due: 0, different: 0 } });
    expect(verdict.reasons).toContain('the dump gives another answer: tasks');
    const cut = dumpLike(empty, { incomplete: 'cut' });
    expect(judgeDump(cut, truth).class).toBe('partial');
  });
});

describe('a page is', () => {
  test('not due where the method overwrote all of it, excused for exactly its bytes otherwise', () => {
    const ownWrites = new OwnWrites(4096, [{ start: 0, end: 8192 }]);
    ownWrites.add('all', 0, 4096);
    ownWrites.add('part', 4096 + 100, 10);
    const withByte = (at: number) => {
      const bytes = new Uint8Array(4096).fill(2);
      bytes[at] = 0xff;
      return dumpOf({ 0: { state: 'missing' }, 1: { state: 'stored', bytes } });
    };
    for (const at of [100, 109]) {
      expect(judgeDump(withByte(at), truthOf({ ownWrites }))).toMatchObject({
        class: 'complete',
        pages: { due: 3, equal: 3, excused: 1 },
      });
    }
    for (const at of [99, 110]) {
      expect(judgeDump(withByte(at), truthOf({ ownWrites }))).toMatchObject({
        class: 'inaccurate',
        pages: { different: 1 },
      });
    }
  });

  test('not due where it is zero and zero pages may be left out', () => {
    const truth = { dump: dumpOf({ 3: { state: 'zero' } }) };
    const without = dumpOf({ 3: { state: 'excluded' } });
    const allowed = truthOf({ ...truth, withoutZeroPages: 'allowed' });
    expect(judgeDump(without, allowed)).toMatchObject({ class: 'complete', pages: { due: 3 } });
    expect(judgeDump(without, truthOf(truth))).toMatchObject({
      class: 'inaccurate',
      pages: { due: 4, absent: 1 },
    });
  });

  test('an invention where the machine has none; without it nothing is due', () => {
    const hole = { 3: { state: 'missing' } } as const;
    const truth = truthOf({ dump: dumpOf(hole) });
    expect(judgeDump(dumpOf(hole), truth)).toMatchObject({ class: 'complete', pages: { due: 3 } });
    expect(judgeDump(dumpOf(), truth)).toMatchObject({
      class: 'inaccurate',
      pages: { due: 3, different: 1 },
    });
    const above = dumpOf({ 99: { state: 'zero' } });
    expect(judgeDump(above, truthOf())).toMatchObject({ pages: { due: 4, different: 1 } });
  });
});

describe('what decides first', () => {
  const opened = async (): Promise<Dump> => dumpOf();
  const broken = async (): Promise<Dump> => {
    throw new DumpError('corrupt', 'no dump');
  };
  const lacking = 'page 7 is not in the input';
  test.each([
    ['destructive', { bytesOutside: 512, lacking }, undefined, '512 bytes outside'],
    ['destructive', { bytesOutside: 512 }, opened, '512 bytes outside'],
    ['undecidable', { lacking }, undefined, lacking],
    ['undecidable', { lacking }, opened, lacking],
    ['undecidable', { lacking }, broken, lacking],
    ['none', {}, undefined, 'it hung'],
    ['unreadable', {}, broken, 'no dump'],
    ['complete', {}, opened, 'every page due'],
  ] as const)('%s: %j', async (verdictClass, known, open, reason) => {
    const usual: Circumstances = { bytesOutside: 0, lacking: undefined, noFile: 'it hung' };
    const verdict = await judge(open, truthOf, { ...usual, ...known });
    expect(verdict.class).toBe(verdictClass);
    expect(verdict.reasons[0]).toContain(reason);
  });
});
