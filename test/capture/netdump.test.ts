/** netdump: what each stage needs, what it falls back on, and what the server makes of it. */

import { beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openDump } from '../../src/dump/open.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { deviceFlags, firstDevice } from '../../src/linux/net-device.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { CaptureRun } from '../../src/trial/run.ts';
import { capture, flip, startRun, world } from '../machine/support.ts';
import { openFixture, withPages } from '../support/fixture.ts';
import { Bench, footprints, openPanic } from '../support/machines.ts';

const choice = { method: 'netdump', level: 0 } as const;

let bench: Bench;
const run = (...faults: string[]): Promise<CaptureReport> => bench.run(choice, faults);

beforeAll(async () => {
  bench = new Bench(await openPanic('null-process'));
});

function ended({ failed }: CaptureReport): string {
  return failed === undefined ? 'at its end' : `${failed.name}: ${failed.object}: ${failed.cause}`;
}

const stage = (report: CaptureReport, name: string) =>
  report.stages.find((candidate) => candidate.name === name)!;

describe('on a sound machine', () => {
  test('complete, and what it changed of memory is its stack and the locks of the card', async () => {
    const report = await run();
    expect(report.verdict.class).toBe('complete');
    expect(stage(report, 'memory').pages).toBe(report.verdict.pages?.due);
    expect(new Set(report.ownWrites.map(({ what }) => what))).toEqual(
      new Set([
        "netdump's stack", 'transmit lock', 'owner of the transmit lock', 'owner of a poll context',
      ]),
    ); // biome-ignore format: one list
  });

  test('a card that is down was brought up when netdump was loaded, and the report says so', async () => {
    const { report } = await capture({ ...choice, dump: await openFixture() });
    expect(report.verdict.class).toBe('complete');
    expect(report.setup.map(({ what }) => what)).toContain('eth0 is brought up');
  });

  test('the file is an ELF vmcore with the task, its registers, and VMCOREINFO', async () => {
    const { bytes, run: done } = await capture({
      ...choice,
      dump: await openPanic('null-process'),
    });
    const dump = await openDump(memorySource('vmcore', bytes), world);
    expect(dump.description).toContain('netdump');
    expect(dump.vmcoreinfo).toContain('OSRELEASE=');
    expect(dump.incomplete).toBeUndefined();
    expect(addressOf(panicTask(openKernel(dump))!.task)).toBe(done.machine.panic.task);
  });
});

describe('the handshake', () => {
  test.each(['server-down', 'server-wrong-mac', 'nic-link-down'])(
    'with %s it is said without end, until the watchdog',
    async (fault) => {
      const hang = await run(fault);
      expect(hang.verdict.class).toBe('none');
      expect(ended(hang)).toMatch(/^handshake: server: no server answers/);
      expect(hang.failed?.kind).toBe('hang');
      const reset = await run(fault, 'watchdog:seconds=30');
      expect(reset.failed?.kind).toBe('reset');
      expect(reset.stages.at(-1)?.endNs).toBe(30e9);
    },
  );

  test('a server on another segment is reached: its address was configured', async () => {
    expect((await run('server-other-segment')).verdict.class).toBe('complete');
  });

  test('a transmit ring that is not emptied fills up, and netdump spins on it', async () => {
    const report = await run('nic-ring-stuck');
    expect(ended(report)).toMatch(/^handshake: eth0: the transmit ring of eth0 is full/);
  });
});

describe('what a stopped CPU holds', () => {
  test.each(['nic-transmit', 'nic-poll'])('%s is reset', async (name) => {
    const report = await run(`lock-held:name=${name}`);
    expect(report.faults[0]?.effect).toBe('done');
    expect(report.verdict.class).toBe('complete');
  });

  test('a CPU that takes no interrupt goes on writing, and is named', async () => {
    const report = await run('cpu-deaf');
    expect(stage(report, 'freeze of the other CPUs').remarks.join()).toMatch(
      /CPU 0 did not take the call/,
    );
    expect(report.verdict.class).toBe('inaccurate');
  });

  test('a CPU that spins takes no interrupt either, and writes nothing', async () => {
    const report = await run('cpu-spinning');
    expect(stage(report, 'freeze of the other CPUs').remarks.join()).toMatch(
      /CPU 0 did not take the call/,
    );
    expect(report.verdict.class).toBe('complete');
  });
});

describe('the way to the card', () => {
  test.each([
    ['ndo_start_xmit', 'start_xmit'],
    ['napi_struct.poll', 'virtnet_poll'],
  ])('damage in what %s leads to is a wild jump, and a reboot after 3 s', async (_, at) => {
    const report = await run(`memory:by=dma,at=${at},bytes=8`);
    expect(report.failed?.kind).toBe('wild jump');
    expect(ended(report)).toMatch(/^handshake: .*reboots after 3 s/);
    const { startNs, endNs } = stage(report, 'handshake');
    expect(endNs - startNs).toBeGreaterThan(3e9);
    expect(endNs - startNs).toBeLessThan(3.1e9);
  });

  test('damage in its own code is not noticed before it is executed', async () => {
    const report = await run('memory:by=dma,region=dump-code,writes=8,bytes=256');
    expect(report.failed?.kind).toBe('wild jump');
  });

  test('the block layer and the disk are not needed', async () => {
    const report = await run(
      'memory:by=dma,at=submit_bio_noacct,bytes=128',
      'disk-hung:until=never',
    );
    expect(report.verdict.class).toBe('complete');
  });

  test('a device that is not running sends nothing', async () => {
    const dump = await openPanic('null-process');
    const { report } = await capture({
      ...choice,
      dump,
      strike: (machine) => {
        const state = machine.kernel.types.offsetOf('struct net_device', 'state');
        machine.poke(cardOf(machine) + BigInt(state), new Uint8Array(8));
      },
    });
    expect(report.stages.at(-1)).toMatchObject({ name: 'handshake', kind: 'hang' });
  });
});

