/**
 * What scsi_dump looks at of a disk before it trusts it: is the device online, are the locks of its
 * host adapter free. The driver's own locks are looked at as the hooks of the patched drivers did
 * (aic7xxx: that of its platform data). Offsets are compile-time knowledge; a kernel without a SCSI
 * disk gets the few members as structures of our own, and the report says so.
 * Source: include/scsi/scsi_device.h (scsi_device_online), scsi_host.h, drivers/scsi/virtio_scsi.c.
 */

import { attempt } from '../../bytes/errors.ts';
import { isHeld } from '../../linux/block.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';

/** A lock by its place behind a struct Scsi_Host. */
interface DriverLock {
  readonly name: string;
  readonly offset: number;
}

/** Where the members are that are looked at. */
export interface ScsiLayout {
  readonly state: number;
  readonly host: number;
  /** Of the pointer to the lock. */
  readonly hostLock: number;
  /** The lock that a host has of its own: default_lock. */
  readonly ownLock: number;
  readonly driverLocks: readonly DriverLock[];
}

export interface ScsiDisk {
  /** Virtual address of its struct scsi_device. */
  readonly device: bigint;
  readonly scsi: ScsiLayout;
}

/** A dump partition as it was registered, and the disk that it is on. */
export interface Registered extends ScsiDisk {
  /** `sda1`. */
  readonly name: string;
  /** Index among the machine's disks. */
  readonly disk: number;
}

/** enum scsi_device_state. */
const running = 2;
const offline: ReadonlySet<number> = new Set([4, 6, 7]);
const maxDevices = 4096;
const typeDisk = 0;
/** Place of the structures of our own in their page. */
const own = { device: 0, host: 64, lock: 128 } as const;
const ownLayout: ScsiLayout = {
  state: 0, host: 8, hostLock: 0, ownLock: own.lock - own.host, driverLocks: [],
}; // biome-ignore format: one object

interface Problem {
  readonly text: string;
  /** Only the lock that the host has of its own is held: the first release could not tell. */
  readonly isRisk: boolean;
}

/** Why the disk must not be touched; undefined: it may. DumpErrors are faults. */
export function problemOf(
  { panicCpu, kernel }: Machine,
  { device, scsi }: ScsiDisk,
): Problem | undefined {
  const { memory } = panicCpu;
  const state = memory.u32(device + BigInt(scsi.state));
  if (offline.has(state)) {
    return { text: `the device is offline (sdev_state ${state})`, isRisk: false };
  }
  const host = memory.u64(device + BigInt(scsi.host));
  const reader = { memory, types: kernel.types };
  const isBusy = ({ name, offset }: DriverLock): boolean =>
    isHeld(reader, name, host + BigInt(offset));
  const held = scsi.driverLocks.find(isBusy);
  if (held !== undefined) return { text: `${held.name} is held`, isRisk: false };
  const lock = memory.u64(host + BigInt(scsi.hostLock));
  if (!isHeld(reader, 'Scsi_Host.host_lock', lock)) return undefined;
  return { text: 'host_lock is held', isRisk: lock === host + BigInt(scsi.ownLock) };
}

/** The first SCSI disk of the kernel; undefined where it has none, or its types are not known. */
export function findScsiDisk(machine: Machine): ScsiDisk | undefined {
  return attempt(() => {
    const { kernel, virtual } = machine;
    const { types } = kernel;
    const wanted = kernel.symbol('scsi_dev_type').address;
    const at = (type: string, member: string): bigint => BigInt(types.offsetOf(type, member));
    const toKobject = at('struct device', 'kobj') + at('struct kobject', 'entry');
    const toType = at('struct device', 'type');
    const toDevice = at('struct scsi_device', 'sdev_gendev');
    const set = virtual.u64(kernel.symbol('devices_kset').address);
    const list = set + at('struct kset', 'list');
    let link = virtual.u64(list);
    for (let count = 0; link !== list && count < maxDevices; count++) {
      const device = link - toKobject;
      const scsi = device - toDevice;
      const isScsi = virtual.u64(device + toType) === wanted;
      if (isScsi && virtual.u8(scsi + at('struct scsi_device', 'type')) === typeDisk) {
        return { device: scsi, scsi: layoutOf(machine, scsi) };
      }
      link = virtual.u64(link);
    }
    return undefined;
  });
}

function layoutOf(machine: Machine, device: bigint): ScsiLayout {
  const { types } = machine.kernel;
  const host = types.offsetOf('struct scsi_device', 'host');
  return {
    state: types.offsetOf('struct scsi_device', 'sdev_state'),
    host,
    hostLock: types.offsetOf('struct Scsi_Host', 'host_lock'),
    ownLock: types.offsetOf('struct Scsi_Host', 'default_lock'),
    driverLocks: driverLocks(machine, machine.virtual.u64(device + BigInt(host))),
  };
}

/** virtio_scsi: one lock for each request queue, in its data behind the host. */
function driverLocks({ kernel, virtual }: Machine, host: bigint): DriverLock[] {
  const { types, symbols } = kernel;
  const template = virtual.u64(host + BigInt(types.offsetOf('struct Scsi_Host', 'hostt')));
  if (symbols.at(template)?.symbol.name !== 'virtscsi_host_template') return [];
  const data = types.sizeOf('struct Scsi_Host');
  const queues = data + types.offsetOf('struct virtio_scsi', 'req_vqs');
  const size = types.sizeOf('struct virtio_scsi_vq');
  const lock = types.offsetOf('struct virtio_scsi_vq', 'vq_lock');
  const counter = BigInt(data + types.offsetOf('struct virtio_scsi', 'num_queues'));
  const count = Math.min(virtual.u32(host + counter), 64);
  return Array.from({ length: count }, (_, index) => ({
    name: `req_vqs[${index}].vq_lock`,
    offset: queues + index * size + lock,
  }));
}

/** `page`: virtual address of a page of zeros. */
export function placeScsiDisk(machine: Machine, page: bigint, name: string): ScsiDisk {
  machine.poke(page + BigInt(own.device + ownLayout.state), u32Bytes(running));
  const host = page + BigInt(own.host);
  machine.poke(page + BigInt(own.device + ownLayout.host), u64Bytes(host));
  machine.poke(host + BigInt(ownLayout.hostLock), u64Bytes(page + BigInt(own.lock)));
  machine.edits.push({ what: `SCSI device and host of ${name}: made up, in a page of their own` });
  return { device: page + BigInt(own.device), scsi: ownLayout };
}
