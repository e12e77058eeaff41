/** What is undone of a panic that went on: exactly this, and all of it is in the list. */

import { expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.ts';
import { dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { world } from './support.ts';

const edits = (machine: Machine) => machine.edits.map(({ what, before }) => `${what}: ${before}`);

test('CPUs that stop_this_cpu holds run again, and are online', async () => {
  const machine = Machine.fromDump(await openFixture(), world);
  expect(edits(machine)).toEqual([
    expect.stringContaining('CPU 1 gets back the context that stop_this_cpu interrupted'),
    'stopping_cpu: 0x00000000',
    '__cpu_online_mask: 0x0000000000000001',
    '__num_online_cpus: 0x00000001',
  ]);
});

test('after __crash_kexec its lock, numbers, notes and time are taken back', async () => {
  const machine = Machine.fromDump(await openFile(dumpPath('linux-6.12.kdump')), world);
  expect(edits(machine)).toEqual([
    '__kexec_lock: 0x00000001',
    'crashing_cpu: 0x00000001',
    'crash_ipi_issued: 0x00000001',
    'vmcoreinfo_size (without CRASHTIME): 0x0000000000000cd6',
    'crash_notes of CPU 0: 368 bytes',
    'crash_notes of CPU 1: 368 bytes',
  ]);
  const { kernel, virtual } = machine;
  const value = (name: string): number => virtual.i32(kernel.symbol(name).address);
  expect([value('__kexec_lock'), value('crashing_cpu'), value('crash_ipi_issued')]).toEqual([
    0, -1, 0,
  ]);
  const notes = virtual.u64(kernel.symbol('crash_notes').address);
  for (const cpu of kernel.cpus) {
    const note = virtual.read(BigInt.asUintN(64, notes + kernel.perCpuOffset(cpu)), 368);
    expect(note.every((byte) => byte === 0)).toBe(true);
  }
});
