/**
 * LKCD's memory dump: what it does not need of the crashed kernel, what it needs instead, and what
 * becomes of it where a real reset comes between its stages.
 */

import { describe, expect, test } from 'vitest';
import { blueprintOf, type MachineOptions } from '../../src/machine/blueprint.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { Random } from '../../src/trial/faults/random.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import type { CaptureRun } from '../../src/trial/run.ts';
import { flipPhysical, u64 } from '../machine/support.ts';
import { openFile } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { Bench, footprints, openPanic } from '../support/machines.ts';
import { concluded, ended, expectResumable, recordPfns, world } from './runs.ts';

const options: MachineOptions = { sha256: world.sha256, footprints };
const dump = await openPanic('null-process');
const bench = new Bench(dump);
const blueprint = blueprintOf(dump, options);
const prepared = new PreparedCapture(blueprint, { method: 'lkcd-mem', level: 0 });

function run(...faults: string[]): Promise<CaptureReport> {
  return bench.run({ method: 'lkcd-mem', level: 30 }, faults);
}

describe('what it does not need of the crashed kernel', () => {
  test.each([
    [],
    ['lock-held:name=queue'],
    ['lock-held:name=host'],
    ['queue-stuck:how=tags'],
    ['interrupt-stuck'],
    ['disk-hung:until=reset'],
    ['memory:by=dma,at=submit_bio_noacct,bytes=128'],
  ])('complete with %s', async (...faults) => {
    const report = await run(...faults);
    expect(report.verdict).toMatchObject({ class: 'complete' });
    expect(Object.values(report.verdict.answers!)).toEqual(Array(4).fill('equal'));
  });

  test('a panic inside of the disk driver, with its ring locked', async () => {
    const other = new Bench(await openPanic('scsi-dispatch'));
    const report = await other.run({ method: 'lkcd-mem', level: 30 });
    expect(report.verdict).toMatchObject({ class: 'complete' });
  });
});

describe('what it needs instead', () => {
  test.each([
    ['cpu-deaf', String.raw`other CPUs: CPU \d: .* without a limit`],
    ['disk-hung:until=never', 'devices: disk: the disk controller does not come out of its reset'],
    ['interrupt-lost:line=disk', "header: disk: the disk's interrupt is lost"],
    ['memory:by=dma,region=dump-code,writes=8,bytes=256', 'lkcd dump_'],
  ])('%s: no dump', async (fault, named) => {
    const report = await run(fault);
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(new RegExp(named));
  });

  test('room: memory that does not compress does not fit', () => {
    const { run: struck } = step('soft boot', (machine) => {
      const random = new Random(1, 0, 'no room');
      const { start, end } = machine.kernel.variable('crashk_res');
      for (let at: bigint = start; at < end; at += 4096n) {
        machine.memory.write(at, random.bytes(4096));
      }
    });
    expect(struck.stages.at(-1)).toMatchObject({ kind: 'refused', object: 'saved pages' });
    expect(struck.stages.at(-1)!.cause).toMatch(/no room is left after \d+ pages/);
  });

  test('a device with room: what is there is partial', async () => {
    const report = await run('disk-too-small:percent=10');
    expect(report.verdict.class).toBe('partial');
    expect(ended(report)).toMatch(/^write kernel pages: dump device: ENOSPC/);
  });
});

describe('a real reset between its stages', () => {
  const inBoot = 'watchdog:seconds=4';

  test('memory that the firmware keeps is found again', async () => {
    const report = await run(inBoot);
    expect(report.verdict.class).toBe('complete');
    expect(report.stages.find(({ name }) => name === 'soft boot')!.remarks.join()).toMatch(
      /the watchdog reset the machine while it booted; memory was kept/,
    );
  });

  test('memory that the firmware clears is lost', async () => {
    const report = await run(inBoot, 'firmware-clears-memory');
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(/^reservation: saved pages: invalid dump magic/);
  });

  test('without a reset the firmware never runs', async () => {
    expect((await run('firmware-clears-memory')).verdict.class).toBe('complete');
  });

  test('a reset before the first stage is done leaves nothing', async () => {
    const report = await run('watchdog:seconds=1');
    expect(report.verdict.class).toBe('none');
    expect(report.failed).toMatchObject({ name: 'save kernel pages', kind: 'reset' });
  });
});

