/**
 * Sending and receiving by polling, on a network card that the crashed kernel drove: what netpoll
 * did for netdump and LKCD. Everything from the device to the driver's ring is read in the crashed
 * kernel's memory, and the driver's functions that are called are found there, too. Today's netpoll
 * has no receive trap any more: the resident part polls the ring itself.
 * Source: net/core/netpoll.c, drivers/net/virtio_net.c, [netpoll of 2.6] netpoll_send_skb.
 */

import { isHeld } from '../../linux/block.ts';
import {
  deviceFlags,
  deviceName,
  deviceStates,
  firstDevice,
  hardwareAddress,
  type NetReader,
  napiStates,
  napisOf,
  pollOwner,
  queueStopped,
  transmitLock,
  transmitQueue,
  virtioRings,
} from '../../linux/net-device.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { MachineStop } from '../../machine/stop.ts';

/** Plain data: what netpoll_setup() noted when the machine was well. */
export interface Netpoll {
  readonly name: string;
  /** The module's own functions that send and receive: executed by these names. */
  readonly functions: { readonly send: string; readonly receive: string };
  /** Of the card, as it stands in the packets. */
  readonly mac: string;
  /** Whether the rings are of a driver whose structures are known here. */
  readonly isVirtio: boolean;
}

/** The driver's part of what was recorded of one packet that is sent. */
const recorded = {
  path: 'udp-send',
  role: 'caller',
  stage: 'udp_sendmsg',
  from: 'start_xmit',
} as const;

/** No lock of the card has this owner. */
const nobody = -1;

/**
 * netpoll_setup(): the first device that is not the loopback, brought up where it is down. Gives
 * its address too; undefined: there is none.
 */
