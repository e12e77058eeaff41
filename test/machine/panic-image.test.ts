/** The machine of the panic images that come along: nothing placed or rewound, all recorded. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { KexecState } from '../../src/capture/kexec/state.ts';
import type { Blueprint } from '../../src/machine/blueprint.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import type { DeviceState } from '../../src/machine/devices.ts';
import { footprintOf } from '../../src/machine/footprints.ts';
import type { RunningDelta } from '../../src/machine/running.ts';
import { openFile } from '../support/fixture.ts';
import { footprints, openPanic } from '../support/machines.ts';
import { finish, prepared } from './stages.ts';
import { flip, world } from './support.ts';

interface Side {
  readonly images: readonly {
    readonly name: string;
    readonly devices: DeviceState;
    readonly runs: readonly { file: string; cpu: number; nanoseconds: number }[];
  }[];
}

const folder = new URL('../../fixtures/machine/', import.meta.url);
const side = JSON.parse(readFileSync(new URL('machine.json', folder), 'utf8')) as Side;

async function imageOf(name: string): Promise<Blueprint> {
  const { devices } = side.images.find((image) => image.name === name)!;
  return blueprintOf(await openPanic(name), { ...world, footprints, devices });
}

async function deltasOf(name: string): Promise<RunningDelta[]> {
  const deltas: RunningDelta[] = [];
  let afterNs = 0;
  for (const { file, cpu, nanoseconds } of side.images.find((image) => image.name === name)!.runs) {
    const dump = await openFile(new URL(file, folder).pathname);
    afterNs += nanoseconds;
    const pages: [number, Uint8Array][] = [];
    for (const { first, end, state } of dump.runs()) {
      if (state === 'missing' || state === 'excluded') continue;
      for (let pfn = first; pfn < end; pfn++) pages.push([pfn, dump.readPage(pfn).bytes!]);
    }
    deltas.push({ afterNs, cpu, pages });
  }
  return deltas;
}

const image = await imageOf('null-process');

test('the recorded path is in the text of the image, byte by byte, and is what is executed', () => {
  const run = prepared('kexec', {}, image);
  const executed: string[] = [];
  run.machine.trace = ({ what, name }) => {
    if (what === 'execute') executed.push(name);
  };
  expect(finish(run).last).toMatchObject({ name: 'reboot', result: 'ok' });
  for (const [role, stage] of [
    ['panicking CPU', 'nmi_shootdown_cpus'],
    ['other CPU', 'asm_exc_nmi'],
  ] as const) {
    const functions = footprintOf(footprints, { path: 'crash-kexec', role, stage })!;
    expect(executed).toEqual(expect.arrayContaining(functions.map((code) => code.function)));
  }
  // panic() and oops_end() are behind the instant: it stands at the entry of __crash_kexec().
  expect(executed).not.toContain('panic');
});

test('what a stage calls counts as well: the formatting of CRASHTIME, the I/O APIC', () => {
  for (const [name, stage] of [
    ['vsnprintf', 'VMCOREINFO'],
    ['clear_IO_APIC', 'NMI shoot-down'],
  ]) {
    const run = prepared('kexec', {}, image);
    flip(run.machine, run.machine.kernel.symbol(name!).address);
    expect(finish(run).last).toMatchObject({ name: stage, kind: 'wild jump' });
    const mkdump = prepared('mkdump', {}, image);
    flip(mkdump.machine, mkdump.machine.kernel.symbol(name!).address);
    expect(finish(mkdump).last).toMatchObject({ name: 'reboot', result: 'ok' });
  }
});

test('the really loaded crash kernel is protected as the placed one is', () => {
  const run = prepared('kexec', {}, image);
  const { crash, control } = run.state as KexecState;
  expect(crash.origin).toBe('loaded');
  expect(control.code).toBe(0);
  const writable: number[] = [];
  for (let at = crash.region.start; at < crash.region.end; at += 4096) {
    const address = run.machine.kernel.toVirtual(BigInt(at));
    if (run.machine.virtual.translate(address).writable) writable.push(at);
  }
  const code = run.method.targets(run.machine, run.state).code.at(-1)!;
  expect(writable).toEqual([code.start]);
});

test('devices are those of the side file: what is in flight is in the rings', async () => {
  const idle = prepared('mkdump', {}, image).machine;
  expect(idle.deviceOrigin).toBe('side file');
  expect(idle.disk.condition.inFlight).toBe(0);
  const busy = prepared('mkdump', {}, await imageOf('null-disk-busy')).machine;
  expect(busy.disk.condition.inFlight).toBeGreaterThan(0);
  expect(busy.edits.map(({ what }) => what).join()).not.toContain('disk queue');
});

test('a CPU that nobody stops does again what it did when the guest ran on', async () => {
  const deltas = await deltasOf('null-process');
  const run = prepared('mkdump', { deltas }, image);
  const cpu = run.machine.cpu(deltas[0]!.cpu);
  cpu.condition.takesNmi = false;
  finish(run);
  const last = deltas.at(-1)!;
  const own = run.machine.ownWrites;
  let equal = 0;
  for (const [pfn, bytes] of last.pages) {
    if (own.of(pfn).length > 0) continue;
    expect(Buffer.compare(run.machine.memory.readPage(pfn).bytes!, bytes), `pfn ${pfn}`).toBe(0);
    equal++;
  }
  expect(equal).toBeGreaterThan(5);
  expect(run.machine.edits.map(({ what }) => what).join()).not.toContain('synthetic');
  // Stopped in time, it does none of it.
  const stopped = prepared('mkdump', { deltas }, image);
  const before = stopped.machine.memory.readPage(last.pages[0]![0]).bytes!;
  finish(stopped);
  expect(stopped.machine.memory.readPage(last.pages[0]![0]).bytes).toBe(before);
});