interface Places {
  readonly bootstrap: { readonly handover: number; readonly list: { readonly start: number } };
  readonly store: { readonly places: readonly number[] };
}

/** Runs to the end; strikes at the instant, and before the stage that is named. */
function step(
  stage: string,
  atInstant: (machine: Machine) => void,
  before: (machine: Machine, places: Places) => void = () => {},
): { readonly run: CaptureRun } {
  const started = prepared.begin((machine) => {
    atInstant(machine);
    return [];
  });
  const names = started.method.stages(started.options).map(({ name }) => name);
  while (!started.finished) {
    if (names[started.stages.length] === stage) {
      before(started.machine, started.save().state as Places);
    }
    started.step(world);
  }
  return { run: started };
}

describe('what was saved, damaged before the second boot looks at it', () => {
  const nothing = (): void => {};

  test('the magic: the dump is ignored', () => {
    const { run: struck } = step('reservation', nothing, (machine, { bootstrap }) => {
      machine.memory.write(BigInt(bootstrap.handover), u64(1n));
    });
    expect(struck.stages.at(-1)).toMatchObject({ name: 'reservation', kind: 'refused' });
  });

  test('the list of pages: the dump is ignored', () => {
    const { run: struck } = step('reservation', nothing, (machine, { bootstrap }) => {
      machine.memory.write(BigInt(bootstrap.list.start), u64(0xffff_ffff_ffff_ffffn));
    });
    expect(struck.stages.at(-1)!.cause).toContain('the list of pages makes no sense');
  });

  test('a saved page: that page, and what the records after it say', async () => {
    const { run: struck } = step('devices', nothing, (machine, { store }) => {
      for (let byte = 0; byte < 4096; byte += 256) {
        flipPhysical(machine, store.places[1]! * 4096 + byte);
      }
    });
    const { report } = await concluded(struck);
    expect(report.verdict.class).not.toBe('complete');
  });
});

const real = findImage('kdump-real.vmcore');

test.skipIf(real === undefined)(
  'its bootstrap area in free blocks: no page of it is due',
  async () => {
    const other = new Bench(await openFile(real!));
    const report = await other.run({ method: 'lkcd-mem', level: 30 });
    expect(report.setup.map(({ what }) => what).join()).toMatch(/bootstrap area: \d+ free blocks/);
    expect(report.verdict.class).toBe('complete');
  },
);

test('important pages are written first, least important ones are saved first', async () => {
  const whole = prepared.begin();
  whole.finish(world);
  const pages = (name: string) => whole.stages.find((stage) => stage.name === name)!.pages;
  expect(whole.stages.map(({ name }) => name)).toEqual([
    ...['configuration', 'dump lock', 'other CPUs', 'page classes'],
    ...['save unused pages', 'save used pages', 'save kernel pages', 'configuration block'],
    ...['one CPU', 'soft boot', 'reservation', 'devices', 'header'],
    ...['write kernel pages', 'write used pages', 'write unused pages', 'end', 'reboot'],
  ]);
  const { bytes, report } = await concluded(whole);
  expect(report.verdict).toMatchObject({ class: 'complete' });
  const pfns = recordPfns(bytes);
  const kernel = pages('write kernel pages')!;
  expect(kernel).toBe(pages('save kernel pages'));
  const used = new Set(pfns.slice(kernel));
  expect(used.size).toBe(pages('save used pages'));
  expect(pfns.slice(0, kernel).some((pfn) => used.has(pfn))).toBe(false);
});

test('saved and resumed between all its stages, it is the same run and the same file', () => {
  expectResumable(prepared, blueprint);
});
