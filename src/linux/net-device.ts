/**
 * Network devices as the kernel's memory has them: the list of a namespace, a device's queues and
 * poll functions, and the rings of virtio_net behind them. Everything is read where it is asked
 * for: the memory may be damaged. Source: include/linux/netdevice.h, drivers/net/virtio_net.c,
 * drivers/virtio/virtio_ring.c.
 */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import type { TypeTable } from './types.ts';

export interface NetReader {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
}

/** Bits of net_device.flags, include/uapi/linux/if.h. */
export const deviceFlags = { up: 1, loopback: 8 } as const;
/** Bits of net_device.state: __LINK_STATE_START, __LINK_STATE_NOCARRIER. */
export const deviceStates = { start: 1n, noCarrier: 4n } as const;
/** Bits of napi_struct.state: NAPI_STATE_SCHED, NAPI_STATE_NPSVC. */
export const napiStates = { scheduled: 1n, netpoll: 4n } as const;
/** Bits of netdev_queue.state that stop it: DRV_XOFF, STACK_XOFF, FROZEN. */
export const queueStopped = 7n;

const maxDevices = 4096;
const maxNapis = 1024;
/** ALIGN(sizeof(struct net_device), NETDEV_ALIGN): where the driver's own structure starts. */
const privateAlign = 32n;

/** Addresses of the devices of a `struct net`. */
function netDevices(reader: NetReader, net: bigint): bigint[] {
  const head = memberAt(reader, net, 'struct net', 'dev_base_head');
  return listed(reader, head, offset(reader, 'struct net_device', 'dev_list'), maxDevices);
}

/** The first device that is not the loopback; undefined: there is none. */
export function firstDevice(reader: NetReader, net: bigint): bigint | undefined {
  const flags = offset(reader, 'struct net_device', 'flags');
  return netDevices(reader, net).find(
    (device) => (reader.memory.u32(device + flags) & deviceFlags.loopback) === 0,
  );
}

/** Where a poll context says which CPU polls it; -1: none does. */
export function pollOwner(reader: NetReader, napi: bigint): bigint {
  return memberAt(reader, napi, 'struct napi_struct', 'poll_owner');
}

/** Addresses of the poll contexts of a device. */
export function napisOf(reader: NetReader, device: bigint): bigint[] {
  const head = memberAt(reader, device, 'struct net_device', 'napi_list');
  return listed(reader, head, offset(reader, 'struct napi_struct', 'dev_list'), maxNapis);
}

export function deviceName({ memory, types }: NetReader, device: bigint): string {
  return memory.cstring(device + BigInt(types.offsetOf('struct net_device', 'name')), 16);
}

/** The six bytes of its hardware address. */
export function hardwareAddress(reader: NetReader, device: bigint): Uint8Array {
  const { memory } = reader;
  const at = memberAt(reader, device, 'struct net_device', 'dev_addr');
  // Since v5.17 (adeef3e32146) a pointer to const; an array before v2.6.33.
  return memory.read(memory.u64(at), 6).slice();
}

/** The address of a device's first transmit queue. */
export function transmitQueue(reader: NetReader, device: bigint): bigint {
  return reader.memory.u64(memberAt(reader, device, 'struct net_device', '_tx'));
}

/** Where its lock stands, and the CPU that has it. */
export function transmitLock(
  reader: NetReader,
  queue: bigint,
): { readonly lock: bigint; readonly owner: bigint } {
  return {
    lock: memberAt(reader, queue, 'struct netdev_queue', '_xmit_lock'),
    owner: memberAt(reader, queue, 'struct netdev_queue', 'xmit_lock_owner'),
  };
}

export interface VirtioRings {
  /** Packets that its transmit ring has room for: each takes two descriptors, header and data. */
  readonly room: number;
  /** The poll context of its first receive queue. */
  readonly receiveNapi: bigint;
}

/** What a device of virtio_net has behind it; the caller knows that it is one. */
export function virtioRings(reader: NetReader, device: bigint): VirtioRings {
  const { memory, types } = reader;
  const size = BigInt(types.sizeOf('struct net_device'));
  const own = device + ((size + privateAlign - 1n) & ~(privateAlign - 1n));
  const send = memory.u64(memberAt(reader, own, 'struct virtnet_info', 'sq'));
  const receive = memory.u64(memberAt(reader, own, 'struct virtnet_info', 'rq'));
  const queue = memory.u64(memberAt(reader, send, 'struct send_queue', 'vq'));
  const free = memory.u32(memberAt(reader, queue, 'struct virtqueue', 'num_free'));
  return {
    room: Math.floor(free / 2),
    receiveNapi: memberAt(reader, receive, 'struct receive_queue', 'napi'),
  };
}

function listed(reader: NetReader, head: bigint, toMember: bigint, limit: number): bigint[] {
  const found: bigint[] = [];
  let link = reader.memory.u64(head);
  while (link !== head) {
    if (found.length >= limit) {
      throw new DumpError('corrupt', `a list of more than ${limit} entries`, {
        where: { virtual: head },
      });
    }
    found.push(link - toMember);
    link = reader.memory.u64(link);
  }
  return found;
}

function memberAt(reader: NetReader, address: bigint, type: string, member: string): bigint {
  reader.memory.physical.image.watcher?.onObject(type, address);
  return address + offset(reader, type, member);
}

function offset({ types }: NetReader, type: string, path: string): bigint {
  return BigInt(types.offsetOf(type, path));
}
