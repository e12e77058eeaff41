/** Disks and their queues, as real panics left them: which lock was held, what was in flight. */

import { expect, test } from 'vitest';
import { sha256 } from '../../src/host/sha256.ts';
import { disks, queueOfCpu, queueState, scsiState } from '../../src/linux/block.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import { Machine } from '../../src/machine/machine.ts';
import { dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { openPanic } from '../support/machines.ts';

async function looked(name: string) {
  const kernel = openKernel(await openPanic(name));
  const [disk] = disks(kernel);
  const queue = queueState(kernel, disk!.device);
  return { disk: disk!, queue, scsi: scsiState(kernel, queue.address) };
}

test('the disk of the default machine: two hardware queues, nothing held, nothing in flight', async () => {
  const { disk, queue, scsi } = await looked('null-process');
  expect(disk).toMatchObject({ name: 'sda', isScsi: true });
  expect(queue).toMatchObject({ isFrozen: false, isQuiesced: false });
  expect(queue.locks).toMatchObject([{ name: 'request_queue.queue_lock', isHeld: false }]);
  expect(queue.hardware.map(({ number }) => number)).toEqual([0, 1]);
  for (const { lock, tags, isStopped, hasDispatch } of queue.hardware) {
    expect(lock).toMatchObject({ name: 'blk_mq_hw_ctx.lock', isHeld: false });
    expect(tags).toMatchObject([{ name: 'tags', depth: 256, free: 256 }]);
    expect([isStopped, hasDispatch]).toEqual([false, false]);
  }
  expect(scsi).toMatchObject({ isRunning: true, isBlocked: false });
  expect(scsi.hostLock).toMatchObject({ name: 'Scsi_Host.host_lock', isHeld: false });
});

test('a busy disk: tags that are taken are the requests that its rings have in flight', async () => {
  const { queue } = await looked('null-disk-busy');
  const taken = queue.hardware.flatMap(({ tags }) => tags).map(({ depth, free }) => depth - free);
  expect(taken).toEqual([4, 4]);
});

test('a panic while a SCSI command is handed on: its tag is taken', async () => {
  const { queue } = await looked('scsi-dispatch');
  const free = queue.hardware.flatMap(({ tags }) => tags.map((map) => map.free));
  expect(free).toEqual([255, 256]);
});

test('the requests of each CPU go through its own hardware queue', async () => {
  const kernel = openKernel(await openPanic('null-process'));
  const queue = queueState(kernel, disks(kernel)[0]!.device);
  const of = (cpu: number) => queueOfCpu(kernel, queue.address, kernel.perCpuOffset(cpu));
  expect([of(0), of(1)]).toEqual(queue.hardware.map(({ address }) => address));
});

test('a panic with the lock of a hardware queue held: that one and no other', async () => {
  const { queue, scsi } = await looked('panic-spinlock');
  expect(queue.hardware.map(({ lock }) => lock.isHeld)).toEqual([true, false]);
  expect(scsi.hostLock.isHeld).toBe(false);
});

test('a panic with the lock of the host adapter held', async () => {
  const { queue, scsi } = await looked('panic-host-lock');
  expect(queue.hardware.map(({ lock }) => lock.isHeld)).toEqual([false, false]);
  expect(scsi.hostLock.isHeld).toBe(true);
});

test('a guest without a disk has none; its ram disks are not asked', async () => {
  expect(disks(openKernel(await openFixture()))).toEqual([]);
});

test('a kernel before Linux 5.11 is refused by name', async () => {
  const kernel = openKernel(await openFile(dumpPath('linux-5.10.kdump')));
  expect(() => disks(kernel)).toThrow(expect.objectContaining({ code: 'unsupported' }));
});

test('links that were overwritten: an error with the place, never a loop or another error', async () => {
  const machine = Machine.of(blueprintOf(await openPanic('null-process'), { sha256 }));
  const { kernel } = machine;
  const device = disks(kernel)[0]!.device;
  const sound = queueState(kernel, device);
  const at = (type: string, member: string, base: bigint) =>
    base + BigInt(kernel.types.offsetOf(type, member));
  const tags = sound.hardware[0]!.tags[0]!.address;
  for (const address of [
    at('struct block_device', 'bd_disk', device),
    at('struct request_queue', 'nr_hw_queues', sound.address),
    at('struct request_queue', 'hctx_table.xa_head', sound.address),
    at('struct blk_mq_hw_ctx', 'tags', sound.hardware[1]!.address),
    at('struct sbitmap', 'depth', tags),
    at('struct sbitmap', 'map', tags),
  ]) {
    const struck = machine.fork();
    struck.poke(address, new Uint8Array(8).fill(0xa5));
    const reader = { memory: struck.virtual, types: kernel.types };
    expect(() => queueState(reader, device)).toThrow(
      expect.objectContaining({ where: expect.objectContaining({ virtual: expect.any(BigInt) }) }),
    );
  }
});

const real = findImage('kdump-real.vmcore');

test.skipIf(real === undefined)('disks of another driver: virtio_blk, no SCSI', async () => {
  const kernel = openKernel(await openFile(real!));
  const found = disks(kernel);
  expect(found.map(({ name, isScsi }) => [name, isScsi])).toEqual([
    ['vda', false],
    ['vdb', false],
  ]);
  for (const { device } of found) expect(queueState(kernel, device).hardware).toHaveLength(2);
});
