/**
 * What must follow from what: each row is a mechanism of the kernel or of a method, and what it
 * does to a dump. On the machine that comes with tsdump, and on others: another kernel, other RAM,
 * a crash kernel that was really loaded, one that had to be placed.
 */

import { beforeAll, describe, expect, test } from 'vitest';
import { hex16 } from '../../src/bytes/text.ts';
import type { Dump } from '../../src/dump/types.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { Bench, openPanic } from '../support/machines.ts';

interface Subject {
  readonly name: string;
  /** Percent of the usual partition that do not hold its dump. */
  readonly little: number;
  /** Is the text of the block layer in the input? */
  readonly blockLayer: 'held' | 'not held';
  open(): Promise<Dump>;
}

const subjects: Subject[] = [
  { name: 'null-process', little: 5, blockLayer: 'held', open: () => openPanic('null-process') },
  {
    name: 'Linux 6.12',
    little: 1,
    blockLayer: 'not held',
    open: () => openFile(dumpPath('linux-6.12.kdump')),
  },
];
for (const name of ['null.kdump', 'kdump-real.vmcore']) {
  const path = findImage(name);
  if (path !== undefined)
    subjects.push({ name, little: 5, blockLayer: 'held', open: () => openFile(path) });
}

const methods = ['mkdump', 'kexec'] as const;
type Method = (typeof methods)[number];

/** Where a run ended, as one line: stage, object, cause. */
function ended({ failed }: CaptureReport): string {
  return failed === undefined ? 'at its end' : `${failed.name}: ${failed.object}: ${failed.cause}`;
}

/** Physical addresses, as `at=` takes them, of what the loaded crash kernel consists of. */
interface Places {
  readonly kimage: (member: string) => string;
  /** A table of the way to relocate_kernel. */
  readonly transition: string;
  readonly controlPage: string;
}

function placesOf(bench: Bench): Places {
  const { kernel, virtual } = bench.machine({ method: 'kexec' });
  const image = virtual.u64(kernel.symbol('kexec_crash_image').address);
  const offset = (path: string): bigint => BigInt(kernel.types.offsetOf('struct kimage', path));
  const physical = (address: bigint): string =>
    `0x${virtual.translate(address).physical.toString(16)}`;
  const pointer = (path: string): bigint => virtual.u64(image + offset(path));
  return {
    kimage: (member) => physical(image + offset(member)),
    transition: physical(pointer('arch.pud')),
    controlPage: hex16(pointer('control_code_page')),
  };
}

describe.each(subjects)('on $name', ({ open, little, blockLayer }) => {
  let bench: Bench;
  let places: Places;
  const run = (method: Method, ...faults: string[]): Promise<CaptureReport> =>
    bench.run({ method }, faults);

  beforeAll(async () => {
    bench = new Bench(await open());
    places = placesOf(bench);
  });

  test.each(methods)('%s without a fault is complete, stage by stage', async (method) => {
    const report = await run(method);
    expect(report.verdict.reasons.join()).toBe('every page due is there and equal');
    expect(report.verdict.class).toBe('complete');
    expect(ended(report)).toBe('at its end');
  });

  test('DMA into a loaded segment: kexec stops at its digest', async () => {
    const report = await run('kexec', 'memory:by=dma,region=segments,writes=4,bytes=64');
    expect(report.faults[0]?.effect).toBe('done');
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(/^purgatory: purgatory/);
  });

  test('the same by a CPU: read-only for the writer, and the dump complete', async () => {
    const report = await run('kexec', 'memory:by=cpu,region=segments,writes=4,bytes=64');
    const outcomes = new Set(report.faults[0]?.writes.map(({ outcome }) => outcome));
    expect([...outcomes]).toEqual(['read-only']);
    expect(report.verdict.class).toBe('complete');
  });

  test.each([
    ['head', /kimage\.head/],
    ['start', /kimage\.start/],
    ['control_code_page', /kimage\.control_code_page|control page/],
  ])('kimage.%s overwritten: a nested fault that names it', async (member, named) => {
    const at = places.kimage(member);
    const report = await run('kexec', `memory:by=dma,at=${at},bytes=8`);
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(named);
    expect(report.failed?.kind).toMatch(/nested fault|wild jump|hang/);
  });

  test('a transition page table overwritten: a nested fault that names it', async () => {
    const report = await run(
      'kexec',
      `memory:by=dma,at=${places.transition},bytes=4096,pattern=zero`,
    );
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(/transition page table/);
    expect(report.failed?.kind).toBe('nested fault');
  });

  test('the kexec lock is held: panic goes on without a dump, and mkdump does not care', async () => {
    const report = await run('kexec', 'lock-held:name=kexec');
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(/^kexec lock: (__kexec_lock|kexec_mutex)/);
    expect((await run('mkdump', 'lock-held:name=kexec')).verdict.class).toBe('complete');
  });

  test.each(methods)('%s with the block layer destroyed: complete', async (method) => {
    const text = ['submit_bio_noacct', 'blk_mq_dispatch_rq_list', 'blk_mq_complete_request'];
    const faults = text.map((symbol) => `memory:by=dma,at=${symbol},bytes=128`);
    const report = await run(method, ...faults);
    const effects = new Set(report.faults.map(({ effect }) => effect));
    expect([...effects]).toEqual([blockLayer === 'held' ? 'done' : 'prevented']);
    expect(report.verdict.class).toBe('complete');
  });

  test.each(methods)(
    '%s: a disk that hangs until a reset is reset, and costs time',
    async (method) => {
      const sound = await run(method);
      const report = await run(method, 'disk-hung:until=reset', 'disk-busy:commands=16');
      expect(report.verdict.class).toBe('complete');
      const longer = report.stages.at(-1)!.endNs - sound.stages.at(-1)!.endNs;
      // The capture kernel resets whatever it finds: reset_devices. The mini kernel waits first.
      if (method === 'kexec') expect(longer).toBe(0);
      else expect(longer).toBeGreaterThan(0);
    },
  );

  test.each(methods)('%s: a disk that hangs for good ends it, by name', async (method) => {
    const report = await run(method, 'disk-hung:until=never');
    expect(report.verdict.class).toBe('none');
    expect(ended(report)).toMatch(/disk|sda/);
  });

  test.each(methods)('%s: a watchdog shorter than its boot leaves nothing', async (method) => {
    const boot = (await run(method)).stages.find(({ name }) => /boot|mini kernel/.test(name))!;
    const seconds = Math.max(1, Math.floor(boot.endNs / 1e9) - 1);
    const report = await run(method, `watchdog:seconds=${seconds}`, 'disk-slow:factor=1000');
    // With the header on the disk there is a file, and not one page that is due in it.
    expect(['none', 'unreadable']).toContain(report.verdict.class);
    expect(report.failed?.kind).toBe('reset');
  });

  test('a partition too small: mkdump is partial and says so', async () => {
    const report = await run('mkdump', `disk-too-small:percent=${little}`);
    expect(report.verdict.class).toBe('partial');
    expect(ended(report)).toMatch(/partition/);
  });

  test.each(methods)('%s: a CPU that ignores the NMI is named', async (method) => {
    const report = await run(method, 'nmi-broken');
    const remarks = report.stages.flatMap((stage) => stage.remarks);
    expect(remarks.join()).toMatch(/CPU \d+ did not take the NMI within 1000 ms/);
  });
});
