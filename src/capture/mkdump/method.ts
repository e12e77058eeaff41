/**
 * mkdump (NTT Data, VA Linux Japan; 2004): a mini kernel that was loaded anywhere beforehand needs
 * of the crashed kernel the way from the trap to the jump and nothing more. It works only in its
 * own region, drives the disk by polling, and writes RAM to a raw partition; `save` makes an LKCD
 * dump of that after the reboot. It checks nothing of itself and nothing of what it is handed.
 */

import { pageLayout } from '../../linux/page-layout.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { descriptions } from '../catalogue.ts';
import type { CaptureOptions, CaptureTargets, DumpMethod } from '../method.ts';
import { miniKernelStages } from './mini-kernel.ts';
import { panicStages } from './panic.ts';
import { Control, loadMiniKernel } from './resident.ts';
import { saveMkdump } from './save.ts';
import type { MkdumpState } from './state.ts';

export const mkdump: DumpMethod<MkdumpState> = {
  ...descriptions.mkdump,
  partition: 'dump',
  prepare,
  stages: () => [...panicStages, ...miniKernelStages],
  targets,
  save: saveMkdump,
};

/** `mkexec` at boot: the mini kernel is loaded and told what to dump, and where to. */
function prepare(machine: Machine, options: CaptureOptions): MkdumpState {
  const layout = pageLayout(machine.kernel);
  const resident = loadMiniKernel(machine, layout, options);
  machine.ownWrites.declare([resident.region]);
  return {
    options,
    layout,
    resident,
    entry: 0,
    pageTables: 0,
    registers: 0n,
    message: 0n,
    selected: undefined,
    time: 0,
    pagesWritten: 0,
  };
}

function targets(machine: Machine, { resident }: MkdumpState): CaptureTargets {
  const at = (address: bigint, size: number): PhysicalRange => {
    const start = Number(machine.virtual.translate(address).physical);
    return { start, end: start + size };
  };
  const control = machine.virtual.u64(resident.controlPointer);
  return {
    code: [...resident.code],
    structures: [at(resident.controlPointer, 8), at(control, Control.size)],
    reserved: [resident.region],
  };
}
