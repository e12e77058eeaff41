/** Faults on a real machine: what they change, what they say of it, and what they leave alone. */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { readerOf } from '../../src/capture/lkcd-disk/block-layer.ts';
import type { CaptureTargets } from '../../src/capture/method.ts';
import { openImage } from '../../src/cli/images.ts';
import { world } from '../../src/cli/world.ts';
import { disks, queueState } from '../../src/linux/block.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import { millisecond, second } from '../../src/machine/clock.ts';
import { receiveBuffers } from '../../src/machine/devices.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { parseFault } from '../../src/trial/faults/fault.ts';
import type { WriteNote } from '../../src/trial/faults/kind.ts';
import { faultKinds } from '../../src/trial/faults/kinds.ts';
import { type RegionName, regionNames, regionOf } from '../../src/trial/faults/regions.ts';
import { configure, type FaultNote, numbered, strike } from '../../src/trial/faults/strike.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import { dumpPath, openFile } from '../support/fixture.ts';

const image = await openImage('null-process');
const blueprint = blueprintOf(image.dump, { sha256: world.sha256, ...image.options });
const prepared = {
  kexec: new PreparedCapture(blueprint, { method: 'kexec' }),
  mkdump: new PreparedCapture(blueprint, { method: 'mkdump' }),
};

interface Struck {
  readonly machine: Machine;
  readonly targets: CaptureTargets;
  readonly notes: readonly FaultNote[];
}

/** A machine with a method loaded, struck. `faults` are words; undefined ones are left out. */
function struck(
  faults: readonly (string | undefined)[],
  seed = 1,
  method: keyof typeof prepared = 'kexec',
): Struck {
  const all = numbered(faults.map((fault) => parseFault(fault ?? 'nmi-broken')));
  const kept = all.filter(({ index }) => faults[index] !== undefined);
  let targets: CaptureTargets | undefined;
  const run = prepared[method].begin((machine, found) => {
    targets = found;
    return strike(machine, found, kept, seed);
  });
  return { machine: run.machine, targets: targets!, notes: run.faults };
}

function only(fault: string, seed?: number, method?: keyof typeof prepared): Struck & FaultNote {
  const result = struck([fault], seed, method);
  return { ...result, ...result.notes[0]! };
}

function bytesAt(machine: Machine, { physical }: WriteNote, length: number): Uint8Array {
  return new PhysicalMemory(machine.memory).read(BigInt(physical!), length).slice();
}

const milliseconds = (count: number): number => count * millisecond;

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');

test('a fault that destroys what leads to the segments does not move where the next one aims', () => {
  const aim = 'memory:by=dma,region=segments,writes=3,pattern=zero';
  const places = ({ notes }: Struck): unknown =>
    notes.at(-1)!.writes.map(({ physical, virtual }) => [physical, virtual]);
  const destroyed = 'memory:by=dma,region=kexec,writes=1000,bytes=4096,pattern=zero';
  expect(places(struck([destroyed, aim]))).toEqual(places(struck([undefined, aim])));
});

describe('every kind', () => {
  const cases = faultKinds.flatMap(({ name, example }) =>
    (['kexec', 'mkdump'] as const).map((method) => [name, method, example] as const),
  );
  test.each(cases)(
    '%s, %s: its example strikes, and its note is plain data',
    (_, method, example) => {
      const { notes } = struck([example], 1, method);
      expect(notes).toHaveLength(1);
      expect(notes[0]!.effect).not.toBe('prevented');
      expect(JSON.parse(JSON.stringify(notes))).toEqual(notes);
      expect(parseFault(notes[0]!.fault)).toEqual(parseFault(example));
    },
  );
});

describe('chance', () => {
  const all = [
    'memory:by=dma,region=slab,writes=3',
    'memory:by=cpu,region=kernel-data,writes=3',
    'memory:by=memory-error,region=any,writes=3,when=run',
    'disk-bad-sectors',
    'cpu-deaf',
    'dma-goes-on',
    'lock-held',
  ];

  test('same seed, same notes', () => {
    expect(struck(all, 7).notes).toEqual(struck(all, 7).notes);
  });

  test('another seed strikes elsewhere', () => {
    const places = (seed: number): unknown => struck(all, seed).notes[0]!.writes;
    expect(places(7)).not.toEqual(places(8));
  });

  test.each(all.map((fault, index) => [fault, index] as const))(
    'without %s the others strike as they did',
    (_, left) => {
      const rest = all.map((fault, index) => (index === left ? undefined : fault));
      const { notes } = struck(all, 7);
      expect(struck(rest, 7).notes).toEqual(notes.filter(({ index }) => index !== left));
    },
  );
});