export function setUpNetpoll(
  machine: Machine,
  functions: Netpoll['functions'],
): { readonly netpoll: Netpoll; readonly device: bigint } | undefined {
  const reader = { memory: machine.virtual, types: machine.kernel.types };
  const device = firstDevice(reader, machine.kernel.symbol('init_net').address);
  if (device === undefined) return undefined;
  const name = deviceName(reader, device);
  bringUp(machine, device, name);
  const mac = Array.from(hardwareAddress(reader, device), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join(':');
  const operations = pointer(reader, device, 'struct net_device', 'netdev_ops');
  const isVirtio =
    machine.kernel.symbols.at(operations)?.symbol.module === 'virtio_net' &&
    reader.types.find('struct virtnet_info') !== undefined;
  return { netpoll: { name, functions, mac, isVirtio }, device };
}

/** `ip link set up`, as far as memory tells it. */
function bringUp(machine: Machine, device: bigint, name: string): void {
  const { types } = machine.kernel;
  const reader = { memory: machine.virtual, types };
  const at = (member: string): bigint =>
    device + BigInt(types.offsetOf('struct net_device', member));
  const flags = reader.memory.u32(at('flags'));
  if ((flags & deviceFlags.up) !== 0) return;
  const what = `${name} is brought up`;
  machine.edit({ what, address: at('flags'), bytes: u32Bytes(flags | deviceFlags.up) });
  const state = reader.memory.u64(at('state')) | deviceStates.start;
  machine.edit({ what, address: at('state'), bytes: u64Bytes(state & ~deviceStates.noCarrier) });
  for (const napi of napisOf(reader, device)) {
    const address = napi + BigInt(types.offsetOf('struct napi_struct', 'state'));
    const enabled = machine.virtual.u64(address) & ~(napiStates.scheduled | napiStates.netpoll);
    machine.edit({ what: `${what}: its napi_struct`, address, bytes: u64Bytes(enabled) });
  }
}

/** Where the locks that `resetLocks` writes are: declared before the instant. */
export function lockPlaces(machine: Machine, device: bigint): PhysicalRange[] {
  const reader = { memory: machine.virtual, types: machine.kernel.types };
  const { lock, owner } = transmitLock(reader, transmitQueue(reader, device));
  const owners = napisOf(reader, device).map((napi) => pollOwner(reader, napi));
  return [lock, owner, ...owners].map((address) => {
    const start = Number(machine.virtual.translate(address).physical);
    return { start, end: start + 4 };
  });
}

/** netpoll_reset_locks(): whoever held them is stopped, and gives nothing back. */
export function resetLocks(machine: Machine, device: bigint): void {
  const { panicCpu } = machine;
  const reader = { memory: panicCpu.memory, types: machine.kernel.types };
  const { lock, owner } = transmitLock(reader, transmitQueue(reader, device));
  panicCpu.write(lock, u32Bytes(0), 'transmit lock');
  panicCpu.write(owner, u32Bytes(nobody), 'owner of the transmit lock');
  for (const napi of napisOf(reader, device)) {
    panicCpu.write(pollOwner(reader, napi), u32Bytes(nobody), 'owner of a poll context');
  }
}

/** What a call into the driver came to, and for which state of memory that holds. */
interface Sound {
  readonly generation: number;
  readonly room: number;
}

/**
 * The polled card as one stage uses it. As long as no byte of memory changes, a second call goes
 * the same way as the first: it is walked once.
 */
export class PolledNic {
  readonly #machine: Machine;
  readonly #netpoll: Netpoll;
  /** Where the resident part keeps the device's address. Virtual. */
  readonly #pointer: bigint;
  #sending: Sound | undefined;
  #polling: { readonly generation: number; readonly isHeard: boolean } | undefined;

  constructor(machine: Machine, netpoll: Netpoll, devicePointer: bigint) {
    this.#machine = machine;
    this.#netpoll = netpoll;
    this.#pointer = devicePointer;
  }

  get device(): bigint {
    return this.#machine.panicCpu.memory.u64(this.#pointer);
  }

  /** Whether so many packets went out on the wire. Spins where the original does. */
  send(packets: number): boolean {
    const { generation } = this.#machine.memory;
    if (this.#sending?.generation !== generation) {
      const room = this.#walkToRing();
      if (room === undefined) return false;
      this.#sending = { generation, room };
    }
    const { name } = this.#netpoll;
    const result = this.#machine.nic.transmit(packets, this.#sending.room);
    if (result === 'full') {
      this.#spin(`the transmit ring of ${name} is full and the card takes nothing out of it`);
    }
    return result === 'sent';
  }

  /** Whether a packet that arrived is found: by polling, not by an interrupt. */
  poll(): boolean {
    const { generation } = this.#machine.memory;
    if (this.#polling?.generation !== generation) {
      this.#polling = { generation, isHeard: this.#walkToPoll() };
    }
    return this.#polling.isHeard;
  }

  /** Packets that the driver can put into its ring; undefined: it drops them. */
  #walkToRing(): number | undefined {
    const { panicCpu, kernel } = this.#machine;
    const reader = { memory: panicCpu.memory, types: kernel.types };
    const { name, functions, isVirtio } = this.#netpoll;
    panicCpu.execute(functions.send);
    const { device } = this;
    const state = pointer(reader, device, 'struct net_device', 'state');
    if ((state & deviceStates.start) === 0n) return undefined;
    const queue = transmitQueue(reader, device);
    const { lock, owner } = transmitLock(reader, queue);
    if (isHeld(reader, 'netdev_queue._xmit_lock', lock)) {
      const holder = reader.memory.i32(owner);
      const who = holder === nobody ? 'nobody says by whom' : `by CPU ${holder}`;
      this.#spin(`the transmit lock of ${name} is held, ${who}`);
    }
    const queueState = pointer(reader, queue, 'struct netdev_queue', 'state');
    if ((queueState & queueStopped) !== 0n) {
      this.#spin(`the transmit queue of ${name} is stopped, and nobody wakes it`);
    }
    const operations = pointer(reader, device, 'struct net_device', 'netdev_ops');
    const send = pointer(reader, operations, 'struct net_device_ops', 'ndo_start_xmit');
    this.#call(send, 'ndo_start_xmit');
    return isVirtio ? virtioRings(reader, device).room : Number.POSITIVE_INFINITY;
  }

  /** poll_napi() passes over what another CPU is polling. */
  #walkToPoll(): boolean {
    const { panicCpu, kernel } = this.#machine;
    const reader = { memory: panicCpu.memory, types: kernel.types };
    panicCpu.execute(this.#netpoll.functions.receive);
    const { device } = this;
    const receiving = this.#netpoll.isVirtio
      ? virtioRings(reader, device).receiveNapi
      : napisOf(reader, device)[0];
    let isHeard = false;
    for (const napi of napisOf(reader, device)) {
      if (reader.memory.i32(pollOwner(reader, napi)) !== nobody) continue;
      this.#call(pointer(reader, napi, 'struct napi_struct', 'poll'), 'napi_struct.poll');
      if (napi === receiving) isHeard = true;
    }
    return isHeard;
  }

  /** Calls through a pointer in memory: to a function's start, or into the middle of something. */
  #call(address: bigint, what: string): void {
    const { panicCpu, kernel } = this.#machine;
    const found = kernel.symbols.at(address);
    if (found === undefined || found.offset !== 0 || !/^t$/i.test(found.symbol.type)) {
      const cause = `${what} of ${this.#netpoll.name} leads to 0x${address.toString(16)}`;
      throw new MachineStop('wild jump', `${cause}, which is no function`, what);
    }
    const { name } = found.symbol;
    const isRecorded = this.#machine.blueprint.footprints !== undefined && name === recorded.from;
    if (isRecorded) panicCpu.executePath(recorded);
    else panicCpu.execute(name);
  }

  #spin(cause: string): never {
    return this.#machine.clock.hang(`${cause}: it spins`, this.#netpoll.name);
  }
}

function pointer({ memory, types }: NetReader, at: bigint, type: string, member: string): bigint {
  memory.physical.image.watcher?.onObject(type, at);
  return memory.u64(at + BigInt(types.offsetOf(type, member)));
}
