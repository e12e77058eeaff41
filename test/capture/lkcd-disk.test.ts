/**
 * LKCD to a disk: what its releases were known to fail by, on panics of a real kernel and by single
 * faults, and that each succeeds without them.
 */

import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { swapMark } from '../../src/dump/diskdump/layout.ts';
import { openDump } from '../../src/dump/open.ts';
import { blueprintOf, type MachineOptions } from '../../src/machine/blueprint.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { openFile, openFixture } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { Bench, footprints, openPanic } from '../support/machines.ts';
import { concluded, ended, expectResumable, recordPfns, world } from './runs.ts';

const benches = new Map<string, Promise<Bench>>();

function benchOf(image: string): Promise<Bench> {
  const made = benches.get(image) ?? openPanic(image).then((dump) => new Bench(dump));
  benches.set(image, made);
  return made;
}

async function run(image: string, method: string, ...faults: string[]): Promise<CaptureReport> {
  return (await benchOf(image)).run({ method, level: 30 }, faults);
}

const releases = ['lkcd-disk:2003', 'lkcd-disk:2004', 'lkcd-disk:2005'];

describe.each(releases)('%s', (method) => {
  test('a sound machine: complete, stage by stage', async () => {
    const report = await run('null-process', method);
    expect(report.verdict).toMatchObject({ class: 'complete' });
    expect(Object.values(report.verdict.answers!)).toEqual(Array(4).fill('equal'));
    expect(report.stages.map(({ name }) => name)).toEqual([
      ...['configuration', 'dump lock', 'other CPUs', 'dump device', 'interrupts', 'header'],
      ...['kernel pages', 'end', 'reboot'],
    ]);
  });

  test.each([
    ['lock-held:name=queue', 'dump device: request_queue.queue_lock: EBUSY'],
    ['lock-held:name=hctx', 'dump device: blk_mq_hw_ctx.lock: EBUSY'],
    ['queue-stuck:how=tags', 'blk_mq_hw_ctx.tags: no tag is free|EBUSY: its queue is not empty'],
    ['queue-stuck:how=frozen', 'header: request_queue: its queue is frozen'],
    ['queue-stuck:how=quiesced', 'header: blk_mq_hw_ctx: the hardware queue is quiesced'],
    ['cpu-deaf', String.raw`other CPUs: CPU \d+: .* waits for it without a limit`],
    ['cpu-dead', String.raw`other CPUs: CPU \d+: .* waits for it without a limit`],
    ['disk-hung:until=reset', 'header: disk: the disk does not complete a command'],
    ['memory:by=dma,at=submit_bio_noacct,bytes=128', 'submit_bio_noacct.* a dump in progress'],
    ['memory:by=dma,region=dump-code,writes=8,bytes=256', 'lkcd dump_'],
  ])('%s ends it: no dump, and it says by what', async (fault, named) => {
    const report = await run('null-process', method, fault);
    expect(report.faults[0]?.effect).toBe('done');
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(new RegExp(named));
  });

  test('a real panic with the lock of a hardware queue held: EBUSY', async () => {
    expect(ended(await run('panic-spinlock', method))).toMatch(
      /^dump device: blk_mq_hw_ctx.lock: EBUSY/,
    );
  });

  test('a CPU that hangs in it is ended by a watchdog', async () => {
    const report = await run('null-process', method, 'cpu-deaf', 'watchdog:seconds=20');
    expect(report.failed).toMatchObject({ name: 'other CPUs', kind: 'reset' });
  });

  test('a device too small: what is there is partial', async () => {
    const report = await run('null-process', method, 'disk-too-small:percent=20');
    expect(report.verdict.class).toBe('partial');
    expect(ended(report)).toMatch(/dump device: ENOSPC/);
  });
});

