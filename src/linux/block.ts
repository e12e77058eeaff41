/**
 * Disks of a kernel, and what a request to one passes: block_device, gendisk, request_queue, its
 * hardware queues with their tags and locks, and for SCSI the device and its host adapter. Members
 * are asked for by existence. Source: include/linux/blk_types.h, blkdev.h, blk-mq.h, sbitmap.h,
 * block/mq-deadline.c, block/bfq-iosched.h, include/scsi/scsi_device.h, scsi_host.h.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';
import { walkList } from './lists.ts';
import {
  addressOf,
  follow,
  hasMember,
  type KernelObject,
  memberAddress,
  type ObjectMemory,
  viewObject,
} from './objects.ts';
import { headOf, walkXarray } from './xarray.ts';

export interface KernelDisk {
  /** `sda`. */
  readonly name: string;
  /** Of the whole disk's struct block_device. */
  readonly device: bigint;
  /** Whether its queue's private data is a struct scsi_device. */
  readonly isScsi: boolean;
}

export interface SpinLock {
  /** `request_queue.queue_lock`. */
  readonly name: string;
  readonly address: bigint;
  readonly isHeld: boolean;
}

/** The tags of a hardware queue: each request in flight has one. */
export interface TagMap {
  readonly name: 'tags' | 'sched_tags';
  /** Of its struct sbitmap. */
  readonly address: bigint;
  readonly depth: number;
  readonly free: number;
}

export interface HardwareQueue {
  /** Of its struct blk_mq_hw_ctx. */
  readonly address: bigint;
  readonly number: number;
  readonly lock: SpinLock;
  readonly isStopped: boolean;
  /** Requests that the driver did not take yet wait in it. */
  readonly hasDispatch: boolean;
  readonly driverData: bigint;
  /** A request takes one of each, in this order. */
  readonly tags: readonly TagMap[];
}

export interface QueueState {
  /** Of its struct request_queue. */
  readonly address: bigint;
  readonly isFrozen: boolean;
  readonly isQuiesced: boolean;
  /** queue_lock, then that of the elevator where it has one. */
  readonly locks: readonly SpinLock[];
  readonly hardware: readonly HardwareQueue[];
}

export interface ScsiState {
  /** Of struct scsi_device and struct Scsi_Host. */
  readonly device: bigint;
  readonly host: bigint;
  readonly hostLock: SpinLock;
  /** Both in the state in which they take commands. */
  readonly isRunning: boolean;
  /** The driver told the mid layer to send nothing for now. */
  readonly isBlocked: boolean;
  /** Of the driver's own data behind the host. */
  readonly driverData: bigint;
}

const maxDevices = 4096;
/** NR_CPUS_RANGE_END of x86-64: a queue for each at most. */
const maxHardwareQueues = 8192;
/** BLK_MQ_MAX_DEPTH is 10,240. */
const maxTags = 1 << 16;
/** A word of a bitmap has 64 bits at most. */
const longShift = 6;
/** __PERCPU_REF_DEAD, include/linux/percpu-refcount.h. */
const referenceDead = 2n;
/** BLK_MQ_S_STOPPED. */
const stopped = 1n;
/** SHOST_RUNNING and SDEV_RUNNING. */
const running = 2;
/** What elevators call the data that starts from elevator_data and has a lock. */
const elevatorTypes: Readonly<Record<string, string>> = {
  'mq-deadline': 'struct deadline_data',
  bfq: 'struct bfq_data',
};

/**
 * The whole disks that block_class knows, in its order, without those that cannot be read. Throws
 * DumpErrors where the input lacks what leads to them all, `unsupported` for a kernel before v5.11
 * (0d02129e76ed "block: merge struct block_device and struct hd_struct").
 */
export function disks(kernel: KernelCore): KernelDisk[] {
  if (!kernel.types.hasMember('struct block_device', 'bd_device')) {
    throw new DumpError('unsupported', 'disks are found in kernels since Linux 5.11');
  }
  return classDevices(kernel, 'block_class').flatMap((device) => {
    const address = device - BigInt(kernel.types.offsetOf('struct block_device', 'bd_device'));
    const found = attempt(() => wholeDisk(kernel, address));
    return found === undefined ? [] : [found];
  });
}

