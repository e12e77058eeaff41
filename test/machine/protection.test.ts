/**
 * Who may write where: stores of a CPU against its page tables, DMA and broken memory against what
 * the machine has; and what the same bytes do to kexec by either way.
 */

import { describe, expect, test } from 'vitest';
import type { KexecState } from '../../src/capture/kexec/state.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { blueprint, finish, type Prepared, prepared } from './stages.ts';
import { u32, u64 } from './support.ts';

const what = 'test';
const bytes = Uint8Array.of(1, 2, 3);

function symbol({ kernel }: Machine, name: string): bigint {
  return kernel.symbol(name).address;
}

function kexecState({ state }: Prepared): KexecState {
  return state as KexecState;
}

describe('a store of a CPU', () => {
  test('to kernel text is a fault of the writer, and nothing is changed', () => {
    const { machine } = prepared('kexec');
    const address = symbol(machine, 'panic');
    expect(machine.damage({ by: 'cpu', address, bytes, what })).toBe('read-only');
    expect(finish(prepared('kexec')).last.result).toBe('ok');
  });

  test('to data is done, across a page boundary as well', () => {
    const { machine } = prepared('kexec');
    const address = (symbol(machine, 'panic_cpu') | 0xfffn) - 1n;
    expect(machine.damage({ by: 'cpu', address, bytes, what })).toBe('done');
    expect(machine.virtual.read(address, 3)).toEqual(bytes);
  });

  test('to an address that nothing maps, or from a mapped page into one, is a fault', () => {
    const { machine } = prepared('kexec');
    for (const address of [0n, 0xffff_1234_0000_0000n]) {
      expect(machine.damage({ by: 'cpu', address, bytes, what })).toBe('not mapped');
    }
  });

  test('to the reserved region of a loaded crash kernel is a fault; all of it but one page', () => {
    const run = prepared('kexec');
    const { machine } = run;
    const { region } = kexecState(run).crash;
    const results = new Map<string, number>();
    for (let at = region.start; at < region.end; at += 4096) {
      const address = machine.kernel.toVirtual(BigInt(at));
      const result = machine.damage({ by: 'cpu', address, bytes, what });
      results.set(result, (results.get(result) ?? 0) + 1);
    }
    const pages = (region.end - region.start) / 4096;
    expect(Object.fromEntries(results)).toEqual({ 'read-only': pages - 1, done: 1 });
  });

  test('next to that region is none: only its own pages lost their right to be written', () => {
    const run = prepared('kexec');
    const { region } = kexecState(run).crash;
    for (const at of [region.start - 4096, region.end]) {
      const address = run.machine.kernel.toVirtual(BigInt(at));
      expect(run.machine.virtual.translate(address).writable).toBe(true);
      expect(Number(run.machine.virtual.translate(address).physical)).toBe(at);
    }
  });
});

describe('DMA and memory errors', () => {
  test.each(['dma', 'memory-error'] as const)('%s hits read-only pages like any other', (by) => {
    const run = prepared('kexec');
    const { start } = kexecState(run).crash.segments[0]!;
    const address = BigInt(start + 100);
    expect(run.machine.damage({ by, address, bytes, what })).toBe('done');
    expect(finish(run).last).toMatchObject({ name: 'purgatory', object: 'purgatory digest' });
  });

  test('where the machine has no memory there is nothing to hit', () => {
    const { machine } = prepared('kexec');
    for (const address of [2n ** 45n, BigInt(machine.memory.endPfn) * 4096n]) {
      expect(machine.damage({ by: 'dma', address, bytes, what })).toBe('no memory');
    }
  });
});

describe('what kexec needs in ordinary memory', () => {
  const overwrite = (run: Prepared, address: bigint, length: number) =>
    run.machine.damage({ by: 'cpu', address, bytes: new Uint8Array(length).fill(0x6b), what });

  test('targets name it: kimage and transition tables in RAM, purgatory in the region', () => {
    const { method, machine, state } = prepared('kexec');
    const { code, structures, reserved } = method.targets(machine, state);
    const region = reserved[0]!;
    const isInside = ({ start, end }: { start: number; end: number }) =>
      start >= region.start && end <= region.end;
    expect(code.every(isInside)).toBe(true);
    expect(structures.some(isInside)).toBe(false);
    expect(structures.length).toBe(1 + machine.kernel.memory.root.levels - 1);
  });

  test('an overwritten kimage leads to no control page', () => {
    const run = prepared('kexec');
    expect(overwrite(run, kexecState(run).crash.image, 784)).toBe('done');
    expect(finish(run).last).toMatchObject({ kind: 'nested fault', object: 'control page' });
  });

  test('a pointer to a kimage that is none: the kimage is named', () => {
    const run = prepared('kexec');
    run.machine.poke(symbol(run.machine, 'kexec_crash_image'), u64(0x6b6b_6b6bn));
    expect(finish(run).last).toMatchObject({ kind: 'nested fault', object: 'kimage' });
  });

  test('an overwritten list head is kimage.head', () => {
    const run = prepared('kexec');
    const { image } = kexecState(run).crash;
    const head = BigInt(run.machine.kernel.types.offsetOf('struct kimage', 'head'));
    overwrite(run, image + head, 8);
    expect(finish(run).last).toMatchObject({ kind: 'nested fault', object: 'kimage.head' });
  });

  test('an overwritten transition table is called that, whichever level it is', () => {
    const { method, machine, state } = prepared('kexec');
    const [, ...tables] = method.targets(machine, state).structures;
    for (const { start } of tables) {
      const run = prepared('kexec');
      const address = BigInt(start);
      const zeros = new Uint8Array(4096);
      run.machine.damage({ by: 'memory-error', address, bytes: zeros, what });
      const { last, seconds } = finish(run);
      expect(last).toMatchObject({ kind: 'nested fault', object: 'transition page table' });
      // No handler is left: the CPU resets the machine at once.
      expect(last).toHaveProperty('cause', expect.stringContaining('triple fault'));
      expect(seconds).toBeLessThan(1);
    }
  });
});

