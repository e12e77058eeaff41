/** Disks: what they keep without power, what stands on them, when the power fails. */

import { expect, test } from 'vitest';
import { formattedBlock, isFormatted } from '../../src/dump/diskdump/layout.ts';
import { Clock, millisecond, second } from '../../src/machine/clock.ts';
import { Disk, partitionsOf } from '../../src/machine/disk.ts';
import { virtioScsi } from '../../src/machine/hardware.ts';
import type { Holding } from '../../src/machine/holding.ts';
import { Machine } from '../../src/machine/machine.ts';
import { blueprint } from './stages.ts';

const profile = { ...virtioScsi.disk, cacheBytes: 8192, cacheNs: second };

function disk(holds: Holding = 'nothing', now = 0) {
  const clock = new Clock({ horizonNs: 100 * second }, now);
  const partitions = partitionsOf('sda', [
    { use: 'dump', size: 65_536, holds },
    { use: 'files', size: 65_536, holds: 'nothing' },
  ]);
  const made = new Disk(clock, profile, partitions);
  made.reset();
  return { disk: made, clock, start: partitions[0]!.start };
}

const ones = (length: number) => new Uint8Array(length).fill(1);

test('without a cache, a write outlives the loss of power', () => {
  const { disk: plain, start } = disk();
  plain.write(start, ones(512));
  plain.losePower();
  expect(plain.peek(start, 512)).toEqual(ones(512));
});

test('what is in the cache is read as written, and lost with the power', () => {
  const { disk: cached, start } = disk();
  cached.condition.writeCache = 'on';
  cached.write(start, ones(512));
  expect(cached.read(start, 512)).toEqual({ result: 'ok', bytes: ones(512) });
  cached.losePower();
  expect(cached.peek(start, 512)).toEqual(new Uint8Array(512));
});

test.each(['synchronize', 'settle'] as const)('%s brings the cache to the medium', (how) => {
  const { disk: cached, start } = disk();
  cached.condition.writeCache = 'on';
  cached.write(start, ones(512));
  cached[how]();
  cached.losePower();
  expect(cached.peek(start, 512)).toEqual(ones(512));
});

test('a cache that is full, and a write that has aged, go to the medium, the oldest first', () => {
  const { disk: cached, clock, start } = disk();
  cached.condition.writeCache = 'on';
  for (let block = 0; block < 3; block++) cached.write(start + block * 4096, ones(4096));
  const copy = new Disk(clock, profile, cached.partitions, structuredClone(cached.save()));
  for (const each of [cached, copy]) {
    each.losePower();
    expect([0, 4096, 8192].map((at) => each.peek(start + at, 1)[0])).toEqual([1, 0, 0]);
  }
  cached.write(start + 4096, ones(4096));
  clock.spend(2 * second, 'nothing');
  cached.losePower();
  expect(cached.peek(start + 4096, 1)[0]).toBe(1);
});

test('a formatted partition has its signatures where nothing was written', () => {
  const { disk: formatted, start } = disk('diskdump 1.0');
  formatted.write(start + 4096, ones(100));
  expect(formatted.peek(start, 4096)).toEqual(formattedBlock(0, 4096));
  expect(isFormatted(formatted.peek(start + 3 * 4096, 4096), 3)).toBe(true);
  const partly = formattedBlock(1, 4096);
  partly.set(ones(100));
  expect(formatted.peek(start + 4096, 4096)).toEqual(partly);
  formatted.format(formatted.partition('dump'), 'diskdump 2004-05');
  expect(formatted.peek(start + 4096, 4096)).toEqual(formattedBlock(1, 4096, '2004-05'));
  expect(isFormatted(formatted.peek(start + 4096, 4096), 1)).toBe(false);
});

test('the power fails at its time, whatever the machine waits for', () => {
  const machine = Machine.of(blueprint);
  machine.setPowerLoss(30 * millisecond);
  const fork = machine.fork();
  expect(() => fork.wait(second, 'nothing')).toThrow(
    expect.objectContaining({ kind: 'power loss', object: 'nothing' }),
  );
  expect(fork.clock.now).toBe(30 * millisecond);
  expect(machine.clock.isPowerLost).toBe(false);
});
