/**
 * The disk driver of a Linux that runs, as far as it decides what becomes of a command: how long it
 * waits, how it recovers, how it hears of a completion. A capture kernel resets the controller
 * before anything else (`reset_devices`) and does not depend on its own interrupt (`irqpoll`).
 * Source: drivers/scsi/sd.h (SD_TIMEOUT 30 s, SD_MAX_RETRIES 5), scsi_error.c (abort, device, bus,
 * host reset, offline; 10 s for each test that the device is back; 10 s to settle), scsi_scan.c
 * (INQUIRY: 20 s, three times), virtio_scsi.c (a timeout only starts the timer again),
 * nvme/host/core.c (30 s, 5 retries), kernel/irq/spurious.c.
 */

import { DumpError } from '../bytes/errors.ts';
import { millisecond, second } from '../machine/clock.ts';
import type { WriteResult } from '../machine/disk.ts';
import type { BlockWrite } from '../machine/files.ts';
import type { HardwareProfile } from '../machine/hardware.ts';
import type { Machine } from '../machine/machine.ts';
import { done, failed, type StageResult } from './method.ts';
import { partsFrom } from './second-kernel.ts';

interface Driver {
  /** `wait on`: the timer starts again, for ever. */
  readonly onTimeout: 'wait on' | 'recover';
  /** Steps of the error handling; each is followed by a test that fails while nothing answers. */
  readonly recovery: readonly { readonly name: string; readonly ns: number }[];
}

const commandLimit = 30 * second;
const maxRetries = 5;
const testLimit = 10 * second;
const probeLimit = 20 * second;
const probes = 3;

const scsiRecovery = [
  { name: 'abort', ns: testLimit },
  { name: 'device reset', ns: testLimit },
  { name: 'bus reset', ns: testLimit + 10 * second },
  { name: 'host reset', ns: testLimit + 10 * second },
];

const drivers: Readonly<Record<HardwareProfile['disk']['driver'], Driver>> = {
  virtio_scsi: { onTimeout: 'wait on', recovery: [] },
  vmw_pvscsi: { onTimeout: 'recover', recovery: scsiRecovery },
  aic7xxx: { onTimeout: 'recover', recovery: scsiRecovery },
  nvme: { onTimeout: 'recover', recovery: [{ name: 'controller reset', ns: 30 * second }] },
};

/** CONFIG_HZ=250: with irqpoll each timer interrupt asks every handler. */
const tickNs = 4 * millisecond;
/** note_interrupt(): after so many that nobody handled, the line is shut off. */
const stormLimit = 100_000;
/** POLL_SPURIOUS_IRQ_INTERVAL, HZ/10: how often the handlers of such a line are then asked. */
const spuriousNs = 100 * millisecond;

/**
 * Drivers are loaded for all that was found: the disk and the network card are reset, and with
 * that their DMA ends.
 */
export function probeDevices(machine: Machine): StageResult {
  machine.silence('nic');
  const line = machine.interrupts.line('disk');
  line.enabled = true;
  line.cpu = machine.panic.cpu;
  const { onTimeout } = driverOf(machine);
  for (let retries = 0; retries < probes; retries++) {
    // Its DMA ends when the line is pulled, not when the controller is ready again.
    machine.silence('disk');
    if (machine.disk.reset()) {
      return retries === 0 ? done : { ...done, retries };
    }
    if (onTimeout === 'wait on') {
      machine.clock.hang('the disk controller does not come out of its reset', 'disk');
    }
    machine.wait(probeLimit, 'INQUIRY');
  }
  return {
    ...failed(`no disk: INQUIRY was not answered, ${probes} times`, 'disk'),
    retries: probes,
  };
}

/** Counts what it had to try again. */
export interface RetryCount {
  retries: number;
}

/** How the driver hears that a command is done. */
export type Completion = 'irqpoll' | 'interrupt';

/** Writes by the driver; throws `io` where the block layer would say EIO. */
export function driverWrite(
  machine: Machine,
  count: RetryCount,
  by: Completion = 'irqpoll',
): BlockWrite {
  const { onTimeout, recovery } = driverOf(machine);
  const limit = onTimeout === 'wait on' ? Number.POSITIVE_INFINITY : commandLimit;
  const isDeaf = by === 'interrupt' && machine.interrupts.line('disk').state === 'lost';
  return (offset, parts) => {
    let written = 0;
    for (let attempt = 0; ; attempt++) {
      const commands = machine.disk.commands;
      const at = offset + written;
      if (isDeaf) waitInVain(machine, limit);
      const { result, done }: WriteResult = isDeaf
        ? { result: 'no answer', done: 0 }
        : machine.disk.write(at, partsFrom(parts, written), limit);
      written += done;
      hearOf(machine, machine.disk.commands - commands);
      if (result === 'ok') return;
      const name = partitionAt(machine, offset);
      if (result === 'medium error') {
        throw new DumpError('io', `${name}: EIO, medium error at byte ${offset + written}`);
      }
      if (attempt === maxRetries) {
        throw new DumpError('io', `${name}: EIO, offline after ${maxRetries} retries`);
      }
      count.retries++;
      for (const { name: step, ns } of recovery) machine.wait(ns, step);
      machine.disk.reset();
    }
  };
}

function partitionAt({ disk }: Machine, offset: number): string {
  const found = disk.partitions.find(({ start, size }) => offset >= start && offset < start + size);
  return found?.name ?? 'disk';
}

/** The command is done, and nobody tells the driver. */
function waitInVain(machine: Machine, limitNs: number): void {
  machine.tell({ what: 'interrupt', name: 'disk', detail: 'lost' });
  if (limitNs === Number.POSITIVE_INFINITY) {
    machine.clock.hang("the disk's interrupt is lost, and its driver waits for it", 'disk');
  }
  machine.wait(limitNs, 'command without an interrupt');
}

function driverOf(machine: Machine): Driver {
  return drivers[machine.hardware.disk.driver];
}

/** The interrupts of this many completions, or what takes their place. */
function hearOf(machine: Machine, completions: number): void {
  const { interruptNs } = machine.hardware.cpu;
  const line = machine.interrupts.line('disk');
  if (line.state === 'ok') return;
  if (line.state === 'lost') {
    machine.tell({ what: 'interrupt', name: 'disk', detail: 'lost: found by irqpoll' });
    machine.wait(completions * tickNs, 'irqpoll');
    return;
  }
  if (line.enabled) {
    machine.tell({ what: 'interrupt', name: 'disk', detail: 'storm: shut off' });
    machine.spend(stormLimit * interruptNs, 'interrupt storm');
    line.enabled = false;
  }
  machine.wait(completions * spuriousNs, 'poll of the shut line');
}
