/**
 * What hand-made damage does to a run: no fault framework, just changed bytes and changed states
 * right before a stage. A method fails by what it then meets, and says where and at what.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dump } from '../../src/dump/types.ts';
import { pageLayout } from '../../src/linux/page-layout.ts';
import { classRuns, PageClass } from '../../src/linux/pages.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { memoryNodes } from '../../src/linux/system.ts';
import type { CrashKernel } from '../../src/machine/crash-kernel.ts';
import { freeBlocks } from '../../src/machine/free-blocks.ts';
import { Machine } from '../../src/machine/machine.ts';
import { takeRegion } from '../../src/machine/region.ts';
import { judgeDump } from '../../src/trial/judge.ts';
import { CaptureRun } from '../../src/trial/run.ts';
import { dumpPath, openFile, openFixture, withPages } from '../support/fixture.ts';
import {
  capture,
  type Damage,
  finish,
  flip,
  flipPhysical,
  openBytes,
  startRun,
  u32,
  u64,
  world,
} from './support.ts';

/** One dump for all: nothing changes it. */
const fixture: Dump = await openFixture();

const first = 'panic entry';

function symbol(machine: Machine, name: string): bigint {
  return machine.kernel.symbol(name).address;
}

/** What kexec's set-up placed, from the run's own state. */
function crashKernel(run: CaptureRun): CrashKernel {
  return (run.save().state as { crash: CrashKernel }).crash;
}

async function failure(method: string, damage: Damage, changes: object = {}) {
  const { report } = await capture({ dump: fixture, method, level: 31, ...changes }, damage);
  const { name, kind, object } = report.failed ?? { name: 'none' };
  return { stage: name, kind, object, class: report.verdict.class, cause: report.failed?.cause };
}

