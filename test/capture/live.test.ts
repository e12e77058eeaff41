/** Dumps that need no panic: of a machine that runs on, and from outside of it. */

import { beforeAll, describe, expect, test } from 'vitest';
import { CopyQueue } from '../../src/capture/live/copy-queue.ts';
import { virtioScsi } from '../../src/machine/hardware.ts';
import { MachineMemory } from '../../src/machine/memory.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { Bench, openPanic } from '../support/machines.ts';

let bench: Bench;
beforeAll(async () => {
  bench = new Bench(await openPanic('null-process'));
});

const live = (faults: readonly string[], seed = 1): Promise<CaptureReport> =>
  bench.run({ method: 'live', level: 0 }, faults, seed);

describe('live', () => {
  test('is of one instant although all CPUs write on; a plain copy tears', async () => {
    const report = await live(['busy-writer:pages=500']);
    expect(report.verdict).toMatchObject({ class: 'complete', pages: { different: 0 } });
    const naive = await bench.run({ method: 'live-naive', level: 0 }, ['busy-writer:pages=500'], 1);
    expect(naive.verdict.class).toBe('inaccurate');
    expect(naive.verdict.pages!.different).toBeGreaterThan(100);
  });

  test('ends where more is written than its queue holds, and leaves no file', async () => {
    const report = await live(['busy-writer:pages=8000,for=100']);
    expect(report.failed).toMatchObject({ kind: 'refused', object: 'copy queue' });
    expect(report.verdict.class).toBe('none');
    expect((await live(['busy-writer:pages=900,for=100'])).verdict.class).toBe('complete');
  });

  test('is of one instant although protecting every page takes longer than a tick', async () => {
    const cpu = {
      ...virtioScsi.cpu,
      filterPagesPerSecond: virtioScsi.cpu.filterPagesPerSecond / 100,
    };
    const slow = new Bench(await openPanic('null-process'), { hardware: { ...virtioScsi, cpu } });
    expect((await slow.run({ method: 'live', level: 31 })).verdict.reasons).toEqual([
      'every page due is there and equal',
    ]);
  });

  test('hangs where a CPU does not come to be stopped, whatever the reason', async () => {
    for (const fault of ['cpu-deaf', 'cpu-dead', 'cpu-spinning']) {
      const { failed } = await live([fault]);
      expect(failed, fault).toMatchObject({ name: 'stop_machine', kind: 'hang', object: 'CPU 0' });
    }
  });

  test('does not see what a device writes: that goes past the page tables', async () => {
    const { verdict } = await live(['dma-goes-on:every=10,bytes=64']);
    expect(verdict.class).toBe('inaccurate');
  });

  test('needs the interrupt of its disk: it is the running kernel that writes', async () => {
    const { failed } = await live(['interrupt-lost:line=disk']);
    expect(failed).toMatchObject({ kind: 'hang', object: 'disk' });
  });
});

describe('the copy queue', () => {
  const page = (value: number): Uint8Array => new Uint8Array(4096).fill(value);
  const pages = Array.from({ length: 8 }, (_, pfn) => page(pfn));
  const image = {
    name: 'eight pages',
    pageSize: 4096,
    endPfn: 8,
    state: () => 'stored' as const,
    readPage: (pfn: number) => ({ state: 'stored' as const, bytes: pages[pfn] }),
    runs: () => [{ first: 0, end: 8, state: 'stored' as const }],
  };
  const first = (found: ReturnType<CopyQueue['take']>): number | undefined => found?.bytes?.[0];

  test('keeps what a page held before the first of many writes, and none behind the sweep', () => {
    const memory = new MachineMemory(image, 8);
    const queue = new CopyQueue(memory, 4);
    for (const value of [90, 91]) memory.write(4096n * 3n + 5n, Uint8Array.of(value));
    expect(first(queue.take(3))).toBe(3);
    memory.write(4096n * 3n, Uint8Array.of(92));
    expect(queue.take(4)).toBeUndefined();
    expect([queue.highest, queue.isFull]).toEqual([1, false]);
  });

  test('a device may write first: a CPU after it still faults, too late', () => {
    const memory = new MachineMemory(image, 8);
    const queue = new CopyQueue(memory, 4);
    memory.write(4096n * 5n, Uint8Array.of(77), 'device');
    expect(queue.highest).toBe(0);
    memory.write(4096n * 5n + 1n, Uint8Array.of(78));
    expect(first(queue.take(5))).toBe(77);
  });

  test('is full for good, and what it kept by then is no dump', () => {
    const memory = new MachineMemory(image, 8);
    const queue = new CopyQueue(memory, 2);
    for (const pfn of [1n, 2n, 3n]) memory.write(4096n * pfn, Uint8Array.of(99));
    expect([queue.highest, queue.isFull]).toEqual([2, true]);
  });
});

describe('hypervisor', () => {
  const faults = [
    'disk-hung:until=never', 'cpu-deaf', 'nmi-broken', 'watchdog:seconds=1', 'lock-held:name=kexec',
    'memory:by=dma,region=kernel-text,writes=200', 'memory:by=dma,region=page-tables,writes=50',
    'busy-writer', 'dma-goes-on:every=10',
  ]; // biome-ignore format: one list
  test.each(faults)('needs nothing of the machine: %s', async (fault) => {
    const report = await bench.run({ method: 'hypervisor', level: 0 }, [fault], 3);
    expect(report.failed).toBeUndefined();
    expect(report.verdict.pages).toMatchObject({ different: 0, absent: 0, damaged: 0 });
    expect(report.verdict.class).toBe('complete');
  });

  test("leaves out the guest's note where it is damaged, and is complete without it", async () => {
    const { kernel, virtual } = bench.machine({ method: 'hypervisor', level: 0 });
    const note = virtual.translate(virtual.u64(kernel.symbol('vmcoreinfo_note').address));
    const fault = `memory:by=dma,at=0x${note.physical.toString(16)},bytes=16`;
    const report = await bench.run({ method: 'hypervisor', level: 0 }, [fault], 1);
    const remarks = report.stages.flatMap((stage) => stage.remarks);
    expect(remarks).toEqual(["the guest's VMCOREINFO note is damaged"]);
    expect(report.verdict.class).toBe('complete');
  });

  test('captures a hang that nobody ends: people call it, not a panic', async () => {
    const hang = new Bench(await openPanic('hang'));
    const trial = { level: 0, trigger: 'nobody' } as const;
    const report = await hang.trials.run({ ...trial, method: 'hypervisor' });
    expect(report.verdict.class).toBe('complete');
    const mkdump = await hang.trials.run({ ...trial, method: 'mkdump' });
    expect(mkdump.verdict.class).toBe('not-triggered');
  });
});
