/**
 * LKCD to a disk (SGI, IBM and others, 1999 to 2005): the crashed kernel itself writes its memory
 * through its own block layer, with interrupts, while its other CPUs are on their way to
 * schedule(). It needs nearly all of that kernel, and checks nearly nothing; `lkcd save` brings the
 * dump out after the reboot.
 */

import { DumpError } from '../../bytes/errors.ts';
import { disks, type KernelDisk, queueState } from '../../linux/block.ts';
import { driverQueue } from '../../linux/disk-driver.ts';
import { irqDescriptors, irqState } from '../../linux/irq.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import type { Machine } from '../../machine/machine.ts';
import { deviceFile } from '../_lkcd/device-file.ts';
import { dumpStages } from '../_lkcd/dump-stages.ts';
import { declareFlags, panicStages } from '../_lkcd/panic.ts';
import { loadLkcd } from '../_lkcd/resident.ts';
import { saveDeviceFile } from '../_lkcd/save.ts';
import { initialState } from '../_lkcd/state.ts';
import { descriptions } from '../catalogue.ts';
import type { CaptureOptions, CaptureTargets, DumpMethod } from '../method.ts';
import { reboot } from '../second-kernel.ts';
import { blockLayer } from './block-layer.ts';
import { silenceStages } from './silence.ts';
import type { DriverFacts, LkcdDiskState } from './state.ts';

export const lkcdDisk: DumpMethod<LkcdDiskState> = {
  ...descriptions['lkcd-disk'],
  partition: 'dump',
  prepare,
  stages: (options) => [
    ...panicStages,
    ...silenceStages,
    ...dumpStages<LkcdDiskState>(options, (machine, state) =>
      deviceFile(machine, state, blockLayer(machine, state)),
    ),
    { name: 'reboot', run: reboot },
  ],
  targets,
  save: saveDeviceFile,
};

/** `lkcd config` at boot. */
function prepare(machine: Machine, options: CaptureOptions): LkcdDiskState {
  const { kernel } = machine;
  const [disk] = disks(kernel);
  if (disk === undefined) {
    throw new DumpError('unsupported', 'this machine has no disk that LKCD could write to', {
      hint: 'mkdump and kexec bring drivers of their own',
    });
  }
  const layout = pageLayout(kernel);
  const drivers = driversOf(machine, disk);
  machine.edits.push({ what: `LKCD's dump device is ${said(machine, disk, drivers)}` });
  declareFlags(machine);
  return {
    ...initialState(machine, options, layout, loadLkcd(machine, layout, disk.device)),
    isScsi: disk.isScsi,
    drivers,
    offset: 0,
    written: new Uint8Array(Math.ceil(machine.memory.endPfn / 8)),
    pages: 0,
    runningUntil: undefined,
  };
}

function driversOf({ kernel }: Machine, disk: KernelDisk): DriverFacts[] {
  const queue = queueState(kernel, disk.device);
  const interrupts = [...irqDescriptors(kernel, kernel.symbols).values()].map((address) =>
    irqState(kernel, address),
  );
  return queue.hardware.map(({ number }) => {
    const found = driverQueue(kernel, disk, queue, number);
    const own = interrupts.find(({ handlers }) =>
      handlers.some(({ deviceId }) => deviceId === found?.ring),
    );
    return { number, irq: own?.number, lock: found?.lock };
  });
}

function said(machine: Machine, { name }: KernelDisk, drivers: readonly DriverFacts[]): string {
  const part = machine.disk.partition('dump').name;
  const isKnown = drivers.every(({ irq }) => irq !== undefined);
  const driver = isKnown
    ? ''
    : '; its driver is not known: neither its locks nor its interrupt are';
  return `${part}, by the queue of ${name} in memory${driver}`;
}

function targets(_: Machine, { resident }: LkcdDiskState): CaptureTargets {
  return { code: [...resident.code], structures: [resident.region], reserved: [] };
}