describe('kexec', () => {
  test('a held __kexec_lock: panic goes on without a dump, for ever', async () => {
    const hold = (machine: Machine) => machine.poke(symbol(machine, '__kexec_lock'), u32(1));
    expect(await failure('kexec', { [first]: hold })).toMatchObject({
      stage: 'kexec lock',
      kind: 'hang',
      object: '__kexec_lock',
      class: 'none',
      cause: expect.stringContaining('__kexec_lock is held (1)'),
    });
  });

  test('a hardware watchdog ends that hang', async () => {
    const hold = (machine: Machine) => machine.poke(symbol(machine, '__kexec_lock'), u32(1));
    const machine = { ...world, watchdogSeconds: 30 };
    const { report } = await capture(
      { dump: fixture, method: 'kexec', machine },
      { [first]: hold },
    );
    expect(report.failed).toMatchObject({ kind: 'reset', endNs: 30e9 });
  });

  test('panic_timeout reboots a machine whose kexec lock is held', async () => {
    const hold = (machine: Machine) => {
      machine.poke(symbol(machine, '__kexec_lock'), u32(1));
      machine.poke(symbol(machine, 'panic_timeout'), u32(10));
    };
    expect(await failure('kexec', { [first]: hold })).toMatchObject({
      kind: 'refused',
      class: 'none',
    });
  });

  test('no image behind kexec_crash_image: no dump, and the pointer is named', async () => {
    const clear = (machine: Machine) => machine.poke(symbol(machine, 'kexec_crash_image'), u64(0n));
    expect(await failure('kexec', { [first]: clear })).toMatchObject({
      stage: 'crash image',
      object: 'kexec_crash_image',
      class: 'none',
    });
  });

  test('overwritten text of __crash_kexec is a wild jump, named with its place', async () => {
    const hit = (machine: Machine) => flip(machine, symbol(machine, '__crash_kexec') + 0x21n);
    expect(await failure('kexec', { [first]: hit })).toMatchObject({
      stage: 'panic entry',
      kind: 'wild jump',
      object: '__crash_kexec+0x21',
      class: 'none',
    });
  });

  test('a wild kexec_crash_image is a nested fault', async () => {
    const wild = (machine: Machine) =>
      machine.poke(symbol(machine, 'kexec_crash_image'), u64(0xffff_1234_0000_0000n));
    expect(await failure('kexec', { [first]: wild })).toMatchObject({
      stage: 'crash image',
      kind: 'nested fault',
      class: 'none',
    });
  });

  test('one flipped bit in a loaded segment: purgatory loops at its digest', async () => {
    const hit = (machine: Machine, run: CaptureRun) =>
      flipPhysical(machine, crashKernel(run).segments[2]!.start + 5000);
    expect(await failure('kexec', { [first]: hit })).toMatchObject({
      stage: 'purgatory',
      kind: 'hang',
      object: 'purgatory digest',
      class: 'none',
    });
  });

  test("one flipped bit in purgatory's own code is a wild jump: no digest covers it", async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { segments, digest } = crashKernel(run);
      flipPhysical(machine, segments[digest!.segment]!.start + 0x200);
    };
    expect(await failure('kexec', { [first]: hit })).toMatchObject({
      stage: 'purgatory',
      kind: 'wild jump',
    });
  });

  test('purgatory is entered at its first instruction and nowhere else', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const offset = machine.kernel.types.offsetOf('struct kimage', 'start');
      const start = crashKernel(run).image + BigInt(offset);
      machine.poke(start, u64(machine.virtual.u64(start) + 1n));
    };
    expect(await failure('kexec', { [first]: hit })).toMatchObject({
      stage: 'purgatory',
      kind: 'wild jump',
      object: 'kimage.start',
      class: 'none',
    });
  });

  test('a damaged transition page table is a triple fault behind the jump', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { image } = crashKernel(run);
      const pud = machine.virtual.u64(
        image + BigInt(machine.kernel.types.offsetOf('struct kimage', 'arch.pud')),
      );
      machine.poke(pud, new Uint8Array(4096));
    };
    expect(await failure('kexec', { [first]: hit })).toMatchObject({
      stage: 'machine_kexec',
      kind: 'nested fault',
      cause: expect.stringContaining('triple fault'),
    });
  });

  test('a damaged elfcorehdr that no digest saw: no /proc/vmcore', async () => {
    const hit = (machine: Machine, run: CaptureRun) =>
      flipPhysical(machine, crashKernel(run).elfcore.start);
    expect(await failure('kexec', { '/proc/vmcore': hit })).toMatchObject({
      stage: '/proc/vmcore',
      object: 'elfcorehdr',
      class: 'none',
    });
  });

  test('a full file system leaves vmcore-incomplete, and that is partial', async () => {
    const machine = { ...world, filesPartitionBytes: 9_000_000 };
    const { report } = await capture({ dump: fixture, method: 'kexec', machine });
    expect(report.failed).toMatchObject({ object: 'disk' });
    expect(report.failed?.cause).toContain('no space left');
    expect(report.saved?.remarks).toEqual(['the file is still called vmcore-incomplete']);
    expect(report.verdict.class).toBe('partial');
    expect(report.verdict.pages?.different).toBe(0);
  });
});

