/** diskdump: what it checks, in which order, and what it does about what it does not like. */

import { beforeAll, describe, expect, test } from 'vitest';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { saveDiskdump } from '../../src/capture/diskdump/save.ts';
import type { DiskdumpState } from '../../src/capture/diskdump/state.ts';
import { isFormatted } from '../../src/dump/diskdump/layout.ts';
import { openDump } from '../../src/dump/open.ts';
import type { MachineOptions } from '../../src/machine/blueprint.ts';
import { hardwareProfile } from '../../src/machine/hardware.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { finish, type Prepared, prepared } from '../machine/stages.ts';
import { capture, flip, flipPhysical, u32, u64, world } from '../machine/support.ts';
import { Bench, openPanic } from '../support/machines.ts';

const twoDisks = { hardware: hardwareProfile('two-disks') };

function stateOf({ state }: Prepared): DiskdumpState {
  return state as DiskdumpState;
}

/** As on a machine without a network card: nothing is left to fall back on. */
function alone(options: Partial<MachineOptions> = {}): Prepared {
  const run = prepared('diskdump', options);
  const state = { ...stateOf(run), netdump: { ...stateOf(run).netdump, loaded: undefined } };
  return { ...run, state };
}

/** Physical address of what was loaded: the modules' pages, then what leads to them. */
function places(run: Prepared) {
  const { code, structures } = stateOf(run).resident;
  const [diskdump, scsiDump] = code.map(({ start }) => start);
  const [data, list] = structures.map(({ start }) => start);
  return { diskdump: diskdump!, scsiDump: scsiDump!, data: data!, list: list! };
}

describe('its own code', () => {
  test('what runs before the checksum and is damaged is a wild jump', () => {
    const run = prepared('diskdump');
    flipPhysical(run.machine, places(run).diskdump + 100);
    expect(finish(run).last).toMatchObject({ name: 'panic entry', kind: 'wild jump' });
  });

  test.each([
    ['code that runs later', 600],
    ['a constant', 3000],
  ])('%s: the checksum finds the damage before it does any', (_, offset) => {
    const run = prepared('diskdump');
    flipPhysical(run.machine, places(run).diskdump + offset);
    const { last } = finish(run);
    expect(last).toMatchObject({ name: 'checksum', kind: 'refused', object: 'module diskdump' });
    expect(last).toMatchObject({ cause: expect.stringMatching(/compromised; reboots after 10 s/) });
    expect(run.machine.disk.writes).toEqual([]);
  });

  test('damage in scsi_dump rejects its disks', () => {
    const run = alone(twoDisks);
    flipPhysical(run.machine, places(run).scsiDump + 300);
    const { last } = finish(run);
    expect(last).toMatchObject({
      name: 'sanity check',
      cause: expect.stringMatching(/^sdb1: checksum error.*no netdump is configured/),
      remarks: [expect.stringMatching(/^sda1: checksum error/)],
    });
  });

  test('a second dump finds the mutex taken: EIO', () => {
    const run = prepared('diskdump');
    run.machine.memory.write(BigInt(places(run).data), u32(0));
    expect(finish(run).last).toMatchObject({
      name: 'panic entry',
      object: 'diskdump mutex',
      cause: expect.stringContaining('EIO'),
    });
  });

  test('a fault while it dumps is a panic that it refuses, and the machine reboots', () => {
    const run = prepared('diskdump');
    const child = BigInt(run.machine.kernel.types.offsetOf('struct resource', 'child'));
    const root = run.machine.kernel.symbol('iomem_resource').address;
    run.machine.poke(root + child, u64(0x1234_5678_9abc_def0n));
    const { last, seconds } = finish(run);
    expect(last).toMatchObject({ name: 'pages to dump', kind: 'nested fault' });
    expect(last).toMatchObject({ cause: expect.stringContaining('is refused (EIO) and reboots') });
    expect(seconds).toBeGreaterThan(13);
  });
});