describe('memory', () => {
  test.each(regionNames)(
    'region %s: what is written is in it, and is what the note says',
    (name) => {
      for (const seed of [1, 2, 3]) {
        const fault = `memory:by=dma,region=${name},writes=4,bytes=8`;
        const { machine, targets, writes } = only(fault, seed);
        const region = regionOf(machine, targets, name);
        expect(region.bytes).toBeGreaterThan(0);
        expect(writes).toHaveLength(4);
        for (const write of writes) {
          const at = Number(write.physical);
          const inside = region.pieces.some((p) => at >= p.physical && at < p.physical + p.bytes);
          expect(inside, write.physical).toBe(true);
          // A page that was free or filtered is not in the input.
          if (write.outcome === 'no memory') continue;
          expect(write.outcome).toBe('done');
          expect(hex(bytesAt(machine, write, 8))).toBe(write.after);
          expect(write.before).not.toBe(write.after);
        }
      }
    },
  );

  test.each([
    ['kernel-text', 'kernel-text'],
    ['module-text', 'module-text'],
    ['segments', 'the loaded crash kernel'],
  ] as [RegionName, string][])('a CPU that writes to %s faults, and nothing changes', (name) => {
    const { machine, effect, writes } = only(`memory:by=cpu,region=${name},writes=4`);
    const clean = struck([]).machine;
    expect(effect).toBe('prevented');
    for (const write of writes) {
      expect(write.outcome).toBe('read-only');
      expect(bytesAt(machine, write, 8)).toEqual(bytesAt(clean, write, 8));
      expect(write.writer).toBe(`CPU ${machine.panic.cpu}`);
    }
  });

  test('what a CPU may write it overwrites', () => {
    const { machine, writes } = only('memory:by=cpu,at=jiffies_64,bytes=4');
    expect(writes).toMatchObject([{ outcome: 'done', symbol: 'jiffies_64' }]);
    const { address } = machine.kernel.symbol('jiffies_64');
    expect(writes[0]!.virtual).toBe(`0x${address.toString(16)}`);
    expect(hex(machine.virtual.read(address, 4))).toBe(writes[0]!.after);
  });

  test('a symbol and an offset, for a device: its physical place', () => {
    const { machine, writes } = only('memory:by=dma,at=init_task+0x10');
    const { address } = machine.kernel.symbol('init_task');
    const { physical } = machine.virtual.translate(address + 0x10n);
    expect(BigInt(writes[0]!.physical!)).toBe(physical);
    expect(writes[0]!.symbol).toBe('init_task+0x10');
  });

  test('the direct map and the image are one memory: a physical place has its symbol', () => {
    const clean = struck([]).machine;
    const { address } = clean.kernel.symbol('linux_banner');
    const physical = Number(clean.virtual.translate(address).physical);
    const { writes } = only(`memory:by=dma,at=0x${(physical + 4).toString(16)}`);
    expect(writes).toMatchObject([{ symbol: 'linux_banner+0x4', outcome: 'done' }]);
  });

  test('an address that nothing maps: not mapped; memory that is not there: no memory', () => {
    const cpu = only('memory:by=cpu,at=0x10');
    expect(cpu).toMatchObject({ effect: 'prevented', writes: [{ outcome: 'not mapped' }] });
    const dma = only('memory:by=dma,at=0x7fffffffff');
    expect(dma).toMatchObject({ effect: 'prevented', writes: [{ outcome: 'no memory' }] });
  });

  test('a physical address of more than 52 bits is refused, by a CPU it is a virtual one', () => {
    expect(() => only('memory:by=dma,at=0xffffffff81000000')).toThrow(/at most 52 bits/);
    expect(only('memory:by=cpu,at=0xffffffffffffffff').effect).toBe('prevented');
  });

  test('a symbol that the kernel lacks is absent', () => {
    expect(() => only('memory:by=dma,at=no_such_symbol')).toThrow(/no_such_symbol/);
  });

  test('flip inverts one bit; it is what broken memory does', () => {
    for (const fault of ['memory:by=memory-error', 'memory:by=cpu,at=jiffies_64,pattern=flip']) {
      const [write] = only(`${fault},bytes=8`).writes;
      const number = (text: string): bigint => BigInt(`0x${text.replaceAll(' ', '')}`);
      const changed = number(write!.before!) ^ number(write!.after);
      expect(changed).toBeGreaterThan(0n);
      expect(changed & (changed - 1n)).toBe(0n);
    }
  });

  test('zeros over zeros change nothing, and that is said', () => {
    const { machine } = struck([]);
    const bss = machine.kernel.symbol('__bss_start').address;
    let at = bss;
    while (machine.virtual.u64(at) !== 0n) at += 8n;
    const { effect, writes } = only(`memory:by=cpu,at=0x${at.toString(16)},pattern=zero`);
    expect({ effect, outcome: writes[0]!.outcome }).toEqual({
      effect: 'prevented',
      outcome: 'unchanged',
    });
  });

  test('when=run: nothing changes before the instant, then everything as it was said', () => {
    const fault = 'memory:by=dma,region=slab,writes=5,when=run,within=2000';
    const { machine, effect, writes } = only(fault);
    expect(effect).toBe('scheduled');
    for (const write of writes) {
      expect(write.outcome).toBe('scheduled');
      expect(write.atNs).toBeLessThan(2 * second);
      expect(hex(bytesAt(machine, write, 8))).toBe(write.before);
    }
    machine.clock.spend(2 * second, 'waiting');
    for (const write of writes) expect(hex(bytesAt(machine, write, 8))).toBe(write.after);
  });

  test('a bit that flips later flips what is there by then, and no other bit', () => {
    const fault = 'memory:by=memory-error,region=slab,bytes=8,when=run,within=1000';
    const { machine, writes } = only(fault);
    const [write] = writes;
    const written = new Uint8Array(8).fill(0x5a);
    machine.memory.write(BigInt(write!.physical!), written);
    machine.clock.spend(second, 'waiting');
    const bits = bytesAt(machine, write!, 8).map((byte) => byte ^ 0x5a);
    const flipped = [...bits].reduce(
      (sum, byte) => sum + byte.toString(2).replace(/0/g, '').length,
      0,
    );
    expect(flipped).toBe(1);
  });
});