describe('mkdump', () => {
  test('an overwritten control structure is followed wherever it leads', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { resident } = run.save().state as { resident: { controlPointer: bigint } };
      machine.poke(machine.virtual.u64(resident.controlPointer), new Uint8Array(32).fill(0x6b));
    };
    expect(await failure('mkdump', { [first]: hit })).toMatchObject({
      stage: 'registers of all CPUs',
      kind: 'nested fault',
      class: 'none',
    });
  });

  test('a damaged mini kernel is started all the same: nothing checks it', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { region } = (run.save().state as { resident: { region: { start: number } } }).resident;
      flipPhysical(machine, region.start + 77);
    };
    expect(await failure('mkdump', { [first]: hit })).toMatchObject({
      stage: 'mini kernel',
      kind: 'wild jump',
      class: 'none',
    });
  });

  test('its page tables are lost after the jump: the first page that it reads is a fault', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { pageTables } = run.save().state as { pageTables: number };
      machine.memory.write(BigInt(pageTables), new Uint8Array(4096));
    };
    for (const stage of ['pages to dump', 'pages']) {
      expect(await failure('mkdump', { [stage]: hit })).toMatchObject({
        stage,
        kind: 'nested fault',
        cause: expect.stringContaining('triple fault'),
      });
    }
  });

  test.each([8n, 0x1_1000n])('it is not entered %d bytes behind its entry', async (distance) => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { resident } = run.save().state as { resident: { controlPointer: bigint } };
      const control = machine.virtual.u64(resident.controlPointer);
      machine.poke(control, u64(machine.virtual.u64(control) + distance));
    };
    expect(await failure('mkdump', { [first]: hit })).toMatchObject({
      stage: 'mini kernel',
      kind: 'wild jump',
      object: 'mkdump_control',
      class: 'none',
    });
  });

  test('a container that was cut before its bitmaps is not taken for a whole dump', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { parameters } = (run.save().state as { resident: { parameters: number } }).resident;
      const vmcoreinfo = 72;
      machine.memory.write(BigInt(parameters + vmcoreinfo), u64(1n << 45n));
    };
    const { report } = await capture({ dump: fixture, method: 'mkdump' }, { header: hit });
    expect(report.failed).toMatchObject({ name: 'header', kind: 'nested fault' });
    expect(report.saved?.remarks[0]).toMatch(/^only 0 of/);
    expect(report.verdict.class).toBe('unreadable');
    expect(report.verdict.reasons[0]).toMatch(/^flagged incomplete: /);
  });

  test('a held __kexec_lock is none of its business', async () => {
    const hold = (machine: Machine) => machine.poke(symbol(machine, '__kexec_lock'), u32(1));
    expect(await failure('mkdump', {}, { strike: hold })).toMatchObject({ class: 'complete' });
  });

  test('a partition that is too small: what is on it is saved, flagged and right', async () => {
    const machine = { ...world, dumpPartitionBytes: 20_000_000 };
    const { report } = await capture({ dump: fixture, method: 'mkdump', machine });
    expect(report.failed).toMatchObject({ name: 'pages', object: 'dump partition' });
    expect(report.failed?.cause).toContain('the partition is full');
    expect(report.verdict).toMatchObject({ class: 'partial', pages: { different: 0 } });
    expect(report.verdict.pages?.absent).toBeGreaterThan(1000);
  });

  test('a partition address that was overwritten in its parameters is destructive', async () => {
    const hit = (machine: Machine, run: CaptureRun) => {
      const { parameters } = (run.save().state as { resident: { parameters: number } }).resident;
      machine.memory.write(BigInt(parameters + 48), u64(BigInt(4096 * 100)));
    };
    expect(await failure('mkdump', { 'disk reset': hit })).toMatchObject({ class: 'destructive' });
  });
});

describe.each(['kexec', 'mkdump'])('%s', (method) => {
  test('a CPU that takes no NMI costs one second and its registers', async () => {
    const kill = (machine: Machine) => {
      for (const cpu of machine.cpus) if (cpu !== machine.panicCpu) cpu.state = 'dead';
    };
    const { report } = await capture({ dump: fixture, method, level: 31 }, { [first]: kill });
    const stage = report.stages.find(({ remarks }) => remarks.length > 0);
    expect(stage?.remarks).toContain('CPU 1 did not take the NMI within 1000 ms');
    expect(stage!.endNs - stage!.startNs).toBeGreaterThanOrEqual(1e9);
    expect(report.verdict.class).toBe('complete');
  });

  test('the judge finds a page that changed between the instant and the dump', async () => {
    const change = (machine: Machine) => flip(machine, symbol(machine, 'linux_banner'));
    const stage = method === 'kexec' ? 'filter, compress, write' : 'pages to dump';
    const { report } = await capture({ dump: fixture, method, level: 31 }, { [stage]: change });
    expect(report.failed).toBeUndefined();
    expect(report.verdict).toMatchObject({ class: 'inaccurate', pages: { different: 1 } });
  });

  test('a function whose page the input does not hold makes the run undecidable', async () => {
    const probe = Machine.fromDump(fixture, world);
    const text = probe.virtual.translate(symbol(probe, 'panic')).physical;
    const holed = withPages(fixture, (pfn, bytes) =>
      BigInt(pfn) === text >> 12n ? 'excluded' : bytes,
    );
    expect(await failure(method, {}, { dump: holed })).toMatchObject({
      kind: 'lacking',
      class: 'undecidable',
    });
  });

  test('a machine without free blocks gets RAM above its top, and the dump is complete', async () => {
    const bare = withoutFreeBlocks(fixture);
    const { report } = await capture({ dump: bare, method, level: 31 });
    expect(report.setup.map(({ what }) => what).join('\n')).toContain('RAM added above the top');
    expect(report.verdict.reasons).toEqual(['every page due is there and equal']);
  });
});

