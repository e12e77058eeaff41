/** mkdump with its control structure where the dying kernel cannot write to it. */

import { beforeAll, expect, test } from 'vitest';
import { Bench, openPanic } from '../support/machines.ts';

let bench: Bench;
beforeAll(async () => {
  bench = new Bench(await openPanic('null-process'));
});

/** Virtual and physical address of the control structure, as faults take them. */
async function controlOf(method: string): Promise<{ cpu: string; dma: string; inRegion: boolean }> {
  const { memory } = await bench.run({ method });
  const { start } = memory.targets.structures[1]!;
  const [region] = memory.targets.reserved;
  const { kernel } = bench.machine({ method });
  return {
    cpu: `0x${kernel.toVirtual(BigInt(start)).toString(16)}`,
    dma: `0x${start.toString(16)}`,
    inRegion: start >= region!.start && start < region!.end,
  };
}

test('a wild write of a CPU destroys the control structure of 1.0, not a later one', async () => {
  const old = await controlOf('mkdump');
  expect(old.inRegion).toBe(false);
  const wild = (at: string): string[] => [`memory:by=cpu,at=${at},bytes=32,pattern=zero`];
  const defeated = await bench.run({ method: 'mkdump' }, wild(old.cpu));
  expect(defeated.verdict.class).toBe('none');
  const later = await controlOf('mkdump:later');
  expect(later.inRegion).toBe(true);
  const report = await bench.run({ method: 'mkdump:later' }, wild(later.cpu));
  expect(report.faults[0]!.writes[0]!.outcome).toBe('read-only');
  expect(report.verdict.class).toBe('complete');
});

test('a device writes past that protection', async () => {
  const { dma } = await controlOf('mkdump:later');
  const fault = `memory:by=dma,at=${dma},bytes=32,pattern=zero`;
  const { verdict } = await bench.run({ method: 'mkdump:later' }, [fault]);
  expect(verdict.class).toBe('none');
});