describe('the other CPUs', () => {
  const others = ({ machine }: Prepared) =>
    machine.cpus.filter(({ number }) => number !== machine.panic.cpu);

  test('are frozen by a call, and one that takes none is named and goes on', () => {
    const sound = prepared('diskdump');
    expect(finish(sound).last.result).toBe('ok');
    expect(others(sound).map(({ state }) => state)).toEqual(others(sound).map(() => 'frozen'));
    const run = prepared('diskdump');
    const [deaf] = others(run);
    deaf!.condition.takesIpi = false;
    const { stages, last } = finish(run);
    expect(last).toMatchObject({ name: 'reboot', result: 'ok' });
    const remarks = stages.find(({ name }) => name.startsWith('freeze'))?.remarks;
    expect(remarks).toEqual([expect.stringMatching(/^CPU \d+ did not take the call/)]);
    expect(deaf!.isStopped).toBe(false);
  });

  test('that spin with interrupts off hear no call, although an NMI would reach them', () => {
    const run = prepared('diskdump');
    const [spinning] = others(run);
    spinning!.state = 'spinning';
    const { stages } = finish(run);
    expect(stages.flatMap(({ remarks }) => remarks ?? []).join()).toMatch(/did not take the call/);
    expect(run.machine.sendNmi(spinning!)).toBe(true);
  });
});

describe('the list of partitions', () => {
  test('with another device in it: what it would call is anything', () => {
    const run = prepared('diskdump');
    run.machine.memory.write(BigInt(places(run).list), u64(0xffff_ffff_8100_0000n));
    expect(finish(run).last).toMatchObject({
      kind: 'wild jump',
      object: 'list of dump partitions',
    });
  });

  test('a device that went offline is rejected', () => {
    const run = alone();
    const { device, scsi } = stateOf(run).registered[0]!;
    run.machine.poke(device + BigInt(scsi.state), u32(6));
    expect(finish(run).last).toMatchObject({
      name: 'sanity check',
      cause: expect.stringContaining('sda1: the device is offline'),
    });
  });

  test('the lock of the adapter decides, and nothing else of the host does', () => {
    const held = (offset: bigint) => {
      const run = alone();
      const { device, scsi } = stateOf(run).registered[0]!;
      const { virtual } = run.machine;
      const host = virtual.u64(device + BigInt(scsi.host));
      flip(run.machine, virtual.u64(host + BigInt(scsi.hostLock)) + offset);
      return finish(run).last;
    };
    expect(held(0n)).toMatchObject({ cause: expect.stringContaining('host_lock is held') });
    expect(held(16n)).toMatchObject({ name: 'reboot', result: 'ok' });
  });
});

describe('partitions', () => {
  test.each([
    ['diskdump 1.0', 'ok'],
    ['swap', 'ok'],
    ['file system', 'failed'],
    ['diskdump 2004-05', 'failed'],
  ] as const)('one that holds %s: %s', (holds, result) => {
    const run = alone({ dumpPartitionHolds: holds });
    const { last } = finish(run);
    expect(last.result).toBe(result);
    if (result === 'failed') expect(last.name).toBe('partition signatures');
    expect(run.machine.disk.writes.length > 0).toBe(result === 'ok');
  });

  test('block 0 is never written to, and savecore formats the rest again', () => {
    const run = prepared('diskdump');
    finish(run);
    const { machine } = run;
    const { start } = machine.disk.partition('dump');
    expect(machine.disk.writes.every(([from]) => from >= start + 4096)).toBe(true);
    machine.settleDisks();
    const options = { level: 31, compression: 'none', generation: 'rhel4' } as const;
    expect(saveDiskdump(machine, new MemorySink(), options, world)).toMatchObject({ remarks: [] });
    expect(isFormatted(machine.disk.peek(start + 4096, 4096), 1)).toBe(true);
    expect(saveDiskdump(machine, new MemorySink(), options, world)).toBeUndefined();
  });

  test('a page that the page tables do not lead to is a text in the dump', async () => {
    const sound = prepared('diskdump');
    finish(sound);
    const stored = new Bitmap(stateOf(sound).selected!.stored);
    const run = prepared('diskdump');
    const { machine } = run;
    const largeOf = (pfn: number): number => Math.floor(pfn / 512);
    const own = new Set(
      Object.values(places(run)).map((physical) => largeOf(Math.floor(physical / 4096))),
    );
    const pfn = [...stored.runs(0, stored.length)]
      .map(({ end }) => end - 1)
      .findLast((last) => !own.has(largeOf(last)))!;
    const mapping = machine.virtual.translate(machine.kernel.toVirtual(BigInt(pfn) * 4096n));
    machine.memory.write(mapping.entryAddress, u64(0n));
    expect(finish(run).last.result).toBe('ok');
    machine.settleDisks();
    const sink = new MemorySink();
    const options = { level: 31, compression: 'none', generation: 'rhel4' } as const;
    saveDiskdump(machine, sink, options, world);
    const dump = await openDump(memorySource('dump', sink.bytes()), world);
    const text = new TextDecoder('latin1').decode(dump.readPage(pfn).bytes!.subarray(0, 64));
    expect(text).toMatch(new RegExp(`^Unable to dump page: PFN ${pfn.toString(16)}\0`));
  });
});

