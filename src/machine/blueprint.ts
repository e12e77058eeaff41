/**
 * What a machine is made of and no run changes: the input with its kernel, its RAM, what must be
 * undone to be at the panic. Made once for an image; any number of machines are made of it.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Dump } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { systemInfo } from '../linux/system.ts';
import type { KernelTables } from '../linux/tables.ts';
import { type ClockLimits, second } from './clock.ts';
import type { DeviceState } from './devices.ts';
import { type Partition, partitionsOf } from './disk.ts';
import { type Footprints, isOfKernel } from './footprints.ts';
import { type HardwareProfile, virtioScsi } from './hardware.ts';
import { heldDump } from './held-image.ts';
import type { Holding } from './holding.ts';
import { type PhysicalRange, pagesOf, ramOfImage, systemRam } from './ram.ts';
import { planRewinding, type Rewinding } from './rewind.ts';
import { deltaWrites, type RunningDelta } from './running.ts';
import type { ScheduledWrite } from './schedule.ts';

/** A partition holds all RAM and this much besides. */
const partitionReserve = 64 * 1024 * 1024;

export interface MachineOptions {
  /** SHA-256 of bytes, 32 bytes: the digests of a loaded crash kernel. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly hardware?: HardwareProfile;
  /** The hardware watchdog; undefined: the machine has none. */
  readonly watchdogSeconds?: number;
  /** How long a run may take in virtual time; 3600. */
  readonly horizonSeconds?: number;
  /** Size of each raw dump partition; its default holds all RAM. */
  readonly dumpPartitionBytes?: number;
  /** What stands on the first disk's dump partition; nothing. A file system: it is mistyped. */
  readonly dumpPartitionHolds?: Holding;
  /** Size of the partition with the file system that kdump writes to. */
  readonly filesPartitionBytes?: number;
  /** What a side file says of the devices; undefined: they are synthetic. */
  readonly devices?: DeviceState;
  /** What the CPUs wrote when the guest ran on, recorded; undefined: made up, and said so. */
  readonly deltas?: readonly RunningDelta[];
  /** What of the kernel's text is really executed; used where it is of this kernel. */
  readonly footprints?: Footprints;
  /** How many bytes of the input's decoded pages are kept; 512 MB. */
  readonly heldBytes?: number;
}

export interface Blueprint {
  readonly options: MachineOptions;
  /** The input, untouched; its pages are the same arrays each time. */
  readonly input: Dump;
  /**
   * The undamaged kernel of the input: types, symbols and text as compiler and linker left them.
   */
  readonly kernel: Kernel;
  /** What the kernel calls System RAM. */
  readonly ram: readonly PhysicalRange[];
  /** Seconds since 1970 at the instant. */
  readonly startTime: number;
  readonly rewinding: Rewinding;
  /** Those of the options, where they are of this kernel. */
  readonly footprints: Footprints | undefined;
  /** What the CPUs write as long as nobody stops them. */
  readonly running: readonly ScheduledWrite[];
}

/** Throws DumpErrors of the dump's kernel. `known`: its tables, if they were read before. */
export function blueprintOf(dump: Dump, options: MachineOptions, known?: KernelTables): Blueprint {
  const input = heldDump(dump, options.heldBytes);
  const kernel = openKernel(input, known);
  return {
    options,
    input,
    kernel,
    ram: ramOf(kernel, input),
    startTime: systemInfo(kernel).time ?? Math.floor(dump.time ?? 0),
    rewinding: planRewinding(kernel),
    footprints: footprintsFor(kernel, options),
    running: deltaWrites(input, options.deltas ?? []),
  };
}

/** The same image in other hardware: nothing is parsed again. */
export function withOptions(blueprint: Blueprint, changes: Partial<MachineOptions>): Blueprint {
  const running =
    changes.deltas === undefined ? blueprint.running : deltaWrites(blueprint.input, changes.deltas);
  const options = { ...blueprint.options, ...changes };
  const footprints = footprintsFor(blueprint.kernel, options);
  return { ...blueprint, options, running, footprints };
}

function footprintsFor(kernel: Kernel, { footprints }: MachineOptions): Footprints | undefined {
  return footprints !== undefined && isOfKernel(footprints, kernel) ? footprints : undefined;
}

function ramOf(kernel: Kernel, dump: Dump): PhysicalRange[] {
  try {
    return systemRam(kernel, kernel.symbol('iomem_resource').address);
  } catch (error) {
    if (error instanceof DumpError) return ramOfImage(dump);
    throw error;
  }
}

/** RAM may reach further than the pages that the input holds. */
export function topPfnOf({ ram, input }: Blueprint): number {
  return Math.max(0, ...ram.map((range) => pagesOf(range, input.pageSize).end));
}

/** The partitions of each disk. */
export function partitionsFor(
  options: MachineOptions,
  ram: readonly PhysicalRange[],
): Partition[][] {
  const bytes = ram.reduce((sum, range) => sum + range.end - range.start, 0) + partitionReserve;
  const size = options.dumpPartitionBytes ?? bytes;
  const { disks, dumpPartitions } = options.hardware ?? virtioScsi;
  const empty = { use: 'dump', size, holds: 'nothing' } as const;
  const first = partitionsOf('sda', [
    { use: 'dump', size, holds: options.dumpPartitionHolds ?? 'nothing' },
    { use: 'files', size: options.filesPartitionBytes ?? bytes, holds: 'nothing' },
    ...Array.from({ length: dumpPartitions - 1 }, () => empty),
  ]);
  const others = Array.from({ length: disks - 1 }, (_, index) =>
    partitionsOf(diskName(index + 1), [empty]),
  );
  return [first, ...others];
}

function diskName(index: number): string {
  return `sd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
}

/** `saved`: of a machine that was saved. */
export function limitsOf(
  options: MachineOptions,
  saved?: { readonly watchdogNs: number | undefined; readonly powerLossNs: number | undefined },
): ClockLimits {
  const horizonNs = (options.horizonSeconds ?? 3600) * second;
  const { watchdogSeconds } = options;
  const configured = watchdogSeconds === undefined ? undefined : watchdogSeconds * second;
  if (saved === undefined) return { horizonNs, watchdogNs: configured };
  return { horizonNs, watchdogNs: saved.watchdogNs, powerLossNs: saved.powerLossNs };
}
