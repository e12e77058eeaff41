/**
 * LKCD's memory dump (2002, after Mission Critical's mcore): all of memory is kept compressed in
 * itself, the same kernel boots again by a jump that leaves memory alone, and writes the dump with
 * devices that it has initialised. It needs no device of the crashed kernel, and room.
 */

import { pageLayout } from '../../linux/page-layout.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { takeRegion } from '../../machine/region.ts';
import { RegionPages } from '../../machine/region-pages.ts';
import { declareFlags, panicStages } from '../_lkcd/panic.ts';
import { loadLkcd } from '../_lkcd/resident.ts';
import { saveDeviceFile } from '../_lkcd/save.ts';
import { initialState } from '../_lkcd/state.ts';
import { descriptions } from '../catalogue.ts';
import type { CaptureOptions, CaptureTargets, DumpMethod } from '../method.ts';
import { standInCode } from '../stand-in-code.ts';
import { savingStages } from './first-kernel.ts';
import { secondKernelCode, writingStages } from './second-boot.ts';
import type { Bootstrap, LkcdMemState } from './state.ts';
import { Handover } from './store.ts';

export const lkcdMem: DumpMethod<LkcdMemState> = {
  ...descriptions['lkcd-mem'],
  partition: 'dump',
  prepare,
  stages: (options) => [...panicStages, ...savingStages(options), ...writingStages(options)],
  targets: (_, { resident, bootstrap }): CaptureTargets => ({
    code: [...resident.code],
    structures: [resident.region],
    reserved: [{ start: bootstrap.kernel.start, end: bootstrap.store.end }],
  }),
  save: saveDeviceFile,
};

/** Sizes are chosen: of the kernel that is booted, and of the bootstrap area, a part of RAM. */
const kernelSize = 256 * 1024;
const bootstrapPart = 8;
const lowMegabyte = { start: 0, end: 1024 * 1024 };

function prepare(machine: Machine, options: CaptureOptions): LkcdMemState {
  const layout = pageLayout(machine.kernel);
  const resident = loadLkcd(machine, layout, 0n);
  const ram = machine.ram.reduce((sum, { start, end }) => sum + end - start, 0);
  const what = "LKCD's second kernel and bootstrap area";
  const region = takeRegion(machine, layout, Math.ceil(ram / bootstrapPart), what);
  machine.ownWrites.declare([region]);
  declareFlags(machine);
  const bootstrap = layOut(machine, region);
  const { pageSize } = machine.memory;
  const places: number[] = [];
  for (let at = bootstrap.store.start; at < bootstrap.store.end; at += pageSize) {
    places.push(at / pageSize);
  }
  return {
    ...initialState(machine, options, layout, resident),
    bootstrap,
    bootTouches: [lowMegabyte, kernelImage(machine)],
    classes: [],
    store: { places, bytes: 0 },
    passes: [],
    filled: [],
    offset: 0,
    pages: 0,
  };
}

function layOut(machine: Machine, { start, end }: PhysicalRange): Bootstrap {
  const pages = new RegionPages(machine.memory, { start, end });
  const code = pages.fill(standInCode(kernelSize, 83));
  const kernel = { start: code.start, end: code.start + kernelSize };
  machine.noteCode(secondKernelCode, kernel);
  const handover = pages.take(Handover.size);
  const size = machine.memory.endPfn * 4;
  const list = pages.take(size);
  const first = Math.ceil((list + size) / machine.memory.pageSize) * machine.memory.pageSize;
  return {
    kernel,
    handover,
    list: { start: list, end: list + size },
    store: { start: first, end },
  };
}

/** It is loaded where it was: what lies there is overwritten. */
function kernelImage({ kernel, virtual }: Machine): PhysicalRange {
  const { address } = kernel.symbol('_text');
  const end = kernel.symbols.inKernel('_end')?.address ?? address;
  const start = Number(virtual.translate(address).physical);
  return { start, end: start + Number(end - address) };
}