describe('on the machine that comes with tsdump', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = new Bench(await openPanic('null-process'));
  });
  const run = (faults: string[] = [], changes: object = {}): Promise<CaptureReport> =>
    bench.run({ method: 'diskdump', ...changes }, faults);
  const stageOf = ({ stages }: CaptureReport, name: string) =>
    stages.find((stage) => stage.name === name)!;

  test.each([
    ['diskdump', 0, 'none', 'diskdump'],
    ['diskdump', 31, 'zlib', 'diskdump'],
    ['diskdump:1.0', 0, 'none', 'elf'],
    ['diskdump:2004-05', 0, 'none', 'elf'],
  ] as const)('%s at level %i, %s: complete, in %s', async (method, level, compression, format) => {
    const report = await run([], { method, level, compression });
    expect(report.verdict.reasons).toEqual(['every page due is there and equal']);
    expect(Object.values(report.verdict.answers!)).toEqual(Array(4).fill('equal'));
    expect(report.format).toBe(format);
  });

  test.each(['diskdump:1.0', 'diskdump:2004-05'])(
    '%s filters and packs nothing',
    async (method) => {
      await expect(run([], { method, level: 1 })).rejects.toThrow(/cannot leave out/);
      await expect(run([], { method, level: 0, compression: 'zlib' })).rejects.toThrow(
        /does not compress/,
      );
    },
  );

  test('the first release reads its whole partition, the later one samples', async () => {
    const time = async (method: string) => {
      const report = await run([], { method, level: 0 });
      const { startNs, endNs } = stageOf(report, 'partition signatures');
      return endNs - startNs;
    };
    expect(await time('diskdump:2004-05')).toBeGreaterThan(100 * (await time('diskdump')));
  });

  test('a driver without hooks: registration is refused, and says why', async () => {
    const report = await run(['driver-without-dump-hooks', 'server-down']);
    expect(report.verdict.class).toBe('none');
    expect(stageOf(report, 'sanity check').remarks.join()).toMatch(
      /virtio_scsi has no dump hooks: no partition could be registered; netdump is what is left/,
    );
  });

  test('a mistyped partition: its signatures save the file system, mkdump destroys it', async () => {
    const report = await run(['partition-mistyped', 'server-down']);
    expect([report.verdict.class, report.disk.bytes]).toEqual(['none', 0]);
    expect(stageOf(report, 'partition signatures').remarks.join()).toMatch(/block 0 has no/);
    const other = await run(['partition-mistyped'], { method: 'mkdump' });
    expect(other.verdict.class).toBe('destructive');
  });

  test('the power fails: a partial dump, more of it the later, all of it after the sync', async () => {
    const { endNs } = stageOf(await run(), 'end');
    const writing = stageOf(await run(), 'pages');
    const at = (ns: number) => run([`power-loss:at=${Math.floor(ns / 1e6)}`]);
    const pages = async (ns: number) => (await at(ns)).verdict.pages?.equal ?? 0;
    const late = await at(writing.endNs);
    expect(late.verdict.class).toBe('partial');
    expect(late.verdict.reasons[0]).toMatch(/incomplete/);
    expect(await pages(writing.endNs - 100e6)).toBeLessThan(late.verdict.pages!.equal);
    expect((await at(writing.startNs)).verdict.class).toBe('none');
    expect((await at(endNs + 2e6)).verdict.class).toBe('complete');
  });

  test('a partition too small: what fits, and the header says so', async () => {
    const report = await run(['disk-too-small:percent=20']);
    expect(report.verdict.class).toBe('partial');
    expect(stageOf(report, 'pages').remarks).toEqual([
      expect.stringMatching(/^sda1 is full after/),
    ]);
    expect(report.saved?.remarks.join()).toMatch(/partition was too small/);
  });

  test('memory errors in the block layer do not touch it, in its driver they do', async () => {
    const block = await run(['memory:by=dma,at=submit_bio_noacct,bytes=128']);
    expect(block.verdict.class).toBe('complete');
    const driver = await run(['memory:by=dma,at=virtscsi_queuecommand,bytes=16']);
    expect(driver.failed).toMatchObject({ kind: 'wild jump' });
    expect(driver.failed?.object).toMatch(/^virtscsi_queuecommand/);
  });
});

