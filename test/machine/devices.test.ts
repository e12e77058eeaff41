/** What is wrong with disk, interrupts and CPUs, and what the two methods make of it. */

import { describe, expect, test } from 'vitest';
import { millisecond, second } from '../../src/machine/clock.ts';
import { receiveBuffers, requestsInFlight } from '../../src/machine/devices.ts';
import { hardwareNames, hardwareProfile } from '../../src/machine/hardware.ts';
import { Machine } from '../../src/machine/machine.ts';
import { blueprint, finish, prepared } from './stages.ts';
import { u64 } from './support.ts';

/** A page that no method has any business in. */
const banner = blueprint.kernel.symbol('linux_banner').address;
const victim = Number(blueprint.kernel.memory.translate(banner).physical & ~0xfffn);

const both = ['kexec', 'mkdump'] as const;

function stage(ending: ReturnType<typeof finish>, name: RegExp) {
  return ending.stages.find((candidate) => name.test(candidate.name));
}

describe.each(both)('%s, disk', (name) => {
  test('healthy: no retries, no remarks, ends with the reboot', () => {
    const ending = finish(prepared(name));
    expect(ending.last).toMatchObject({ name: 'reboot', result: 'ok' });
    expect(ending.stages.filter(({ retries }) => retries !== undefined)).toEqual([]);
  });

  test('hung until its reset: the reset brings it back', () => {
    const run = prepared(name);
    run.machine.disk.condition.hung = 'until reset';
    expect(finish(run).last).toMatchObject({ name: 'reboot', result: 'ok' });
    expect(run.machine.disk.condition.hung).toBe('no');
  });

  test('slow: the same dump, later', () => {
    const healthy = finish(prepared(name));
    const run = prepared(name);
    run.machine.disk.condition.slowdown = 50;
    const slow = finish(run);
    expect(slow.last.name).toBe('reboot');
    expect(slow.seconds).toBeGreaterThan(healthy.seconds + 1);
  });

  test('slow, and a watchdog that does not wait: what was written by then stays', () => {
    const run = prepared(name);
    run.machine.disk.condition.slowdown = 200;
    run.machine.setWatchdog(10);
    const { last, seconds } = finish(run);
    expect(last).toMatchObject({ kind: 'reset', name: expect.stringMatching(/^pages$|write$/) });
    expect(seconds).toBe(10);
    expect(run.machine.disk.writes.length).toBeGreaterThan(0);
  });

  test('a bad sector: the driver hears of a medium error, what lies before it is written', () => {
    const run = prepared(name);
    const { disk } = run.machine;
    const { start } = disk.partition(name === 'kexec' ? 'files' : 'dump');
    const bad = start + 3_000_000;
    disk.condition.badSectors.push({ start: bad, end: bad + 512 });
    const { last } = finish(run);
    expect(last).toMatchObject({ result: 'failed', kind: 'refused', object: 'disk' });
    expect(last).toHaveProperty('cause', expect.stringContaining('medium error at byte'));
    const end = Math.max(...disk.writes.map(([, until]) => until));
    expect(end).toBeLessThanOrEqual(bad);
    expect(bad - end).toBeLessThan(512);
  });
});

describe('a disk that is hung for good', () => {
  test('kexec on virtio-scsi waits for ever: its driver only starts the timer again', () => {
    const run = prepared('kexec');
    run.machine.disk.condition.hung = 'for good';
    expect(finish(run).last).toMatchObject({ name: 'device reset', kind: 'hang', object: 'disk' });
  });

  test.each(['pvscsi', 'scsi-2004', 'nvme-server'])(
    'kexec on %s: INQUIRY three times, then no disk',
    (hardware) => {
      const run = prepared('kexec', { hardware: hardwareProfile(hardware) });
      run.machine.disk.condition.hung = 'for good';
      const { last, seconds } = finish(run);
      expect(last).toMatchObject({ name: 'device reset', kind: 'refused', retries: 3 });
      expect(seconds).toBeGreaterThan(60);
    },
  );

  test('mkdump pulls the reset line three times and gives up', () => {
    const run = prepared('mkdump');
    run.machine.disk.condition.hung = 'for good';
    expect(finish(run).last).toMatchObject({ name: 'disk reset', kind: 'refused', retries: 3 });
  });
});