/** A disk's queue and everything in it that decides whether it takes a request. */
export function queueState(reader: ObjectMemory, device: bigint): QueueState {
  const view = viewObject(reader, 'struct block_device', device);
  const queue = follow(follow(view, 'bd_disk'), 'queue');
  return {
    address: addressOf(queue),
    isFrozen: queue.mq_freeze_depth > 0 || isDead(queue),
    // Since v5.16 (e70feb8b3e68); a flag before, whose number no type tells.
    isQuiesced: hasMember(queue, 'quiesce_depth') && queue.quiesce_depth > 0,
    locks: [lockOf(reader, queue, 'queue_lock'), ...elevatorLock(reader, queue)],
    hardware: hardwareQueues(reader, queue).map((context) => hardwareQueue(reader, context)),
  };
}

/**
 * The hardware queue that requests of a CPU go through: its struct blk_mq_hw_ctx. `offset`: what is
 * added to a per-CPU address for that CPU. As blk_mq_get_ctx() and blk_mq_map_queue() find it.
 */
export function queueOfCpu(reader: ObjectMemory, queue: bigint, offset: bigint): bigint {
  const contexts = addressOf(
    follow(viewObject(reader, 'struct request_queue', queue), 'queue_ctx'),
  );
  const own = viewObject(reader, 'struct blk_mq_ctx', BigInt.asUintN(64, contexts + offset));
  // HCTX_TYPE_DEFAULT.
  return addressOf(own.hctxs[0]);
}

/** What lies behind the queue of a SCSI disk. */
export function scsiState(reader: ObjectMemory, queue: bigint): ScsiState {
  const data = viewObject(reader, 'struct request_queue', queue).queuedata as bigint;
  const device = viewObject(reader, 'struct scsi_device', data);
  const host = follow(device, 'host');
  const lock = addressOf(follow(host, 'host_lock'));
  return {
    device: data,
    host: addressOf(host),
    hostLock: spinLock(reader, 'Scsi_Host.host_lock', lock),
    isRunning: host.shost_state === running && device.sdev_state === running,
    isBlocked:
      host.host_blocked.counter > 0 ||
      device.device_blocked.counter > 0 ||
      host.host_self_blocked === 1,
    driverData: memberAddress(host, 'hostdata'),
  };
}

/** Is a qspinlock's word anything but free? On a real-time kernel: the first half of its owner. */
export function isHeld({ memory }: ObjectMemory, name: string, lock: bigint): boolean {
  memory.physical.image.watcher?.onLock(name, lock);
  return memory.u32(lock) !== 0;
}

function spinLock(reader: ObjectMemory, name: string, address: bigint): SpinLock {
  return { name, address, isHeld: isHeld(reader, name, address) };
}

function wholeDisk(kernel: KernelCore, address: bigint): KernelDisk | undefined {
  const device = kernel.object('struct block_device', address) as KernelObject;
  const disk = follow(device, 'bd_disk');
  if (disk.part0 === null || addressOf(disk.part0) !== address) return undefined;
  const queue = follow(disk, 'queue');
  const operations = queue.mq_ops === null ? undefined : addressOf(queue.mq_ops);
  // Disks without hardware queues (device mapper, zram) end in other disks or in memory.
  if (operations === undefined || queue.nr_hw_queues === 0) return undefined;
  const symbol = kernel.symbols.at(operations)?.symbol.name ?? '';
  return { name: disk.disk_name, device: address, isScsi: symbol.startsWith('scsi_mq_ops') };
}

/**
 * The devices of a class, as struct device. Its private part is looked for among those of all
 * classes: since v6.4 the class itself does not point to it.
 */
function classDevices(kernel: KernelCore, name: string): bigint[] {
  const wanted = kernel.symbol(name).address;
  const set = kernel.memory.u64(kernel.symbol('class_kset').address);
  const list = set + BigInt(kernel.types.offsetOf('struct kset', 'list'));
  const all = walkList(kernel, list, 'struct subsys_private', 'subsys.kobj.entry', maxDevices);
  const own = all.objects.find((subsystem) => {
    const found = (subsystem as KernelObject)['class'] as KernelObject | null;
    return found !== null && addressOf(found) === wanted;
  });
  if (own === undefined) {
    throw all.problem ?? new DumpError('absent', `the kernel has no devices of ${name}`);
  }
  const head = memberAddress(own as KernelObject, 'klist_devices.k_list');
  const nodes = walkList(kernel, head, 'struct device_private', 'knode_class.n_node', maxDevices);
  return nodes.objects.map((node) => addressOf(follow(node as KernelObject, 'device')));
}