describe('a held lock of the adapter', () => {
  test.each([
    ['panic-host-lock', 'host_lock is held'],
    ['scsi-dispatch', 'vq_lock is held'],
  ])('%s: one disk is rejected, a second one takes the dump, or netdump', async (image, why) => {
    const dump = await openPanic(image);
    const one = new Bench(dump);
    const alone = await one.run({ method: 'diskdump' }, ['server-down']);
    expect(alone.verdict.class).toBe('none');
    expect(alone.failed).toMatchObject({ name: 'netdump', kind: 'hang' });
    const sent = await one.run({ method: 'diskdump' });
    expect(sent.verdict.class).toBe('complete');
    expect(sent.saved?.remarks).toEqual(['by netdump: ELF']);
    expect(sent.stages.find(({ name }) => name === 'sanity check')?.remarks).toEqual([
      expect.stringMatching(new RegExp(`^sda1: .*${why}; netdump is what is left$`)),
    ]);
    const both = await new Bench(dump, twoDisks).run({ method: 'diskdump' });
    expect(both.verdict.class).toBe('complete');
    expect(both.stages.find(({ name }) => name === 'sanity check')).toMatchObject({
      retries: 1,
      remarks: [expect.stringMatching(new RegExp(`^sda1: .*${why}$`))],
    });
  });
});

describe('two partitions of one disk', () => {
  const twoPartitions = { hardware: hardwareProfile('two-partitions') };
  const report = async (method: string, ...faults: string[]) =>
    new Bench(await openPanic('null-process'), twoPartitions).run({ method, level: 0 }, faults);
  const remarks = ({ stages }: CaptureReport) => stages.flatMap((stage) => stage.remarks);

  test('one that is not formatted is left alone, the next one takes the dump', async () => {
    const mistyped = await report('diskdump', 'partition-mistyped');
    expect(mistyped.verdict.class).toBe('complete');
    expect(remarks(mistyped).join()).toMatch(/^sda1: block 0 has no diskdump signature/);
    expect(mistyped.saved?.remarks).toEqual([]);
    const sound = await report('diskdump');
    const resets = (one: CaptureReport) =>
      one.stages.reduce((sum, { startNs, endNs }) => sum + Math.floor((endNs - startNs) / 5e9), 0);
    // Their adapter is reset once.
    expect(resets(mistyped)).toBe(resets(sound));
  });

  test('in 2004 the last one is chosen, and with it netdump or nothing', async () => {
    expect(remarks(await report('diskdump:1.0', 'partition-mistyped')).join()).not.toMatch(/sda1/);
    const run = prepared('diskdump', twoPartitions);
    expect(stateOf(run).registered.map(({ name }) => name)).toEqual(['sda1', 'sda3']);
    expect(new Set(stateOf(run).registered.map(({ device }) => device)).size).toBe(1);
  });

  test('a disk that does not come back from its reset is lost with all of them', async () => {
    const hung = await report('diskdump', 'disk-hung:until=never');
    expect(remarks(hung).join()).toMatch(/sda1: .*reset.*sda3: .*reset.*netdump is what is left/);
    expect(hung.saved?.remarks).toEqual(['by netdump: ELF']);
  });
});