describe('what tells the releases apart', () => {
  test.each([
    ['null-disk-busy', 8],
    ['irq-entry', 1],
    ['reclaim', 2],
  ])('%s: requests in flight are EBUSY in 2003, and a warning since', async (image, requests) => {
    const old = await run(image, 'lkcd-disk:2003');
    expect(old.verdict.class).toBe('none');
    expect(ended(old)).toContain(`EBUSY: its queue is not empty: ${requests} request`);
    for (const method of releases.slice(1)) {
      const report = await run(image, method);
      expect(report.verdict.class).toBe('complete');
      expect(report.stages.flatMap(({ remarks }) => remarks).join()).toContain('not empty');
    }
  });

  test.each([
    ['interrupt-lost:line=disk', /interrupt: the disk's interrupt does not arrive/],
    ['interrupt-stuck:how=in-progress', /irq_desc of interrupt \d+: .* in progress/],
    ['interrupt-stuck:how=masked', /irq_desc of interrupt \d+: .* is masked/],
    ['interrupt-storm:line=disk', /interrupt: the disk's interrupt is shut off/],
  ])('%s: 2003 and 2004 wait for ever, 2005 polls', async (fault, named) => {
    for (const method of releases.slice(0, 2)) {
      const report = await run('null-process', method, fault);
      expect(ended(report)).toMatch(named);
      expect(report.failed?.kind).toBe('hang');
      expect(report.verdict.class).not.toBe('complete');
    }
    expect((await run('null-process', 'lkcd-disk:2005', fault)).verdict.class).toBe('complete');
  });

  test('interrupts of another device do not matter to any', async () => {
    for (const method of releases) {
      const report = await run('null-process', method, 'interrupt-lost:line=nic');
      expect(report.verdict.class).toBe('complete');
    }
  });
});

test('a panic inside of the driver: its ring is locked, and spun on', async () => {
  const report = await run('scsi-dispatch', 'lkcd-disk');
  expect(ended(report)).toMatch(/virtio_scsi_vq.vq_lock is held, and spun on/);
});

test.each(['lkcd-disk', 'lkcd-mem'])(
  '%s on a mistyped device: a file system is lost',
  async (method) => {
    expect((await run('null-process', method)).verdict.class).toBe('complete');
    const report = await run('null-process', method, 'partition-mistyped');
    expect(report.verdict.class).toBe('destructive');
  },
);

test('on a swap area the mark of the swap area stays, and so does the dump', async () => {
  const options: Partial<MachineOptions> = { dumpPartitionHolds: 'swap' };
  const blueprint = blueprintOf(await openPanic('null-process'), { ...world, ...options });
  const run = new PreparedCapture(blueprint, { method: 'lkcd-disk', level: 30 }).begin();
  run.finish(world);
  const { disk } = run.machine;
  const { start } = disk.partition('dump');
  const mark = new TextDecoder().decode(disk.peek(start + swapMark.offset, swapMark.text.length));
  expect(mark).toBe(swapMark.text);
  expect((await concluded(run)).report.verdict.class).toBe('complete');
});

test('a CPU in the kernel is let go and runs on; an idle one comes to schedule() at once', async () => {
  const remarks = async (image: string): Promise<string> =>
    (await run(image, 'lkcd-disk')).stages.flatMap((stage) => stage.remarks).join();
  expect(await remarks('bug')).toContain('CPU 0 is in the kernel and runs on');
  expect(await remarks('null-process')).not.toContain('runs on');
});

test('what a CPU in the kernel writes while the dump is made differs in it', async () => {
  const writer = 'busy-writer:cpu=0,pages=2000,for=200';
  const all = async (image: string): Promise<CaptureReport> =>
    (await benchOf(image)).run({ method: 'lkcd-disk', level: 0 }, [writer]);
  expect((await all('bug')).verdict).toMatchObject({ class: 'inaccurate' });
  expect((await all('null-process')).verdict).toMatchObject({ class: 'complete' });
});

const options: MachineOptions = { sha256: world.sha256, footprints };
const dump = await openPanic('null-process');
const blueprint = blueprintOf(dump, options);
const choice = { method: 'lkcd-disk', level: 0, compression: 'none' } as const;
const prepared = new PreparedCapture(blueprint, choice);

test('on the device: 64 KB for a swap header, then the file, kernel pages first', async () => {
  const run = prepared.begin();
  run.finish(world);
  const { start } = run.machine.disk.partition('dump');
  expect(Math.min(...run.machine.disk.writes.map(([first]) => first))).toBe(start + 64 * 1024);
  const { bytes } = await concluded(run);
  const file = await openDump(memorySource('dump', bytes), world);
  expect(file).toMatchObject({ format: 'lkcd', incomplete: undefined });
  const pfns = recordPfns(bytes);
  const counts = run.stages.slice(6, 9).map(({ pages = 0 }) => pages);
  expect(pfns).toHaveLength(counts.reduce((sum, count) => sum + count, 0));
  let first = 0;
  for (const count of counts) {
    const pass = pfns.slice(first, first + count);
    expect(pass).toEqual([...pass].sort((a, b) => a - b));
    first += count;
  }
});

test('saved and resumed between all its stages, it is the same run and the same file', () => {
  expectResumable(prepared, blueprint);
});

describe('the resident part', () => {
  const struck = (strike: (machine: Machine, config: bigint) => void) => {
    const run = prepared.begin();
    const { resident } = run.save().state as { resident: { config: bigint } };
    strike(run.machine, resident.config);
    run.finish(world);
    return run.stages.at(-1)!;
  };
  const word = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);

  test('not configured any more: refused by name', () => {
    const last = struck((machine, config) => machine.poke(config, word(0n)));
    expect(last).toMatchObject({ name: 'configuration', kind: 'refused', object: 'dump_config' });
  });

  test('its lock is held: a dump is in progress already', () => {
    const last = struck((machine, config) => machine.poke(config + 8n, word(1n)));
    expect(last).toMatchObject({ name: 'dump lock', kind: 'refused', object: 'dump_lock' });
  });

  test('its device is a wild pointer: a fault, and the nested panic goes nowhere', () => {
    const last = struck((machine, config) => machine.poke(config + 16n, word(0xdead_beefn)));
    expect(last).toMatchObject({ name: 'dump device', kind: 'nested fault' });
    expect(last.cause).toMatch(/a dump in progress and panic\(\) loops/);
  });
});

const real = findImage('kdump-real.vmcore');

describe.skipIf(real === undefined)('another machine: more RAM, disks of virtio_blk', () => {
  test('complete, and the same mechanisms, by the interrupt of that driver', async () => {
    const other = new Bench(await openFile(real!));
    const on = (method: string, ...faults: string[]): Promise<CaptureReport> =>
      other.run({ method, level: 30 }, faults);
    expect((await on('lkcd-disk')).verdict.class).toBe('complete');
    expect((await on('lkcd-disk:2004')).verdict.class).toBe('complete');
    expect(ended(await on('lkcd-disk:2004', 'interrupt-stuck'))).toMatch(/irq_desc of interrupt/);
    expect(ended(await on('lkcd-disk', 'queue-stuck'))).toMatch(/no tag is free/);
    expect(ended(await on('lkcd-disk', 'lock-held:name=hctx'))).toMatch(/EBUSY: blk_mq_hw_ctx/);
  });
});

test('a machine without a disk is refused when LKCD is set up', async () => {
  const other = blueprintOf(await openFixture(), options);
  expect(() => new PreparedCapture(other, { method: 'lkcd-disk' })).toThrow(/has no disk/);
});

test.each([1, 31])('level %i is none of its levels', (unknown) => {
  const wrong = { method: 'lkcd-disk', level: unknown };
  expect(() => new PreparedCapture(blueprint, wrong)).toThrow(/levels that it knows|cannot leave/);
});