function cardOf({ kernel, virtual }: Machine): bigint {
  const card = firstDevice({ memory: virtual, types: kernel.types }, initNet(kernel));
  expect(card).toBeDefined();
  return card!;
}

const initNet = (kernel: Kernel): bigint => kernel.symbol('init_net').address;

describe('a network that is not perfect', () => {
  test.each([
    ['network-loss:permille=50', 1],
    ['network-duplicate:permille=50', 1],
    ['network-reorder:permille=50', 0],
    ['network-delay:ms=20', 0],
  ])('%s: complete, after as many requests as it takes', async (fault, retries) => {
    const report = await run(fault);
    expect(report.verdict.class).toBe('complete');
    expect(stage(report, 'memory').retries ?? 0).toBeGreaterThanOrEqual(retries);
  });

  test('a machine that is reset in between: what the server has by then says that it is not all', async () => {
    const report = await run('network-delay:ms=1', 'watchdog:seconds=5');
    expect(report.failed).toMatchObject({ name: 'memory', kind: 'reset' });
    expect(report.verdict.class).toBe('partial');
    const { equal, due, absent } = report.verdict.pages!;
    expect(equal).toBeGreaterThan(1000);
    expect(equal + absent).toBe(due);
  });

  test('one seed: one run, another seed: another', async () => {
    const faults = ['network-loss:permille=50', 'network-reorder:permille=100'];
    const ends = async (seed: number) =>
      (await bench.run(choice, faults, seed)).stages.at(-1)!.endNs;
    const first = await ends(7);
    expect(await ends(7)).toBe(first);
    expect(await ends(8)).not.toBe(first);
  });
});

describe('memory as it is by then', () => {
  test('pages that the direct map lost are errors, and the file stays incomplete', async () => {
    const { report } = await capture({
      ...choice,
      dump: await openPanic('null-process'),
      strike: (machine) => {
        // The crash kernel's region: nothing of netdump's own is there.
        const place = machine.kernel.toVirtual(64n * 1024n * 1024n);
        const { entryAddress } = machine.virtual.translate(place);
        machine.memory.write(entryAddress, new Uint8Array(8));
      },
    });
    expect(report.verdict.class).toBe('partial');
    expect(report.stages.find(({ name }) => name === 'memory')?.remarks.join()).toMatch(
      /pages? could not be read/,
    );
    expect(report.saved?.remarks.join()).toContain('vmcore-incomplete');
  });

  test('without an object for a request kmalloc() takes the lock of its lists, and spins on it', async () => {
    const { report } = await capture({
      ...choice,
      dump: await openPanic('null-process'),
      machine: { sha256, horizonSeconds: 120 },
      strike: exhaustSlab,
    });
    expect(report.stages.at(-1)).toMatchObject({ name: 'memory', kind: 'hang' });
    expect(report.verdict.class).toBe('none');
  });
});

/** No object on any list of the requests' slab cache, and its lock held. */
function exhaustSlab(machine: Machine): void {
  const { kernel, virtual, panic } = machine;
  const { types } = kernel;
  const at = (type: string, address: bigint, path: string): bigint =>
    address + BigInt(types.offsetOf(type, path));
  const cache = virtual.u64(kernel.symbol('kmalloc_caches').address + 6n * 8n);
  const offset = virtual.u64(at('struct kmem_cache', cache, 'cpu_slab'));
  const own = machine.cpu(panic.cpu).perCpu(offset, panic.cpu);
  for (const member of ['freelist', 'slab', 'partial']) {
    machine.poke(at('struct kmem_cache_cpu', own, member), new Uint8Array(8));
  }
  const node = virtual.u64(at('struct kmem_cache', cache, 'node'));
  machine.poke(at('struct kmem_cache_node', node, 'list_lock'), Uint8Array.of(1));
}

test('a machine without a network card: netdump is not loaded, and says so', async () => {
  const dump = await openPanic('null-process');
  const { kernel } = blueprintOf(dump, { sha256 });
  const card = firstDevice(kernel, initNet(kernel))!;
  const flags = BigInt(kernel.types.offsetOf('struct net_device', 'flags'));
  const at = Number(kernel.memory.translate(card + flags).physical);
  const without = withPages(dump, (pfn, bytes) => {
    if (pfn !== Math.floor(at / 4096)) return bytes;
    const changed = bytes.slice();
    changed[at % 4096]! |= deviceFlags.loopback;
    return changed;
  });
  const { report } = await capture({ ...choice, dump: without });
  expect(report.stages.at(-1)?.cause).toMatch(/no network card/);
});

test('saved and resumed between any two stages, it ends as in one go', async () => {
  const dump = await openPanic('null-process');
  const machine = { sha256, footprints };
  const whole = await capture({ ...choice, dump, machine });
  const count = whole.report.stages.length;
  for (let cut = 1; cut < count; cut++) {
    const first = startRun({ ...choice, dump, machine });
    for (let index = 0; index < cut; index++) first.step(world);
    const resumed = CaptureRun.resume({ dump, machine }, structuredClone(first.save()));
    resumed.finish(world);
    expect(resumed.stages, `after ${cut}`).toEqual(whole.report.stages);
  }
});

test('a bit that no stage reads changes neither the stages nor the verdict', async () => {
  const dump = await openPanic('null-process');
  const sound = await capture({ ...choice, dump });
  const struck = await capture({
    ...choice,
    dump,
    strike: (machine) => flip(machine, machine.kernel.symbol('submit_bio_noacct').address),
  });
  expect(struck.report.stages).toEqual(sound.report.stages);
  expect(struck.report.verdict.class).toBe('complete');
});