describe('the releases of 2004', () => {
  const early = async (generation: string, image: string, ...faults: string[]) =>
    new Bench(await openPanic(image)).run({ method: `diskdump:${generation}`, level: 0 }, faults);

  test('choose a partition once: what goes wrong after that is for netdump, not for the next', async () => {
    const request = { dump: await openPanic('null-process'), level: 0 };
    const hang = (disk: number) => (machine: Machine) => {
      machine.disks[disk]!.condition.hung = 'for good';
    };
    const machine = { ...world, ...twoDisks };
    const remarksOf = async (method: string, disk: number) => {
      const { report } = await capture({ ...request, method, machine, strike: hang(disk) });
      expect(report.verdict.class).toBe('complete');
      return report.stages.flatMap(({ remarks }) => remarks).join();
    };
    // The disk that was registered last comes first.
    expect(await remarksOf('diskdump:1.0', 1)).toMatch(/^sdb1: .*reset; netdump is what is left/);
    expect(await remarksOf('diskdump:1.0', 0)).not.toMatch(/netdump is what/);
    expect(await remarksOf('diskdump', 0)).toMatch(/^sda1: [^;]*reset,/);
  });

  test('have never heard of swap areas', async () => {
    const dump = await openPanic('null-process');
    const machine = { ...world, dumpPartitionHolds: 'swap' } as const;
    const { report } = await capture({ dump, method: 'diskdump:1.0', level: 0, machine });
    expect(report.stages.flatMap(({ remarks }) => remarks).join()).toMatch(/block 0 has no/);
    expect(report.disk.bytes).toBe(0);
  });

  test('allow_risky_dumps: the first dares a host whose own lock is held, and its reset waits for it', async () => {
    const first = await early('2004-05', 'panic-host-lock');
    expect(first.failed).toMatchObject({ name: 'adapter reset', kind: 'hang', object: 'sda1' });
    expect(first.failed?.cause).toMatch(/host_lock is held: the reset of the adapter waits/);
    expect(first.stages.flatMap(({ remarks }) => remarks)).toContain(
      'sda1: host_lock is held, a risk that is taken',
    );
    expect(first.verdict.class).toBe('none');
    const later = await early('1.0', 'panic-host-lock');
    expect(later.verdict.class).toBe('complete');
    expect(later.saved?.remarks).toEqual(['by netdump: ELF']);
  });

  test('a lock of the driver is no risk to any of them', async () => {
    const report = await early('2004-05', 'scsi-dispatch');
    expect(report.saved?.remarks).toEqual(['by netdump: ELF']);
  });

  test('a sound disk is preferred to a risk', async () => {
    const dump = await openPanic('panic-host-lock');
    const bench = new Bench(dump, twoDisks);
    const report = await bench.run({ method: 'diskdump:2004-05', level: 0 });
    expect(report.verdict.class).toBe('complete');
    expect(report.stages.flatMap(({ remarks }) => remarks).join()).not.toMatch(/risk/);
  });
});

describe('a disk that hangs', () => {
  const hung = async (
    until: string,
    hardware: string,
    ...more: string[]
  ): Promise<CaptureReport> => {
    const options = { hardware: hardwareProfile(hardware) };
    const bench = new Bench(await openPanic('null-disk-busy'), options);
    return bench.run({ method: 'diskdump' }, [`disk-hung:until=${until}`, ...more]);
  };

  test('until a reset: the adapter reset brings it back', async () => {
    expect((await hung('reset', 'virtio-scsi')).verdict.class).toBe('complete');
  });

  test('for good: it goes to the next partition, and without one it ends', async () => {
    const alone = await hung('never', 'virtio-scsi', 'server-down');
    expect(alone.verdict.class).toBe('none');
    expect(alone.stages.flatMap(({ remarks }) => remarks).join()).toMatch(
      /did not come back from its reset; netdump is what is left/,
    );
    expect((await hung('never', 'two-disks')).verdict.class).toBe('complete');
  });
});