test('a crash kernel that is loaded and in the image is used as it is', async () => {
  const placed = startRun({ dump: fixture, method: 'kexec', machine: world });
  const before = crashKernel(placed);
  const run = startRun({ dump: placed.machine.asDump(), method: 'kexec', machine: world });
  expect(crashKernel(run)).toEqual({ ...before, origin: 'loaded' });
  expect(run.machine.edits.filter(({ what }) => what.includes('kexec'))).toEqual([]);
  const { report } = await finish(run);
  expect(report.verdict.class).toBe('complete');
});

test('a loaded image without elfcorehdr, as kexec-tools leave one, gets one at its end', () => {
  const placed = startRun({ dump: fixture, method: 'kexec', machine: world });
  const { machine } = placed;
  const { segments, digest, elfcore } = crashKernel(placed);
  machine.memory.write(BigInt(elfcore.start), new Uint8Array(64));
  const physical = new PhysicalMemory(machine.memory);
  const hashed = segments.filter((_, index) => index !== digest!.segment);
  const content = hashed.map(({ start, size }) => physical.read(BigInt(start), size));
  machine.memory.write(BigInt(digest!.digest), world.sha256(Buffer.concat(content)));
  const run = startRun({ dump: machine.asDump(), method: 'kexec', machine: world });
  const found = crashKernel(run);
  expect(found).toMatchObject({ origin: 'loaded', digest, elfcore: { end: found.region.end } });
  expect(run.machine.edits.map(({ what }) => what)).toContain(
    'elfcorehdr added: the loaded image has none',
  );
  while (!run.finished && run.stages.at(-1)?.name !== '/proc/vmcore') run.step(world);
  expect(run.stages.at(-1)).toMatchObject({ name: '/proc/vmcore', result: 'ok', remarks: [] });
});

test('the judge is not fooled by a file that lost a page without saying so', async () => {
  const { run, bytes } = await capture({ dump: fixture, method: 'kexec', level: 31 });
  const truth = run.groundTruth();
  const dump = await openBytes(bytes);
  const victim = run.machine.virtual.translate(symbol(run.machine, '_text')).physical;
  const isVictim = (pfn: number) => BigInt(pfn) === victim >> 12n;
  const lost = withPages(dump, (pfn, page) => (isVictim(pfn) ? 'missing' : page));
  expect(judgeDump(lost, truth)).toMatchObject({ class: 'inaccurate', pages: { absent: 1 } });
  const damaged = withPages(dump, (pfn, page) => (isVictim(pfn) ? 'damaged' : page));
  expect(judgeDump(damaged, truth)).toMatchObject({ class: 'inaccurate', pages: { damaged: 1 } });
  expect(judgeDump(dump, truth).class).toBe('complete');
});

test('taken blocks leave the free lists, and their pages are no free pages any more', () => {
  const machine = Machine.fromDump(fixture, world);
  const layout = pageLayout(machine.kernel);
  const freePages = (of: Machine) =>
    freeBlocks(of, layout).reduce((sum, { order }) => sum + 2 ** order, 0);
  const before = freePages(machine);
  const region = takeRegion(machine, layout, 300_000, 'test');
  const taken = (region.end - region.start) / 4096;
  expect(region.origin).toBe('free blocks');
  expect(freePages(machine)).toBe(before - taken);
  const range = { first: region.start / 4096, end: region.end / 4096 };
  const runs = [...classRuns(machine.virtual, layout, [range])];
  const of = runs.find(({ first, end }) => range.first >= first && range.first < end);
  expect(of?.pageClass).toBe(PageClass.kernel);
});