describe('commands of the crashed kernel in flight', () => {
  test('mkdump lets them end; kexec resets the controller under them', () => {
    const idle = { mkdump: finish(prepared('mkdump')), kexec: finish(prepared('kexec')) };
    for (const name of both) {
      const run = prepared(name);
      run.machine.disk.condition.inFlight = 100;
      const { last, seconds } = finish(run);
      expect(last.result).toBe('ok');
      expect(run.machine.disk.condition.inFlight).toBe(0);
      const longer = seconds - idle[name].seconds;
      if (name === 'mkdump') expect(longer).toBeGreaterThan(0.02);
      else expect(longer).toBe(0);
    }
  });

  test('more than mkdump waits for: reset under them, and it says so', () => {
    const run = prepared('mkdump');
    Object.assign(run.machine.disk.condition, { inFlight: 100, slowdown: 1000 });
    const reset = stage(finish(run), /^disk reset$/);
    expect(reset?.remarks?.join()).toContain('did not end');
  });

  test('a command slower than the time limit: recovery, retries, and then offline', () => {
    const run = prepared('kexec', { hardware: hardwareProfile('scsi-2004') });
    run.machine.setWatchdog(undefined);
    run.machine.disk.condition.slowdown = 10_000;
    const { last } = finish(run);
    expect(last).toMatchObject({ name: 'filter, compress, write', retries: 5, object: 'disk' });
    expect(last).toHaveProperty('cause', expect.stringContaining('offline'));
  });

  const queue = { index: 2, size: 16, desc: 0x1000, avail: 0x2000, used: 0x3000, inFlight: 1 };

  test('are counted from the rings in memory, and a file that says otherwise is named', () => {
    const { memory } = Machine.of(blueprint);
    const base = blueprint.ram[0]!.start;
    const moved = { ...queue, desc: base + 0x1000, avail: base + 0x2000, used: base + 0x3000 };
    for (const at of [moved.desc, moved.avail, moved.used]) {
      memory.write(BigInt(at), new Uint8Array(4096));
    }
    memory.write(BigInt(moved.avail), Uint8Array.of(0, 0, 1, 0));
    memory.write(BigInt(moved.used), Uint8Array.of(0, 0, 0xfe, 0xff));
    const found = requestsInFlight(memory, { scsi: { queues: [moved] } });
    expect(found).toMatchObject({ inFlight: 3, remarks: [expect.stringContaining('3 requests')] });
    const same = requestsInFlight(memory, { scsi: { queues: [{ ...moved, inFlight: 3 }] } });
    expect(same).toEqual({ inFlight: 3, remarks: [] });
  });

  test('rings that lead nowhere are said to be missing, and the file is believed', () => {
    const { memory } = Machine.of(blueprint);
    const wild = { ...queue, avail: 2 ** 45, used: 2 ** 45 };
    const found = requestsInFlight(memory, { scsi: { queues: [wild] } });
    expect(found).toMatchObject({ inFlight: 1, remarks: [expect.stringContaining('not in')] });
    expect(receiveBuffers(memory, { network: { mac: '', queues: [wild, wild, wild] } })).toEqual(
      [],
    );
  });

  test('buffers that the card may fill are those of the receive queue that it has not used', () => {
    const { memory } = Machine.of(blueprint);
    const base = blueprint.ram[0]!.start;
    const receive = { ...queue, index: 0, desc: base, avail: base + 0x1000, used: base + 0x2000 };
    for (const at of [receive.desc, receive.avail, receive.used]) {
      memory.write(BigInt(at), new Uint8Array(4096));
    }
    memory.write(BigInt(receive.desc + 5 * 16), u64(0x1234_5000n));
    memory.write(BigInt(receive.desc + 5 * 16 + 8), u64(1500n));
    memory.write(BigInt(receive.avail), Uint8Array.of(0, 0, 1, 0, 5, 0));
    const queues = [receive, { ...queue, index: 1 }, { ...queue, index: 2 }];
    const found = receiveBuffers(memory, { network: { mac: '', queues } });
    expect(found).toEqual([{ start: 0x1234_5000, end: 0x1234_5000 + 1500 }]);
  });
});