describe('devices', () => {
  test('conditions of the disk are set, and no memory is changed', () => {
    const words = ['disk-busy:commands=5', 'disk-hung', 'disk-slow:factor=9'];
    const { machine } = struck(words);
    const expected = { inFlight: 5, hung: 'until reset', slowdown: 9 };
    expect(machine.disk.condition).toMatchObject(expected);
    expect(only('disk-hung:until=never').machine.disk.condition.hung).toBe('for good');
  });

  test('bad sectors lie in the partitions, so many in each', () => {
    const { machine } = only('disk-bad-sectors:count=9,sectors=3');
    const { badSectors } = machine.disk.condition;
    for (const { start, size } of machine.disk.partitions) {
      const inside = badSectors.filter((bad) => bad.start >= start && bad.end <= start + size);
      expect(inside).toHaveLength(9);
      for (const bad of inside) expect(bad.end - bad.start).toBe(3 * 512);
    }
  });

  test('too small a disk is so when the machine is made', () => {
    const small = configure(blueprint, [parseFault('disk-too-small:percent=5')]);
    const ram = blueprint.ram.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(small.options.dumpPartitionBytes).toBe(Math.ceil(ram / 20));
    expect(small.options.filesPartitionBytes).toBe(Math.ceil(ram / 20));
    expect(configure(blueprint, [parseFault('disk-hung')])).toEqual(blueprint);
  });

  test('a watchdog is wound up when the machine is made; the last one counts', () => {
    const faults = ['watchdog:seconds=5', 'watchdog:seconds=7'].map(parseFault);
    expect(configure(blueprint, faults).options.watchdogSeconds).toBe(7);
  });

  test('DMA that goes on writes again and again', () => {
    const { machine, effect, writes } = only('dma-goes-on:every=100,for=1');
    expect(effect).toBe('scheduled');
    machine.clock.spend(2 * second, 'waiting');
    const { physical, after } = writes.at(-1)!;
    expect(physical).toBeDefined();
    expect(after).toBe('64 bytes');
    expect(bytesAt(machine, writes.at(-1)!, 64)).not.toEqual(
      bytesAt(struck([]).machine, writes.at(-1)!, 64),
    );
  });

  test('packets that arrive take the buffers of the ring in memory, each once', () => {
    const { machine, effect, writes } = only('network-busy:packets=8,every=5,bytes=100');
    expect(effect).toBe('scheduled');
    expect(writes.map(({ atNs }) => atNs)).toEqual(
      [5, 10, 15, 20, 25, 30, 35, 40].map(milliseconds),
    );
    const ring = receiveBuffers(machine.memory, image.options.devices!).map(({ start }) => start);
    expect(writes.map(({ physical }) => Number(physical))).toEqual(ring.slice(0, 8));
    const before = writes.map((write) => hex(bytesAt(machine, write, 100)));
    machine.clock.spend(milliseconds(20), 'waiting');
    const changed = writes.map(
      (write, index) => hex(bytesAt(machine, write, 100)) !== before[index],
    );
    expect(changed).toEqual([true, true, true, true, false, false, false, false]);
  });

  test('packets for which no buffer is left are dropped', () => {
    const { machine, remarks } = only('network-busy:packets=4096,every=1');
    const ring = receiveBuffers(machine.memory, image.options.devices!);
    expect(ring.length).toBeLessThan(4096);
    expect(remarks[0]).toBe(`${ring.length} writes every 1 ms until its reset`);
  });

  test.each([
    [8, 8],
    [1024, 256],
  ])('%i requests of a queue have %i of its tags, and no other queue has any', (requests, tags) => {
    const taken = (machine: Machine): number[] => {
      const [disk] = disks(machine.kernel);
      const { hardware } = queueState(readerOf(machine), disk!.device);
      return hardware.flatMap((queue) => queue.tags.map(({ depth, free }) => depth - free));
    };
    expect(taken(struck([]).machine)).toEqual([0, 0]);
    const { machine, effect } = only(`queue-busy:requests=${requests}`);
    expect(effect).toBe('done');
    expect(taken(machine).sort()).toEqual([0, tags]);
  });

  test.each([
    ['interrupt-lost:line=nic', 'nic', 'lost'],
    ['interrupt-storm', 'disk', 'storm'],
  ])('%s', (fault, line, state) => {
    expect(only(fault).machine.interrupts.line(line).state).toBe(state);
  });

  test('firmware that clears memory', () => {
    expect(only('firmware-clears-memory').machine.firmware.keepsMemory).toBe(false);
  });
});

