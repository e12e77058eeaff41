/**
 * What a disk's driver has for each hardware queue: the ring that it puts requests into, the lock
 * of that ring, and what its interrupt is known by. Source: drivers/scsi/virtio_scsi.c,
 * drivers/block/virtio_blk.c; virtio_pci gives request_irq() the struct virtqueue.
 */

import { type KernelDisk, type QueueState, scsiState } from './block.ts';
import type { KernelCore } from './core.ts';
import { addressOf, follow, type KernelObject, type ObjectMemory, viewObject } from './objects.ts';

/** Where it stands: known when the driver was loaded. Plain data. */
export interface DriverQueue {
  /** Of its struct virtqueue: the interrupt's dev_id. */
  readonly ring: bigint;
  readonly lock: { readonly name: string; readonly address: bigint };
}

/** Undefined for a driver that is not known here. `number`: of the hardware queue. */
export function driverQueue(
  kernel: KernelCore,
  disk: KernelDisk,
  { address }: QueueState,
  number: number,
): DriverQueue | undefined {
  if (disk.isScsi) {
    const { host, driverData } = scsiState(kernel, address);
    const template = follow(viewObject(kernel, 'struct Scsi_Host', host), 'hostt');
    if (kernel.memory.cstring(template.proc_name, 32) !== 'virtio_scsi') return undefined;
    const first = driverData + BigInt(kernel.types.offsetOf('struct virtio_scsi', 'req_vqs'));
    return inArray(kernel, 'struct virtio_scsi_vq', 'vq_lock', first, number);
  }
  const operations = viewObject(kernel, 'struct request_queue', address).mq_ops as KernelObject;
  const symbol = kernel.symbols.at(addressOf(operations))?.symbol.name;
  if (symbol !== 'virtio_mq_ops') return undefined;
  const device = kernel.object('struct block_device', disk.device) as KernelObject;
  const data = follow(device, 'bd_disk').private_data as bigint;
  const first = kernel.memory.u64(data + BigInt(kernel.types.offsetOf('struct virtio_blk', 'vqs')));
  return inArray(kernel, 'struct virtio_blk_vq', 'lock', first, number);
}

function inArray(
  { memory, types }: ObjectMemory,
  type: string,
  lock: string,
  first: bigint,
  index: number,
): DriverQueue {
  const entry = first + BigInt(types.sizeOf(type) * index);
  return {
    ring: memory.u64(entry + BigInt(types.offsetOf(type, 'vq'))),
    lock: { name: `${type.slice(7)}.${lock}`, address: entry + BigInt(types.offsetOf(type, lock)) },
  };
}
