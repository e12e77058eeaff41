/**
 * diskdump (Fujitsu, Red Hat; 2004): modules in the crashed kernel write memory to a partition that
 * was formatted for it, by the disk's own driver with interrupts off. It trusts as little as it
 * can: it checks its own code, the disk's state and locks, and the signatures of the partition, and
 * goes to the next partition where it does not like what it finds, in the end to netdump.
 */

import { pageLayout } from '../../linux/page-layout.ts';
import { second } from '../../machine/clock.ts';
import type { Disk } from '../../machine/disk.ts';
import { u32Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import { takePages } from '../../machine/region.ts';
import { descriptions } from '../catalogue.ts';
import {
  type CaptureOptions,
  type DumpMethod,
  done,
  type Stage,
  type StageResult,
} from '../method.ts';
import { prepare as prepareNetdump } from '../netdump/method.ts';
import { reboot } from '../second-kernel.ts';
import { fallBack } from './last-resort.ts';
import { choosePages } from './pages.ts';
import { guarded, panicStages } from './panic.ts';
import { partitionStages } from './partition.ts';
import { isEarly, releaseOf } from './release.ts';
import { loadModules, type ToRegister } from './resident.ts';
import { saveDiskdump } from './save.ts';
import { findScsiDisk, placeScsiDisk } from './scsi.ts';
import type { DiskdumpState } from './state.ts';

/** kernel.panic, where nobody has set it: the machine has to come back for savecore. */
const panicSeconds = 10;

export const diskdump: DumpMethod<DiskdumpState> = {
  ...descriptions.diskdump,
  partition: 'dump',
  prepare,
  stages: () => stages,
  targets: (_, { resident }) => ({
    code: resident.code,
    structures: resident.structures,
    reserved: [],
  }),
  save: saveDiskdump,
};

const stages: readonly Stage<DiskdumpState>[] = [
  ...panicStages,
  { name: 'pages to dump', run: guarded(choosePages) },
  ...partitionStages,
  { name: 'netdump', run: fallBack },
  { name: 'reboot', run: guarded(panicTimeout) },
];

/** The modules are loaded, the partitions formatted and registered, the reboot is configured. */
function prepare(machine: Machine, options: CaptureOptions): DiskdumpState {
  const layout = pageLayout(machine.kernel);
  const { disk } = machine.hardware;
  const refusal =
    disk.dumpHooks === 'present'
      ? undefined
      : `the driver ${disk.driver} has no dump hooks: no partition could be registered`;
  const registered =
    refusal === undefined
      ? machine.disks.flatMap((_, index) => register(machine, options, index))
      : [];
  // list_add(): until then the one that was registered last came first.
  if (isEarly(options)) registered.reverse();
  const timeout = machine.kernel.symbol('panic_timeout').address;
  if (machine.virtual.u32(timeout) === 0) {
    const bytes = u32Bytes(panicSeconds);
    machine.edit({ what: `kernel.panic = ${panicSeconds}, for savecore`, address: timeout, bytes });
  }
  return {
    options,
    layout,
    resident: loadModules(machine, layout, registered),
    registered: registered.map(({ name, disk: index, device, scsi }) => ({
      name, disk: index, device, scsi,
    })), // biome-ignore format: one object
    netdump: prepareNetdump(machine),
    fallback: undefined,
    refusal,
    partition: 0,
    step: 0,
    pass: 'strict',
    resets: [],
    selected: undefined,
    time: 0,
    pagesWritten: 0,
    nextBlock: 0,
  };
}

/** The dump partitions of one disk. */
function register(machine: Machine, { generation }: CaptureOptions, index: number): ToRegister[] {
  const disk: Disk = machine.disks[index]!;
  const partitions = disk.partitions.filter(({ use }) => use === 'dump');
  const found = index === 0 ? findScsiDisk(machine) : undefined;
  const scsi = found ?? madeUp(machine, partitions[0]!.name);
  return partitions.map((partition) => {
    const { name, start, size } = partition;
    // One that holds something already was mistyped: the formatter was given another one.
    if (disk.holding(partition) === 'nothing') {
      disk.format(partition, `diskdump ${releaseOf(generation)}`);
    }
    return { ...scsi, name, disk: index, start, size };
  });
}

function madeUp(machine: Machine, name: string) {
  const [page] = takePages(machine, pageLayout(machine.kernel), 1, `SCSI structures of ${name}`);
  return placeScsiDisk(machine, machine.kernel.toVirtual(page!), name);
}

/** panic() goes on: after its time, or when somebody presses the button. */
function panicTimeout(machine: Machine): StageResult {
  const symbol = machine.kernel.symbol('panic_timeout');
  const seconds = machine.panicCpu.memory.i32(symbol.address);
  if (seconds === 0) machine.clock.hang('panic() loops: kernel.panic is 0', symbol.name);
  if (seconds > 0) machine.wait(seconds * second, 'panic_timeout');
  reboot(machine);
  return done;
}