describe('a fault on the way down', () => {
  test('behind the lock: the nested panic finds it held and loops for ever', () => {
    const run = prepared('kexec');
    run.machine.poke(symbol(run.machine, 'vmcoreinfo_note'), u64(0x6b6b_6b6bn));
    const { last, seconds } = finish(run);
    expect(last).toMatchObject({
      kind: 'nested fault',
      cause: expect.stringContaining('finds __kexec_lock held and panic() loops for ever'),
    });
    expect(seconds).toBe(3600);
  });

  test('until the watchdog, or until panic_timeout, whichever comes first', () => {
    const ends = (watchdog: number | undefined, timeout: number) => {
      const run = prepared('kexec');
      run.machine.setWatchdog(watchdog);
      run.machine.poke(symbol(run.machine, 'vmcoreinfo_note'), u64(0x6b6b_6b6bn));
      run.machine.poke(symbol(run.machine, 'panic_timeout'), u32(timeout));
      return Math.floor(finish(run).seconds);
    };
    expect([ends(30, 0), ends(30, 10), ends(5, 10)]).toEqual([30, 10, 5]);
  });

  test('a shoot-down that was done already is not done again: the other CPU runs on', () => {
    const run = prepared('kexec');
    run.machine.poke(symbol(run.machine, 'crash_ipi_issued'), u32(1));
    const { stages } = finish(run);
    const shootDown = stages.find(({ name }) => name === 'NMI shoot-down');
    expect(shootDown?.remarks).toContain('crash_ipi_issued is set: no CPU is stopped');
    expect(run.machine.cpus.map(({ state }) => state)).not.toContain('in NMI');
  });

  test('the crash time is what the timekeeper says, whatever that is', () => {
    const run = prepared('kexec');
    const { kernel } = run.machine;
    const seconds = kernel.types.offsetOf('struct timekeeper', 'xtime_sec');
    run.machine.poke(symbol(run.machine, 'tk_core') + 8n + BigInt(seconds), u64(12345n));
    const { stages } = finish(run);
    expect(stages.at(-1)).toMatchObject({ name: 'reboot' });
    const text = new TextDecoder().decode(
      run.machine.virtual.read(
        run.machine.virtual.u64(symbol(run.machine, 'vmcoreinfo_data')),
        4096,
      ),
    );
    expect(text).toContain('\nCRASHTIME=12345\n');
  });
});

test('a scheduled write to a page that the input does not hold is not made', () => {
  const { machine } = prepared('mkdump');
  let hole = 0;
  while (['stored', 'zero'].includes(machine.memory.state(hole))) hole++;
  const by = { device: 'nic' };
  machine.schedule({ atNs: 5, by, physical: hole * 4096 + 8, bytes, what });
  machine.clock.spend(10, 'test');
  expect(machine.memory.state(hole)).toBe(blueprint.input.state(hole));
});

test('what is wrong with a machine is saved and restored with it', () => {
  const { machine } = prepared('mkdump');
  machine.disk.condition.hung = 'until reset';
  machine.interrupts.line('nic').state = 'storm';
  machine.firmware.keepsMemory = false;
  machine.setWatchdog(77);
  machine.cpus[0]!.condition.takesIpi = false;
  machine.silence('disk');
  machine.schedule({ atNs: 5, by: { device: 'nic' }, physical: 4096, bytes, what });
  const { memory: _, ...saved } = structuredClone(machine.save());
  const { memory: __, ...again } = machine.fork().save();
  expect(again).toEqual(saved);
  expect(saved).toMatchObject({ watchdogNs: 77e9, schedule: { quiet: ['disk'] } });
});