test('an input that lacks what set-up needs is undecidable, and what was not reset is listed', async () => {
  const trimmed = await openFile(dumpPath('linux-6.1-crash-kernel.kdump'));
  const { report } = await capture({ dump: trimmed, method: 'kexec' });
  expect(report.failed).toMatchObject({ name: 'set-up', kind: 'lacking' });
  expect(report.verdict.class).toBe('undecidable');
  expect(report.setup.map(({ what }) => what)).toContain(
    'panic_cpu: not reset, it is not in the input',
  );
});

/** Places that each method reads on its way, with their sizes in bytes. */
function targetsOf(run: CaptureRun): [address: bigint, size: number][] {
  const { machine } = run;
  const direct = (physical: number) => machine.kernel.toVirtual(BigInt(physical));
  if (run.method.name === 'mkdump') {
    const { resident } = run.save().state as {
      resident: { controlPointer: bigint; parameters: number };
    };
    return [
      [resident.controlPointer, 8],
      [machine.virtual.u64(resident.controlPointer), 32],
      [direct(resident.parameters), 120],
    ];
  }
  const { image, elfcore, digest } = crashKernel(run);
  const variables = ['kexec_crash_image', 'vmcoreinfo_size', 'vmcoreinfo_note', 'crash_notes'];
  return [
    ...variables.map((name): [bigint, number] => [symbol(machine, name), 8]),
    [image, 784],
    [direct(elfcore.start), 800],
    [direct(digest!.digest), 32 + 256],
  ];
}

const wildValues = [
  0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 52n, 2n ** 40n, 0x1000n, 0xdead_0000_0000_0100n,
]; // biome-ignore format: one list

test.each(['kexec', 'mkdump'])(
  '%s: whatever stands where it reads, a run ends in a result and never in an exception',
  (method) => {
    const start = startRun({ dump: fixture, method, level: 31, machine: world });
    const saved = start.save();
    const damage = fc.record({
      stage: fc.nat(start.method.stages(start.options).length - 3),
      target: fc.nat(100),
      at: fc.nat(800),
      value: fc.oneof(fc.constantFrom(...wildValues), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    });
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
        const run = CaptureRun.resume({ dump: fixture, machine: world }, structuredClone(saved));
        const targets = targetsOf(run);
        // Writing the pages is long, and reads nothing of what is damaged here.
        const end = start.method
          .stages(start.options)
          .findIndex(({ name }) => /^(pages|filter, )/.test(name));
        while (!run.finished && run.stages.length < end) {
          for (const { stage, target, at, value } of damages) {
            if (stage !== run.stages.length) continue;
            const [address, size] = targets[target % targets.length]!;
            const offset = BigInt((at % Math.max(1, size - 7)) & ~7);
            run.machine.poke(address + offset, u64(BigInt.asUintN(64, value)));
          }
          expect(['ok', 'failed']).toContain(run.step(world).result);
        }
      }),
      { numRuns: 25, seed: 20061 },
    );
  },
);

/** Every free list empty: each head points to itself. */
function withoutFreeBlocks(dump: Dump): Dump {
  const machine = Machine.fromDump(dump, world);
  const { kernel } = machine;
  const layout = pageLayout(kernel);
  const zones = kernel.types.offsetOf('struct pglist_data', 'node_zones');
  const size = kernel.types.sizeOf('struct zone');
  const area = kernel.types.sizeOf('struct free_area');
  const first = kernel.types.offsetOf('struct zone', 'free_area');
  for (const node of memoryNodes(kernel)) {
    for (let zone = 0; zone < 3; zone++) {
      for (let order = 0; order < layout.orders; order++) {
        for (let list = 0; list < 5; list++) {
          const head = node + BigInt(zones + zone * size + first + order * area + list * 16);
          machine.poke(head, u64(head));
          machine.poke(head + 8n, u64(head));
        }
      }
    }
  }
  return machine.asDump();
}
