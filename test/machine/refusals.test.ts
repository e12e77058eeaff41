/** Every way that a stage ends by its own check, each by the one value that asks for it. */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import type { KexecState } from '../../src/capture/kexec/state.ts';
import type { MkdumpState } from '../../src/capture/mkdump/state.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { judge } from '../../src/trial/judge.ts';
import { CaptureRun } from '../../src/trial/run.ts';
import { openFixture } from '../support/fixture.ts';
import { capture, type Damage, finish, startRun, u32, u64, world } from './support.ts';

const dump = await openFixture();
type Hit = (machine: Machine, run: CaptureRun) => void;

function symbol(machine: Machine, name: string): bigint {
  return machine.kernel.symbol(name).address;
}

function kexecState(run: CaptureRun): KexecState {
  return run.save().state as KexecState;
}

/** The physical address of mkdump's parameters, at one of their members. */
function parameter(run: CaptureRun, offset: number): bigint {
  return BigInt((run.save().state as MkdumpState).resident.parameters + offset);
}

/** The control structure, which the module's pointer names. */
function control(machine: Machine, run: CaptureRun): bigint {
  const { resident } = run.save().state as MkdumpState;
  return machine.virtual.u64(resident.controlPointer);
}

async function failure(method: string, damage: Damage) {
  const { report } = await capture({ dump, method, level: 31, compression: 'none' }, damage);
  const { name: stage, kind, object, cause } = report.failed ?? {};
  return { stage, kind, object, cause };
}

const intoKimage =
  (member: string, value: bigint): Hit =>
  (machine, run) => {
    const offset = BigInt(machine.kernel.types.offsetOf('struct kimage', member));
    machine.poke(kexecState(run).crash.image + offset, u64(value));
  };

describe('kexec', () => {
  test.each<[string, Hit, object]>([
    [
      'panic entry',
      (machine) => machine.poke(symbol(machine, 'vmcoreinfo_size'), u64(4097n)),
      { stage: 'VMCOREINFO', kind: 'nested fault', object: 'vmcoreinfo_size' },
    ],
    [
      'panic entry',
      (machine) =>
        machine.poke(symbol(machine, 'vmcoreinfo_note'), u64(symbol(machine, 'linux_banner'))),
      { stage: 'VMCOREINFO', kind: 'nested fault', cause: expect.stringContaining('read-only') },
    ],
    [
      'machine_kexec',
      intoKimage('head', 0n),
      { stage: 'machine_kexec', kind: 'nested fault', cause: expect.stringContaining('no end') },
    ],
    [
      'crash image',
      (machine, run) =>
        intoKimage('start', BigInt(kexecState(run).crash.region.start))(machine, run),
      { stage: 'purgatory', kind: 'wild jump', object: 'kimage.start' },
    ],
    [
      'crash image',
      intoKimage('start', 2n ** 40n),
      { stage: 'machine_kexec', kind: 'nested fault' },
    ],
    [
      '/proc/vmcore',
      (machine, run) =>
        machine.memory.write(BigInt(kexecState(run).crash.elfcore.start + 64 + 40), u64(2n ** 40n)),
      { stage: '/proc/vmcore', kind: 'refused', object: 'elfcorehdr' },
    ],
    [
      '/proc/vmcore',
      (machine) =>
        machine.poke(machine.virtual.u64(symbol(machine, 'vmcoreinfo_note')), new Uint8Array(24)),
      { stage: 'filter, compress, write', kind: 'refused', object: 'vmcoreinfo_note' },
    ],
  ])('before %s (%#)', async (stage, hit, expected) => {
    expect(await failure('kexec', { [stage]: hit })).toMatchObject(expected);
  });

  test('a region too small for the capture kernel is out of memory', async () => {
    const request = { dump, machine: world };
    const saved = startRun({ ...request, method: 'kexec', level: 31 }).save();
    const state = saved.state as KexecState;
    const { start } = state.crash.region;
    const region = { start, end: start + 300_000 };
    const small = { ...saved, state: { ...state, crash: { ...state.crash, region } } };
    const { report } = await finish(CaptureRun.resume(request, small));
    expect(report.failed).toMatchObject({
      name: 'boot of the capture kernel',
      cause: expect.stringContaining('out of memory'),
    });
  });
});

describe('mkdump', () => {
  test.each<[string, Hit, object]>([
    [
      'panic entry',
      (machine, run) => machine.poke(control(machine, run), u64(0x10_0000n)),
      { stage: 'mini kernel', kind: 'wild jump', object: 'mkdump_control' },
    ],
    [
      'panic entry',
      (machine, run) => machine.poke(control(machine, run) + 8n, u64(0x10_0000n)),
      { stage: 'jump', kind: 'nested fault' },
    ],
    [
      'pages to dump',
      (machine, run) => machine.memory.write(parameter(run, 8), u64(5000n)),
      { stage: 'pages to dump', kind: 'refused', object: 'RAM table' },
    ],
    [
      'pages to dump',
      (machine, run) => {
        const table = new DataView(
          machine.memory.readPage(Number(parameter(run, 0) >> 12n)).bytes!.slice().buffer,
        );
        const at = table.getBigUint64(Number(parameter(run, 0) & 0xfffn), true);
        machine.memory.write(at + 8n, u64(2n ** 50n));
      },
      { stage: 'pages to dump', kind: 'refused', object: 'RAM table' },
    ],
    [
      'header',
      (machine, run) => machine.memory.write(parameter(run, 24), u64(100_000n)),
      { stage: 'header', kind: 'refused', object: 'parameters' },
    ],
    [
      'header',
      (machine, run) => machine.memory.write(parameter(run, 56), u64(8192n)),
      { stage: 'header', kind: 'refused', object: 'dump partition' },
    ],
  ])('before %s (%#)', async (stage, hit, expected) => {
    expect(await failure('mkdump', { [stage]: hit })).toMatchObject(expected);
  });

  test('a container of another version is not guessed at', async () => {
    const hit = (machine: Machine): void => {
      machine.disk.write(machine.disk.partition('dump').start + 8, u32(2));
    };
    const { report } = await capture({ dump, method: 'mkdump', level: 31 }, { reboot: hit });
    expect(report.verdict).toMatchObject({ class: 'none' });
    expect(report.verdict.reasons[0]).toContain('container of version 2');
  });
});

test('the judge on a file that does not open, and what goes before that', async () => {
  const open = () => Promise.reject(new DumpError('corrupt', 'no header'));
  const truth = () => expect.unreachable();
  const well = { bytesOutside: 0, lacking: undefined, noFile: 'nothing written' };
  const classOf = async (given: typeof open | undefined, changes: object) =>
    (await judge(given, truth, { ...well, ...changes })).class;
  expect(await classOf(open, {})).toBe('unreadable');
  expect(await classOf(undefined, {})).toBe('none');
  expect(await classOf(open, { lacking: 'a page' })).toBe('undecidable');
  expect(await classOf(open, { lacking: 'a page', bytesOutside: 1 })).toBe('destructive');
});
