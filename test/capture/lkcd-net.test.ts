/** LKCD over the network: what it waits for, what it gives up on, and what it does not reset. */

import { beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openDump } from '../../src/dump/open.ts';
import { sha256 } from '../../src/host/sha256.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { CaptureRun } from '../../src/trial/run.ts';
import { capture, startRun, world } from '../machine/support.ts';
import { Bench, footprints, openPanic } from '../support/machines.ts';

let bench: Bench;
const run = (generation: string, ...faults: string[]): Promise<CaptureReport> =>
  bench.run({ method: `lkcd-net:${generation}`, level: 30 }, faults);

beforeAll(async () => {
  bench = new Bench(await openPanic('null-process'));
});

function ended({ failed }: CaptureReport): string {
  return failed === undefined ? 'at its end' : `${failed.name}: ${failed.object}: ${failed.cause}`;
}

test.each([0, 16, 30])(
  'level %i: complete, with every page in the pass that it is due in',
  async (level) => {
    const report = await bench.run({ method: 'lkcd-net', level });
    expect(report.verdict.class).toBe('complete');
    const passes = ['kernel pages', 'used pages', 'unused pages'];
    const done = report.stages.filter(({ name }) => passes.includes(name)).map(({ name }) => name);
    expect(done).toEqual(passes.slice(0, [30, 16, 0].indexOf(level) + 1));
  },
);

describe('its server', () => {
  test.each([
    ['broadcast', 'server-wrong-mac', 'complete'],
    ['broadcast', 'server-other-segment', 'none'],
    ['fixed-mac', 'server-wrong-mac', 'none'],
    ['fixed-mac', 'server-other-segment', 'complete'],
    ['broadcast', 'server-down', 'none'],
  ])('%s, %s: %s', async (generation, fault, verdict) => {
    const report = await run(generation, fault);
    expect(report.verdict.class).toBe(verdict);
    if (verdict === 'complete') return;
    expect(ended(report)).toBe('handshake: server: no server answers in 300 tries, a second apart');
    expect(report.stages.at(-1)!.endNs).toBeGreaterThanOrEqual(300e9);
  });

  test('packets that are lost, late and twice are sent again, and the file is whole', async () => {
    const faults = ['network-loss:permille=20', 'network-reorder', 'network-duplicate'];
    expect((await run('broadcast', ...faults)).verdict.class).toBe('complete');
  });
});

describe('what a stopped CPU holds', () => {
  test('the transmit lock: it spins, where netdump resets it', async () => {
    const report = await run('broadcast', 'lock-held:name=nic-transmit');
    expect(report.failed?.kind).toBe('hang');
    expect(ended(report)).toMatch(/^handshake: eth0: the transmit lock of eth0 is held, by CPU 0/);
  });

  test('the poll contexts: it is never answered, as far as it can see', async () => {
    const report = await run('broadcast', 'lock-held:name=nic-poll');
    expect(ended(report)).toMatch(/no server answers in 300 tries/);
  });

  test('a CPU that takes no NMI is waited for without a limit', async () => {
    const report = await run('broadcast', 'cpu-deaf', 'watchdog:seconds=60');
    expect(ended(report)).toMatch(/^other CPUs: CPU 0: .*without a limit/);
    expect(report.failed?.kind).toBe('reset');
  });
});

test('a server that goes away in the middle: a dump that says that it is cut short', async () => {
  const dump = await openPanic('null-process');
  const cut = await capture(
    { dump, method: 'lkcd-net', level: 0, machine: { sha256, footprints } },
    {
      'used pages': (machine) => {
        machine.network.condition.server = 'down';
      },
    },
  );
  expect(cut.report.stages.at(-1)).toMatchObject({
    name: 'used pages',
    cause: expect.stringMatching(/the server takes nothing at byte \d+, 300 times asked/),
  });
  expect(cut.report.saved?.remarks.join()).toContain('vmcore-incomplete');
  expect(cut.report.verdict.class).toBe('partial');
  const left = await openDump(memorySource('dump', cut.bytes), world);
  expect(left.incomplete).toBeDefined();
});

test('saved and resumed between any two stages, it ends as in one go', async () => {
  const dump = await openPanic('null-process');
  const request = { dump, method: 'lkcd-net', level: 30, machine: { sha256, footprints } };
  const whole = await capture(request);
  for (let stages = 1; stages < whole.report.stages.length; stages++) {
    const first = startRun(request);
    for (let index = 0; index < stages; index++) first.step(world);
    const resumed = CaptureRun.resume(request, structuredClone(first.save()));
    resumed.finish(world);
    expect(resumed.stages, `after ${stages}`).toEqual(whole.report.stages);
  }
});
