/** The machine's parts that need no kernel: memory, tracker, snapshot, clock, disk, files. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import type { Dump, MemoryImage, PageState } from '../../src/dump/types.ts';
import { walk } from '../../src/linux/paging.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { Clock, second } from '../../src/machine/clock.ts';
import { Disk, partitionsOf } from '../../src/machine/disk.ts';
import { decodeElfCore, encodeElfCore } from '../../src/machine/elfcore.ts';
import { FileArea } from '../../src/machine/files.ts';
import { findRun } from '../../src/machine/free-blocks.ts';
import { virtioScsi } from '../../src/machine/hardware.ts';
import { heldDump } from '../../src/machine/held-image.ts';
import { MachineMemory, overlaidRuns, type SavedMemory } from '../../src/machine/memory.ts';
import { OwnWrites } from '../../src/machine/own-writes.ts';
import { largePage, PageTables, smallPage } from '../../src/machine/page-tables.ts';
import { without } from '../../src/machine/ram.ts';
import { Snapshot } from '../../src/machine/snapshot.ts';
import { MachineStop } from '../../src/machine/stop.ts';

const states: PageState[] = ['stored', 'zero', 'excluded', 'missing', 'stored', 'stored'];

/** Page n of this image is filled with n, where it has bytes. */
function smallImage(pageStates: readonly PageState[] = states): MemoryImage {
  const pageSize = 4096;
  return {
    name: 'small',
    pageSize,
    endPfn: pageStates.length,
    state: (pfn) => pageStates[pfn] ?? 'missing',
    readPage(pfn) {
      const state = pageStates[pfn] ?? 'missing';
      if (state === 'stored') return { state, bytes: new Uint8Array(pageSize).fill(pfn) };
      if (state === 'zero') return { state, bytes: new Uint8Array(pageSize) };
      return { state, bytes: undefined };
    },
    *runs() {
      for (const [pfn, state] of pageStates.entries()) yield { first: pfn, end: pfn + 1, state };
    },
  };
}

function machineMemory(image: MemoryImage, saved?: SavedMemory): MachineMemory {
  return new MachineMemory(image, 0, saved);
}

function stopOf(body: () => unknown): MachineStop {
  try {
    body();
  } catch (error) {
    if (error instanceof MachineStop) return error;
    throw error;
  }
  throw new Error('the machine did not stop');
}

test('a write changes the machine and not the dump', () => {
  const image = smallImage();
  const memory = machineMemory(image);
  memory.write(4095n, Uint8Array.of(7, 8));
  expect(memory.readPage(0).bytes?.[4095]).toBe(7);
  expect(memory.readPage(1)).toMatchObject({ state: 'stored' });
  expect(memory.readPage(1).bytes?.[0]).toBe(8);
  expect(image.readPage(0).bytes?.[4095]).toBe(0);
  expect(image.state(1)).toBe('zero');
});

test('a hole is never filled by halves: only a whole page makes it stored', () => {
  const memory = machineMemory(smallImage());
  expect(() => memory.write(2n * 4096n, Uint8Array.of(1))).toThrow(
    expect.objectContaining({ code: 'excluded', where: expect.objectContaining({ pfn: 2 }) }),
  );
  expect(() => memory.write(3n * 4096n, Uint8Array.of(1))).toThrow(
    expect.objectContaining({ code: 'absent' }),
  );
  memory.write(2n * 4096n, new Uint8Array(4096).fill(9));
  expect(memory.state(2)).toBe('stored');
  expect(() => memory.write(99n * 4096n, new Uint8Array(4096))).toThrow(DumpError);
});

test('added RAM is zero, above the top, and part of the runs', () => {
  const memory = machineMemory(smallImage());
  expect(memory.addRam(2)).toBe(6);
  expect(memory.endPfn).toBe(8);
  expect(memory.readPage(7).bytes).toEqual(new Uint8Array(4096));
  expect([...memory.runs()].at(-1)).toEqual({ first: 6, end: 8, state: 'zero' });
});

