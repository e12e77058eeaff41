/**
 * kexec, as kdump works today: the panicking kernel stops its other CPUs, notes all registers and
 * jumps into a second kernel that was loaded before; that one reads the old memory as /proc/vmcore,
 * filters it and writes a file. Source: kernel/{panic,kexec_core,crash_core}.c,
 * arch/x86/kernel/{crash,reboot,machine_kexec_64}.c, arch/x86/purgatory, fs/proc/vmcore.c.
 */

import { pageLayout } from '../../linux/pages.ts';
import { type CrashKernel, crashKernelOf } from '../../machine/crash-kernel.ts';
import type { Machine } from '../../machine/machine.ts';
import { purgatoryCode } from '../../machine/purgatory.ts';
import type { CaptureOptions, DumpMethod } from '../method.ts';
import { bootStages } from './capture-kernel.ts';
import { jumpStages } from './jump.ts';
import { panicStages } from './panic.ts';
import { saveKexec } from './save.ts';
import type { KexecState } from './state.ts';

export const kexec: DumpMethod<KexecState> = {
  name: 'kexec',
  format: 'kdump',
  compressions: ['none', 'zlib', 'lzo', 'snappy', 'zstd'],
  partition: 'files',
  prepare,
  stages: [...panicStages, ...jumpStages, ...bootStages],
  save: saveKexec,
};

/** `kexec -p` at boot, and the capture kernel's configuration. */
function prepare(machine: Machine, options: CaptureOptions): KexecState {
  const layout = pageLayout(machine.kernel);
  const crash = crashKernelOf(machine, layout);
  return {
    options,
    layout,
    purgatory: notePurgatory(machine, crash),
    crash,
    image: 0n,
    start: 0,
    control: { topTable: 0, code: 0 },
    notes: [],
    ram: [],
  };
}

/** Purgatory itself is in nobody's digest: whoever jumps into it executes what is there. */
function notePurgatory(machine: Machine, { segments, digest }: CrashKernel): string[] {
  const code = digest === undefined ? [] : purgatoryCode(segments, digest);
  return code.map((range, index) => {
    const name = index === 0 ? 'purgatory' : `purgatory, part ${index + 1}`;
    machine.noteCode(name, range);
    return name;
  });
}