describe('interrupts', () => {
  test('a lost line of the disk costs kexec ticks, because of irqpoll, and mkdump nothing', () => {
    for (const name of both) {
      const before = finish(prepared(name)).seconds;
      const run = prepared(name);
      run.machine.interrupts.line('disk').state = 'lost';
      const { last, seconds } = finish(run);
      expect(last.result).toBe('ok');
      if (name === 'kexec') expect(seconds).toBeGreaterThan(before + 0.004);
      else expect(seconds).toBe(before);
    }
  });

  test('a storm is shut off after 100,000, then the line is polled ten times a second', () => {
    const before = finish(prepared('kexec'));
    const run = prepared('kexec');
    run.machine.interrupts.line('disk').state = 'storm';
    const { last, seconds } = finish(run);
    expect(last.result).toBe('ok');
    expect(run.machine.interrupts.line('disk').enabled).toBe(false);
    const polls = run.machine.disk.commands * 0.1 + 0.2;
    expect(seconds - before.seconds).toBeCloseTo(polls, 6);
  });

  test('without a timer the capture kernel does not come up', () => {
    const run = prepared('kexec');
    run.machine.interrupts.line('timer').state = 'lost';
    expect(finish(run).last).toMatchObject({ kind: 'hang', object: 'timer' });
  });
});

describe.each(both)('%s, the other CPU', (name) => {
  const at = { atNs: 2 * second, what: 'test', bytes: Uint8Array.of(0xab) };

  test('takes the NMI: what it would have written later is not written', () => {
    const run = prepared(name);
    const physical = victim;
    run.machine.schedule({ ...at, by: { cpu: other(run.machine) }, physical });
    const before = byteAt(run.machine, physical);
    finish(run);
    expect(byteAt(run.machine, physical)).toBe(before);
  });

  test.each(['spinning', 'idle'] as const)('%s: an NMI stops it all the same', (state) => {
    const run = prepared(name);
    const cpu = run.machine.cpu(other(run.machine));
    cpu.state = state;
    finish(run);
    expect(cpu.state).toBe('in NMI');
  });

  test('does not take it: one second is lost, and it goes on writing and counting', () => {
    const run = prepared(name);
    const { machine } = run;
    const cpu = machine.cpu(other(machine));
    cpu.condition.takesNmi = false;
    const physical = victim;
    machine.schedule({ ...at, by: { cpu: cpu.number }, physical });
    const { stages } = finish(run);
    expect(byteAt(machine, physical)).toBe(0xab);
    expect(cpu.state).not.toBe('in NMI');
    const remarks = stages.flatMap((done) => done.remarks ?? []);
    expect(remarks).toContain(`CPU ${cpu.number} did not take the NMI within 1000 ms`);
    expect(machine.edits.map(({ what }) => what).join()).toContain(
      `synthetic: CPU ${cpu.number} goes on running`,
    );
    const clock = machine.kernel.perCpu('runqueues', cpu.number);
    const member = clock + BigInt(machine.kernel.types.offsetOf('struct rq', 'clock'));
    const passed = machine.virtual.u64(member) - machine.kernel.memory.u64(member);
    expect(Number(passed)).toBeGreaterThan(machine.clock.now - 4 * millisecond - 1);
  });

  test('what it wrote when the guest ran on is written again, word by word', () => {
    const number = other(Machine.of(blueprint));
    const pfn = victim / 4096;
    const page = blueprint.input.readPage(pfn).bytes!.slice();
    page[17] = page[17]! ^ 0xff;
    const deltas = [{ afterNs: 500 * millisecond, cpu: number, pages: [[pfn, page] as const] }];
    const run = prepared(name, { deltas });
    run.machine.cpu(number).condition.takesNmi = false;
    run.machine.memory.write(BigInt(pfn * 4096 + 8), Uint8Array.of(0x5a));
    finish(run);
    expect(byteAt(run.machine, pfn * 4096 + 17)).toBe(page[17]);
    expect(byteAt(run.machine, pfn * 4096 + 8)).toBe(0x5a);
    expect(run.machine.edits.map(({ what }) => what).join()).not.toContain('synthetic: CPU');
  });
});