test('RAM that the dump does not reach is missing, and added RAM lies above it', () => {
  const memory = new MachineMemory(smallImage(), 10);
  expect(memory.state(8)).toBe('missing');
  expect(memory.addRam(1)).toBe(10);
  expect([...memory.runs()].slice(-2)).toEqual([
    { first: 6, end: 10, state: 'missing' },
    { first: 10, end: 11, state: 'zero' },
  ]);
});

test('the tracker tells each page once, as it was before its first write', () => {
  const memory = machineMemory(smallImage());
  const seen: [number, number | undefined][] = [];
  const tracker = memory.track((pfn, before) => seen.push([pfn, before.bytes?.[0]]));
  memory.write(4n * 4096n, Uint8Array.of(1));
  memory.write(4n * 4096n, Uint8Array.of(2));
  memory.write(5n * 4096n, Uint8Array.of(3));
  tracker.end();
  memory.write(0n, Uint8Array.of(4));
  expect(seen).toEqual([
    [4, 4],
    [5, 5],
  ]);
  expect([...tracker.written]).toEqual([4, 5]);
});

test('a snapshot equals the memory at its instant, whatever is written afterwards', () => {
  const write = fc.record({
    at: fc.integer({ min: 0, max: 6 * 4096 - 1 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(write), fc.array(write), (before, after) => {
      const memory = machineMemory(smallImage(Array(8).fill('stored')));
      for (const { at, bytes } of before) memory.write(BigInt(at), bytes);
      const expected = contents(memory);
      const snapshot = new Snapshot(memory);
      for (const { at, bytes } of after) memory.write(BigInt(at), bytes);
      expect(contents(snapshot)).toEqual(expected);
      const resumed = machineMemory(smallImage(Array(8).fill('stored')), memory.save());
      const again = new Snapshot(resumed, snapshot.save());
      resumed.write(0n, new Uint8Array(8 * 4096).fill(0xee));
      expect(contents(again)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test('a snapshot keeps what a page was: holes filled and RAM added later are not in it', () => {
  const memory = machineMemory(smallImage());
  const snapshot = new Snapshot(memory);
  const runs = [...snapshot.runs()];
  memory.write(4096n, Uint8Array.of(1));
  memory.write(2n * 4096n, new Uint8Array(4096).fill(9));
  memory.addRam(2);
  for (const each of [snapshot, new Snapshot(memory, snapshot.save())]) {
    expect(each.endPfn).toBe(6);
    expect([...states.keys()].map((pfn) => each.state(pfn))).toEqual(states);
    expect(each.readPage(2)).toMatchObject({ state: 'excluded', bytes: undefined });
    expect(each.state(6)).toBe('missing');
    expect([...each.runs()]).toEqual(runs);
  }
});

function contents(image: MemoryImage): number[] {
  const sums: number[] = [];
  for (let pfn = 0; pfn < image.endPfn; pfn++) {
    sums.push(image.readPage(pfn).bytes?.reduce((sum, byte) => (sum * 31 + byte) | 0, 7) ?? -1);
  }
  return sums;
}

test('overlaid runs say of every page what the pages say', () => {
  const state = fc.constantFrom<PageState>('stored', 'zero', 'excluded', 'missing');
  fc.assert(
    fc.property(
      fc.array(state, { minLength: 1 }),
      fc.array(fc.tuple(fc.nat(60), state)),
      (base, over) => {
        const overrides = new Map(over.filter(([pfn]) => pfn < base.length));
        const runs = [...overlaidRuns(smallImage(base).runs(), [...overrides])];
        const expected = base.map((old, pfn) => overrides.get(pfn) ?? old);
        expect(runs.flatMap(({ first, end, state }) => Array(end - first).fill(state))).toEqual(
          expected,
        );
        for (const [index, run] of runs.entries()) {
          expect(run.first).toBe(runs[index - 1]?.end ?? 0);
          expect(run.state).not.toBe(runs[index - 1]?.state);
        }
      },
    ),
  );
});

test('page tables that were written are walked back to what they were written for', () => {
  const memory = machineMemory(smallImage(Array(64).fill('zero')));
  let next = 8;
  const root = { physical: 7n * 4096n, levels: 4, encryptionMask: 0n } as const;
  const tables = new PageTables(memory, root, () => BigInt(next++) * 4096n);
  tables.map(0x20_0000n, 0x20_0000n, largePage);
  tables.map(0xffff_ffff_8100_0000n, 0x5000n, smallPage);
  const physical = new PhysicalMemory(memory);
  expect(walk(physical, root, 0x3f_ffffn).physical).toBe(0x3f_ffffn);
  expect(walk(physical, root, 0xffff_ffff_8100_0123n).physical).toBe(0x5123n);
  expect(() => walk(physical, root, 0x40_0000n)).toThrow(
    expect.objectContaining({ code: 'absent' }),
  );
  expect(() => tables.map(0x20_1000n, 0n, smallPage)).toThrow(DumpError);
});

test('every wait ends: at the watchdog, else at the horizon', () => {
  const clock = new Clock({ horizonNs: 10 * second });
  clock.spend(second, 'work');
  expect(stopOf(() => clock.spend(10 * second, 'wait'))).toMatchObject({ kind: 'hang' });
  expect(clock.now).toBe(10 * second);
  const watched = new Clock({ horizonNs: 10 * second, watchdogNs: 3 * second });
  expect(stopOf(() => watched.hang('purgatory loops', 'purgatory'))).toMatchObject({
    kind: 'reset',
    object: 'purgatory',
  });
  expect(watched.now).toBe(3 * second);
});

function smallDisk(): { disk: Disk; clock: Clock } {
  const clock = new Clock({ horizonNs: 100 * second });
  const partitions = partitionsOf('sda', [
    { use: 'dump', size: 40_960, holds: 'nothing' },
    { use: 'files', size: 40_960, holds: 'nothing' },
  ]);
  return { disk: new Disk(clock, virtioScsi.disk, partitions), clock };
}

test('a disk takes commands after a reset only, and every command takes time', () => {
  const { disk, clock } = smallDisk();
  expect(disk.status).toBe('needs reset');
  expect(() => disk.write(0, new Uint8Array(512))).toThrow('before the controller was reset');
  disk.reset();
  expect(disk.status).toBe('ready');
  const before = clock.now;
  disk.write(disk.partition('dump').start, Uint8Array.of(1, 2, 3));
  expect(clock.now).toBeGreaterThan(before);
  expect(disk.peek(disk.partition('dump').start, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
  expect(() => disk.write(2 ** 40, new Uint8Array(1))).toThrow(
    expect.objectContaining({ code: 'io' }),
  );
});

test('a disk that was saved and loaded holds the same and goes on at the same time', () => {
  const { disk, clock } = smallDisk();
  disk.reset();
  disk.write(1_048_576, new Uint8Array(70_000 - 40_960).fill(5));
  const copy = new Disk(clock, virtioScsi.disk, disk.partitions, structuredClone(disk.save()));
  expect(copy.save()).toEqual(disk.save());
  expect(copy.status).toBe('ready');
});

test('files: random access, rename, and no space left', () => {
  const { disk } = smallDisk();
  disk.reset();
  const files = new FileArea(disk);
  const sink = files.create('vmcore-incomplete');
  sink.write(100, Uint8Array.of(9));
  sink.write(0, Uint8Array.of(1, 2));
  sink.finish();
  files.rename('vmcore-incomplete', 'vmcore');
  const again = new FileArea(disk, files.save());
  expect(again.names()).toEqual(['vmcore']);
  const source = again.open('vmcore');
  expect(source.size).toBe(101);
  expect(source.read(0, 200)[100]).toBe(9);
  const full = again.create('second');
  full.write(0, new Uint8Array(38_000));
  expect(() => full.finish()).toThrow('no space left');
});

test('own writes excuse exactly the bytes that were recorded in declared places', () => {
  const writes = new OwnWrites(4096);
  writes.declare([
    { start: 4000, end: 4100 },
    { start: 8192, end: 8192 + 4096 * 100 },
  ]);
  writes.add('note', 4090, 10);
  expect(writes.of(0)).toHaveLength(1);
  expect(writes.of(1)).toHaveLength(1);
  expect(writes.of(2)).toHaveLength(0);
  expect(writes.covers(0)).toBe(false);
  writes.add('region', 8192, 4096 * 100);
  expect(writes.covers(50)).toBe(true);
  expect(writes.covers(102)).toBe(false);
  writes.add('note', 4096 * 200, 4096);
  writes.add('note', 4090, 20);
  expect(writes.covers(200)).toBe(false);
  expect(writes.of(0)).toHaveLength(1);
  expect(writes.list.map(({ what }) => what.includes('astray'))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('elfcorehdr: what is written is what the capture kernel parses', () => {
  const core = {
    notes: [{ start: 0x1000, end: 0x1170 }],
    kernelText: undefined,
    ram: [
      { start: 0x1000, end: 0x9fc00 },
      { start: 0x100000, end: 0x800_0000 },
    ],
  };
  const bytes = encodeElfCore(core, (physical) => physical + 0xffff_8880_0000_0000n);
  expect(decodeElfCore(bytes)).toEqual(core);
  bytes[0] = 0;
  expect(() => decodeElfCore(bytes)).toThrow(expect.objectContaining({ code: 'corrupt' }));
});

test('the lowest run of neighbouring free blocks that is long enough is found', () => {
  const block = (pfn: number, order: number) => ({ pfn, order, zone: 0n });
  const blocks = [block(1, 0), block(4, 2), block(8, 3), block(32, 4), block(48, 4)];
  expect(findRun(blocks, 5, 1)?.map(({ pfn }) => pfn)).toEqual([4, 8]);
  expect(findRun(blocks, 20, 1)?.map(({ pfn }) => pfn)).toEqual([32, 48]);
  expect(findRun(blocks, 33, 1)).toBeUndefined();
});

test('ranges without a range inside them', () => {
  expect(without([{ start: 0, end: 100 }], { start: 20, end: 30 })).toEqual([
    { start: 0, end: 20 },
    { start: 30, end: 100 },
  ]);
  expect(without([{ start: 0, end: 100 }], { start: 200, end: 300 })).toEqual([
    { start: 0, end: 100 },
  ]);
});

test('a held dump says of every page what the dump says, and gives the same array each time', () => {
  const state = fc.constantFrom<PageState>('stored', 'zero', 'excluded', 'missing');
  fc.assert(
    fc.property(fc.array(state, { minLength: 1 }), fc.array(fc.nat(40)), (all, asked) => {
      const image = smallImage(all);
      const held = heldDump(dumpOf(image));
      for (const pfn of [...asked, ...all.keys(), all.length + 5]) {
        expect(held.state(pfn)).toBe(image.state(pfn));
        const { bytes } = held.readPage(pfn);
        expect(bytes).toEqual(image.readPage(pfn).bytes);
        expect(held.readPage(pfn).bytes).toBe(bytes);
      }
    }),
    { numRuns: 50 },
  );
});

test('a dump that claims more pages than an array can have is held like any other', () => {
  const top = 2 ** 45;
  const stored = new Uint8Array(4096).fill(7);
  const held = heldDump(
    dumpOf({
      ...{ name: 'huge', pageSize: 4096, endPfn: top },
      state: (pfn) => (pfn === top - 1 ? 'stored' : 'missing'),
      readPage: (pfn) =>
        pfn === top - 1
          ? { state: 'stored', bytes: stored }
          : { state: 'missing', bytes: undefined },
      runs: () => [
        { first: 0, end: top - 1, state: 'missing' },
        { first: top - 1, end: top, state: 'stored' },
      ],
    }),
  );
  expect(held.state(12)).toBe('missing');
  expect(held.state(top - 1)).toBe('stored');
  expect(held.readPage(top - 1).bytes).toBe(stored);
});

function dumpOf(image: MemoryImage): Dump {
  const nothing = { uts: undefined, time: undefined, vmcoreinfo: undefined, panic: undefined };
  const facts = { format: 'test', description: '', notes: [], cpus: [], level: undefined };
  return {
    ...image,
    ...nothing,
    ...facts,
    architecture: 'x86_64',
    incomplete: undefined,
    close: () => {},
  };
}