describe('CPUs', () => {
  const panicking = blueprint.rewinding.panic.cpu;
  const other = 1 - panicking;

  test('without a number it is one that did not panic', () => {
    for (const seed of [1, 2, 3]) {
      const { machine } = only('cpu-dead', seed);
      expect(machine.cpu(other).state).toBe('dead');
      expect(machine.panicCpu.state).toBe('running');
    }
  });

  test('deaf, spinning, and no NMI at all', () => {
    const deaf = only(`cpu-deaf:cpu=${other}`).machine.cpu(other);
    expect(deaf.condition).toMatchObject({ takesNmi: false, takesIpi: false });
    expect(only('cpu-spinning').machine.cpu(other).state).toBe('spinning');
    expect(only('nmi-broken').machine.cpu(other).condition.takesNmi).toBe(false);
  });

  test.each([
    [`cpu-dead:cpu=${panicking}`, 'is the one that panics'],
    ['cpu-dead:cpu=17', 'CPU 17 does not exist'],
  ])('%s is refused', (fault, message) => {
    expect(() => only(fault)).toThrow(DumpError);
    expect(() => only(fault)).toThrow(message);
  });
});

describe('locks', () => {
  test.each([
    ['kexec', '__kexec_lock'],
    ['console', 'console_sem'],
    ['allocator', undefined],
    ['runqueue', undefined],
    ['queue', undefined],
    ['hctx', undefined],
    ['host', undefined],
  ])('%s: its words say held, the holder is synthetic', (name, symbol) => {
    const { machine, effect, writes, remarks } = only(`lock-held:name=${name}`);
    expect(effect).toBe('done');
    expect(remarks.join()).toContain('synthetic');
    if (symbol !== undefined) expect(writes[0]!.symbol).toContain(symbol);
    for (const write of writes) {
      expect(write.outcome).not.toMatch(/mapped|memory/);
      expect(hex(bytesAt(machine, write, 4))).toBe(write.after);
    }
  });
});

describe('a machine of another kernel', () => {
  test('linux 6.12 with five levels: every region that is there, every lock', async () => {
    const dump = await openFile(dumpPath('linux-6.12.kdump'));
    const other = new PreparedCapture(blueprintOf(dump, { sha256: world.sha256 }), {
      method: 'mkdump',
    });
    const faults = [
      ...regionNames.map((name) => `memory:by=memory-error,region=${name},writes=2`),
      // The pages of its disk's queue are not in that dump.
      ...['kexec', 'console', 'allocator', 'runqueue'].map((name) => `lock-held:name=${name}`),
    ];
    const run = other.begin((machine, targets) =>
      strike(machine, targets, numbered(faults.map(parseFault)), 1),
    );
    for (const note of run.faults) {
      expect(note.writes.length, note.fault).toBeGreaterThan(0);
    }
    dump.close();
  });
});
