/** Both methods on real vmcores, undamaged: everything due is there and gives the same answers. */

import { describe, expect, test } from 'vitest';
import { Bitmap } from '../../src/bytes/bitmap.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { withoutFiltered } from '../../src/linux/page-filter.ts';
import { pageLayout } from '../../src/linux/page-layout.ts';
import { Machine } from '../../src/machine/machine.ts';
import { pagesOf } from '../../src/machine/ram.ts';
import { Questioner } from '../../src/trial/answers.ts';
import { runCapture } from '../../src/trial/capture.ts';
import { CaptureRun } from '../../src/trial/run.ts';
import { dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { capture, finish, openBytes, startRun, world } from './support.ts';

/** Each image once by each method; levels and compressions take turns. */
const runs = [
  ['null.kdump', 'mkdump', 0, 'rle'],
  ['null.kdump', 'kexec', 31, 'zstd'],
  ['null.kdump', 'diskdump', 31, 'zlib'],
  ['kdump-real.vmcore', 'diskdump', 0, 'none'],
  ['hardirq.kdump', 'mkdump', 31, 'zlib'],
  ['hardirq.kdump', 'kexec', 0, 'snappy'],
  ['stack.kdump', 'mkdump', 16, 'none'],
  ['stack.kdump', 'kexec', 31, 'zlib'],
  ['sysrq-full.flat', 'mkdump', 31, 'rle'],
  ['sysrq-full.flat', 'kexec', 0, 'lzo'],
  ['kdump-real.vmcore', 'mkdump', 0, 'zlib'],
  ['kdump-real.vmcore', 'kexec', 31, 'none'],
] as const;

const formats = { diskdump: 'diskdump', mkdump: 'lkcd', kexec: 'kdump' } as const;

describe('a real vmcore, captured', () => {
  test.for(runs)(
    '%s by %s at level %i with %s: complete, and answers like the machine',
    async ([image, method, level, compression], { skip }) => {
      const path = findImage(image);
      if (path === undefined) return skip(`no ${image}`);
      const input = await openFile(path);
      const { run, report, bytes } = await capture({ dump: input, method, level, compression });
      expect(report.stages.filter(({ result }) => result !== 'ok')).toEqual([]);
      expect(report.verdict.reasons).toEqual(['every page due is there and equal']);
      expect(report.verdict.class).toBe('complete');
      expect(report.verdict.pages?.due).toBeGreaterThan(10_000);
      expect(new Set(Object.values(report.verdict.answers ?? {}))).toEqual(new Set(['equal']));
      const dump = await openBytes(bytes);
      expect(dump.format).toBe(formats[method]);
      const truth = run.groundTruth().dump;
      const texts = (of: typeof dump) => readLog(openKernel(of)).records.map(({ text }) => text);
      expect(texts(dump)).toEqual(texts(truth));
    },
  );
});

describe('page classes', () => {
  test.for(['null.kdump', 'hardirq.kdump', 'stack.kdump'])(
    '%s: exactly the pages that makedumpfile -d 31 left out are filtered',
    async (image, { skip }) => {
      const path = findImage(image);
      if (path === undefined) return skip(`no ${image}`);
      const dump = await openFile(path);
      const machine = Machine.fromDump(dump, world);
      const ranges = machine.ram.map((range) => pagesOf(range, 4096));
      const layout = pageLayout(machine.kernel);
      const memory = machine.kernel.memory;
      const ram = Bitmap.ofSize(dump.endPfn);
      for (const { first, end } of ranges) ram.addRange(first, end);
      const { kept, unknown } = withoutFiltered(ram, memory, layout, 31);
      expect(unknown).toBe(0);
      const wrong: number[] = [];
      for (const { first, end } of ranges) {
        for (let pfn = first; pfn < end; pfn++) {
          const isThere = dump.state(pfn) === 'stored' || dump.state(pfn) === 'zero';
          if (isThere !== kept.has(pfn)) wrong.push(pfn);
        }
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe.each(['diskdump', 'mkdump', 'kexec'])('%s on the default machine', (method) => {
  test('same run twice, or saved and resumed between any two stages: same bytes, same report', async () => {
    const dump = await openFixture();
    const request = { dump, method, level: 31, compression: 'none' } as const;
    const straight = await capture(request);
    const second = await capture({ ...request, dump: await openFixture() });
    expect(second.report).toEqual(straight.report);
    expect(Buffer.compare(second.bytes, straight.bytes)).toBe(0);
    let run = startRun({ ...request, machine: world });
    while (!run.finished) {
      run.step(world);
      run = CaptureRun.resume({ dump, machine: world }, structuredClone(run.save()));
    }
    const resumed = await finish(run);
    expect(resumed.report).toEqual(straight.report);
    expect(Buffer.compare(resumed.bytes, straight.bytes)).toBe(0);
  });

  test('the dump is again a machine that can be captured', async () => {
    const { bytes, run } = await capture({ dump: await openFixture(), method });
    const again = await capture({ dump: await openBytes(bytes), method });
    expect(again.report.verdict.class).toBe('complete');
    expect(again.report.panic).toMatchObject({ cpu: run.machine.panic.cpu });
    expect(new Questioner().ask(await openBytes(again.bytes))['tasks']).toEqual(
      new Questioner().ask(run.groundTruth().dump)['tasks'],
    );
  });

  test('set-up edits say what was changed, from what and to what', async () => {
    const run = startRun({ dump: await openFixture(), method, machine: world });
    const { edits } = run.machine;
    expect(edits.map(({ what }) => what)).toContain(
      'CPU 1 gets back the context that stop_this_cpu interrupted: rip',
    );
    expect(edits.find(({ what }) => what === '__cpu_online_mask')).toMatchObject({
      before: '0x0000000000000001',
      after: '0x0000000000000003',
    });
    const { cpus, kernel } = run.machine;
    expect(cpus.map((cpu) => cpu.state)).toEqual(['running', 'running']);
    expect(run.machine.virtual.i32(kernel.symbol('crashing_cpu').address)).toBe(-1);
  });
});

describe.each(['mkdump', 'kexec'])('%s on a dump of another kernel (6.12)', (method) => {
  test('ends complete; the reserve that /proc/vmcore leaves out is filled again', async () => {
    const input = await openFile(dumpPath('linux-6.12.kdump'));
    const { run, report } = await capture({ dump: input, method });
    expect(report.verdict).toMatchObject({ class: 'complete' });
    expect(report.verdict.pages?.due).toBeGreaterThan(2_000);
    expect(run.machine.edits.map(({ what }) => what)).toContain('__kexec_lock');
    const reserve = run.machine.kernel.variable('crashk_res');
    const placed = run.machine.memory.state(Number(reserve.start / 4096n));
    expect(placed).toBe(method === 'kexec' ? 'stored' : 'missing');
  });
});

test('zero pages take no space in a container at level 1, and are still zero pages', async () => {
  const request = { dump: await openFixture(), method: 'mkdump', compression: 'rle' } as const;
  const whole = await capture({ ...request, level: 0 });
  const without = await capture({ ...request, level: 1 });
  expect(without.report.verdict.class).toBe('complete');
  expect(without.report.disk.bytes).toBeLessThan(whole.report.disk.bytes);
  expect(without.report.verdict.pages?.different).toBe(0);
});

test('a machine is a dump: the kernel in it has both CPUs and the same tasks', async () => {
  const dump = await openFixture();
  const machine = Machine.fromDump(dump, world);
  const kernel = openKernel(machine.asDump());
  expect(kernel.cpuMask('__cpu_online_mask')).toEqual([0, 1]);
  expect(new Questioner().ask(machine.asDump())['tasks']).toBe(new Questioner().ask(dump)['tasks']);
});

test('level and compression that a method does not know are refused before anything runs', async () => {
  const dump = await openFixture();
  const start = (changes: object) => () =>
    startRun({ dump, method: 'mkdump', machine: world, ...changes });
  const usage = expect.objectContaining({ code: 'usage' });
  expect(start({ level: 32 })).toThrow(usage);
  expect(start({ compression: 'zstd' })).toThrow(usage);
  expect(start({ method: 'lkcd-tape' })).toThrow(usage);
});

test('runCapture: one call from a dump to a report', async () => {
  const sink = new MemorySink();
  const report = await runCapture({
    dump: await openFixture(),
    method: 'kexec',
    level: 31,
    compression: 'zstd',
    machine: world,
    codecs: world.codecs,
    target: { sink, open: () => memorySource('dump', sink.bytes()) },
  });
  expect(report.verdict.class).toBe('complete');
  expect(report.saved?.bytes).toBe(sink.bytes().length);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