function isDead(queue: KernelObject): boolean {
  return ((queue.q_usage_counter.percpu_count_ptr as bigint) & referenceDead) !== 0n;
}

function lockOf(reader: ObjectMemory, view: KernelObject, member: string): SpinLock {
  const address = memberAddress(view, member);
  const type = member === 'queue_lock' ? 'request_queue' : 'blk_mq_hw_ctx';
  return spinLock(reader, `${type}.${member}`, address);
}

function elevatorLock(reader: ObjectMemory, queue: KernelObject): SpinLock[] {
  const { elevator } = queue;
  if (elevator === null) return [];
  const name = reader.memory.cstring(follow(elevator, 'type').elevator_name, 32);
  const type = elevatorTypes[name];
  if (type === undefined || reader.types.find(type) === undefined) return [];
  const offset = BigInt(reader.types.offsetOf(type, 'lock'));
  const address = (elevator.elevator_data as bigint) + offset;
  return [spinLock(reader, `${type.slice(7)}.lock`, address)];
}

function hardwareQueues(reader: ObjectMemory, queue: KernelObject): KernelObject[] {
  const count = queue.nr_hw_queues as number;
  if (count > maxHardwareQueues) {
    throw new DumpError('corrupt', `a request_queue of ${count} hardware queues`, {
      where: { virtual: memberAddress(queue, 'nr_hw_queues') },
    });
  }
  const addresses = hasMember(queue, 'hctx_table')
    ? ofTable(reader, queue)
    : Array.from({ length: count }, (_, index) => {
        return reader.memory.u64((queue.queue_hw_ctx as bigint) + BigInt(index) * 8n);
      });
  return addresses
    .slice(0, count)
    .map((address) => viewObject(reader, 'struct blk_mq_hw_ctx', address));
}

/** Since v5.18 (4e5cc99e1e48 "blk-mq: manage hctx map via xarray"). */
function ofTable(reader: ObjectMemory, queue: KernelObject): bigint[] {
  const head = headOf(reader, memberAddress(queue, 'hctx_table'));
  const entries = walkXarray(reader, head, (problem) => {
    throw problem;
  });
  return [...entries].map(({ entry }) => entry);
}

function hardwareQueue(reader: ObjectMemory, context: KernelObject): HardwareQueue {
  const dispatch = memberAddress(context, 'dispatch');
  const tags = (['sched_tags', 'tags'] as const).flatMap((name) => {
    const found = context[name] as KernelObject | null;
    return found === null ? [] : [tagMap(reader, name, found)];
  });
  return {
    address: addressOf(context),
    number: context.queue_num,
    lock: lockOf(reader, context, 'lock'),
    isStopped: ((context.state as bigint) & stopped) !== 0n,
    hasDispatch: reader.memory.u64(dispatch) !== dispatch,
    driverData: context.driver_data,
    tags,
  };
}

function tagMap(reader: ObjectMemory, name: TagMap['name'], tags: KernelObject): TagMap {
  const map = tags.bitmap_tags.sb as KernelObject;
  const { depth, shift } = map as { readonly depth: number; readonly shift: number };
  if (depth > maxTags || shift > longShift) {
    throw new DumpError('corrupt', `a tag bitmap of ${depth} tags`, {
      where: { virtual: addressOf(map) },
    });
  }
  return { name, address: addressOf(map), depth, free: freeTags(reader, map, depth, shift) };
}

/** Bits of the map that are set and were not given back: since v5.0 (ea86ea2cdced) in `cleared`. */
function freeTags(reader: ObjectMemory, map: KernelObject, depth: number, shift: number): number {
  const size = BigInt(reader.types.sizeOf('struct sbitmap_word'));
  const first = addressOf(follow(map, 'map'));
  let free = depth;
  for (let index = 0; index << shift < depth; index++) {
    const word = viewObject(reader, 'struct sbitmap_word', first + BigInt(index) * size);
    const cleared: bigint = hasMember(word, 'cleared') ? word.cleared : 0n;
    const bits = BigInt(Math.min(1 << shift, depth - (index << shift)));
    free -= countBits(BigInt.asUintN(Number(bits), (word.word as bigint) & ~cleared));
  }
  return free;
}

function countBits(word: bigint): number {
  let count = 0;
  for (let left = word; left !== 0n; left &= left - 1n) count++;
  return count;
}