test('of a device and a CPU that write one place, the later one wins, however long a step is', () => {
  const pfn = victim / 4096;
  const number = Machine.of(blueprint).cpus.find(({ state }) => state !== 'dead')!.number;
  const page = blueprint.input.readPage(pfn).bytes!.slice();
  page[0] = page[0]! ^ 0xff;
  const deltas = [{ afterNs: 500 * millisecond, cpu: number, pages: [[pfn, page] as const] }];
  for (const [atNs, wins] of [
    [400 * millisecond, page[0]],
    [600 * millisecond, 0xcd],
  ] as const) {
    const { machine } = prepared('mkdump', { deltas });
    const bytes = Uint8Array.of(0xcd);
    machine.schedule({ atNs, by: { device: 'nic' }, physical: victim, bytes, what: 'test' });
    machine.spend(second, 'one step');
    expect(byteAt(machine, victim)).toBe(wins);
  }
});

test.each(both)('%s: DMA of the disk ends when its reset line is pulled', (name) => {
  const run = prepared(name, { hardware: hardwareProfile('scsi-2004') });
  const what = 'test';
  const { resetNs } = run.machine.hardware.disk;
  const ending = finish(run, (stage) => {
    if (!/^d(isk|evice) reset$/.test(stage)) return;
    const atNs = run.machine.clock.now + resetNs / 2;
    const bytes = Uint8Array.of(0xcd);
    run.machine.schedule({ atNs, by: { device: 'disk' }, physical: victim, bytes, what });
  });
  expect(ending.last.name).toBe('reboot');
  expect(byteAt(run.machine, victim)).not.toBe(0xcd);
});

test('DMA of a device goes on until its reset: the card outlives the mini kernel, not kexec', () => {
  const physical = victim;
  const late = { bytes: Uint8Array.of(0xcd), what: 'test', by: { device: 'nic' }, physical };
  const writtenBy = (name: 'kexec' | 'mkdump') => {
    const run = prepared(name);
    // After kexec's reset of the devices, and before the end of both.
    const { seconds } = finish(prepared(name));
    run.machine.schedule({ ...late, atNs: (seconds - 0.001) * second });
    finish(run);
    return byteAt(run.machine, physical) === 0xcd;
  };
  expect({ kexec: writtenBy('kexec'), mkdump: writtenBy('mkdump') }).toEqual({
    kexec: false,
    mkdump: true,
  });
});

test('every hardware profile takes a dump by both methods; an unknown name is refused', () => {
  for (const hardware of hardwareNames) {
    for (const name of both) {
      const run = prepared(name, { hardware: hardwareProfile(hardware) });
      expect(finish(run).last).toMatchObject({ name: 'reboot', result: 'ok' });
    }
  }
  expect(() => hardwareProfile('ide')).toThrow(expect.objectContaining({ code: 'usage' }));
});

test('trace tells every stage, command and NMI; activity stays small', () => {
  const run = prepared('kexec');
  const seen = new Map<string, number>();
  run.machine.trace = ({ what }) => seen.set(what, (seen.get(what) ?? 0) + 1);
  const { stages } = finish(run);
  expect(seen.get('stage')).toBe(stages.length);
  expect(seen.get('nmi')).toBe(1);
  expect(seen.get('disk')).toBe(run.machine.disk.commands + 1);
  const { activity } = run.machine;
  expect(activity.length).toBeLessThan(30);
  expect(new Set(activity.map(({ lane }) => lane))).toEqual(new Set(['CPU 0', 'CPU 1', 'disk']));
  for (const { startNs, endNs } of activity) expect(endNs).toBeGreaterThanOrEqual(startNs);
});

function other(machine: Machine): number {
  return machine.cpus.find((cpu) => cpu !== machine.panicCpu)!.number;
}

function byteAt(machine: Machine, physical: number): number | undefined {
  return machine.memory.readPage(Math.floor(physical / 4096)).bytes?.[physical % 4096];
}
