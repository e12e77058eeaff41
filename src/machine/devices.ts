/**
 * What a memory dump does not hold and a side file saved from the virtual machine may tell: where
 * the rings of its devices lie, and how its interrupt pins are programmed. What is in flight is
 * then read from the rings in memory, available minus used: memory is believed, not the file.
 * Source: Virtual I/O Device specification 1.2, section 2.7 (split virtqueues), 5.6.2 (SCSI queues:
 * control, event, then requests), 5.1.2 (network: receive, transmit); Intel 82093AA (I/O APIC).
 */

import { attempt } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import type { InterruptController, LineName } from './interrupts.ts';
import type { MachineMemory } from './memory.ts';
import type { PhysicalRange } from './ram.ts';

/** A split virtqueue; physical addresses of its three parts. */
export interface VirtQueue {
  readonly index: number;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Taken by the device and not given back. */
  readonly inFlight: number;
}

export interface InterruptPin {
  readonly pin: number;
  readonly vector: number;
  readonly masked: boolean;
  /** An APIC's number; in logical mode a set of CPUs, bit by bit. */
  readonly destination: number;
  readonly destinationMode: 'physical' | 'logical';
}

/** Plain data, as the side file has it; whatever else it has is not looked at. */
export interface DeviceState {
  readonly scsi?: { readonly queues: readonly VirtQueue[] };
  readonly network?: { readonly mac: string; readonly queues: readonly VirtQueue[] };
  readonly ioApic?: { readonly pins: readonly InterruptPin[] };
}

export type DeviceOrigin = 'side file' | 'synthetic';

const firstRequestQueue = 2;
/** Queue size of the specification's upper limit. */
const maxQueue = 32768;
/** Pins of the ISA interrupts 0 and 4 on every PC since the I/O APIC. */
const pinOf: readonly (readonly [name: LineName, pin: number])[] = [
  ['timer', 2],
  ['serial', 4],
];

/** Requests to the disk that it has not completed, and what does not fit together. */
export function requestsInFlight(
  memory: MachineMemory,
  { scsi }: DeviceState,
): { readonly inFlight: number; readonly remarks: readonly string[] } {
  const remarks: string[] = [];
  let inFlight = 0;
  for (const queue of scsi?.queues ?? []) {
    if (queue.index < firstRequestQueue || queue.desc === 0) continue;
    const found = outstanding(memory, queue);
    if (found === undefined) {
      remarks.push(`disk queue ${queue.index}: its rings are not in the input`);
    } else if (found !== queue.inFlight) {
      const here = plural(found, 'request');
      remarks.push(`disk queue ${queue.index}: ${here} in memory, ${queue.inFlight} in the file`);
    }
    inFlight += found ?? queue.inFlight;
  }
  return { inFlight, remarks };
}

/** Buffers that the network card may fill at any time: where its DMA goes. */
export function receiveBuffers(memory: MachineMemory, { network }: DeviceState): PhysicalRange[] {
  const physical = new PhysicalMemory(memory);
  const buffers: PhysicalRange[] = [];
  for (const queue of network?.queues ?? []) {
    // Receive queues are the even ones; the last one, alone and even, is for control.
    const isReceive = queue.index % 2 === 0 && queue.index < (network?.queues.length ?? 0) - 1;
    if (!isReceive || !isSane(queue)) continue;
    attempt(() => {
      const used = index(physical, queue.used);
      const count = outstanding(memory, queue) ?? 0;
      for (let at = 0; at < count; at++) {
        const slot = ((used + at) & 0xffff) % queue.size;
        const head = u16(physical, queue.avail + 4 + slot * 2) % queue.size;
        const entry = physical.read(BigInt(queue.desc + head * 16), 16);
        const view = new DataView(entry.buffer, entry.byteOffset, 16);
        const start = Number(view.getBigUint64(0, true));
        buffers.push({ start, end: start + view.getUint32(8, true) });
      }
    });
  }
  return buffers;
}

/** Vectors, masks and CPUs of the lines that have a pin of their own. */
export function programPins(interrupts: InterruptController, { ioApic }: DeviceState): void {
  for (const [name, pin] of pinOf) {
    const entry = ioApic?.pins.find((candidate) => candidate.pin === pin);
    if (entry === undefined) continue;
    const line = interrupts.line(name);
    line.vector = entry.vector;
    line.enabled = !entry.masked;
    const { destination, destinationMode } = entry;
    const lowest = 31 - Math.clz32(destination & -destination);
    line.cpu = destinationMode === 'logical' ? Math.max(0, lowest) : destination;
  }
}

/** Available minus used, modulo 65536; undefined where memory does not say it. */
function outstanding(memory: MachineMemory, queue: VirtQueue): number | undefined {
  if (!isSane(queue)) return undefined;
  const physical = new PhysicalMemory(memory);
  return attempt(() => {
    const count = (index(physical, queue.avail) - index(physical, queue.used)) & 0xffff;
    return count <= queue.size ? count : undefined;
  });
}

function isSane({ size, desc, avail, used }: VirtQueue): boolean {
  const isAddress = (address: number): boolean => Number.isSafeInteger(address) && address > 0;
  return size > 0 && size <= maxQueue && [desc, avail, used].every(isAddress);
}

/** Both rings start with flags and the index of their next entry. */
function index(physical: PhysicalMemory, ring: number): number {
  return u16(physical, ring + 2);
}

function u16(physical: PhysicalMemory, address: number): number {
  const bytes = physical.read(BigInt(address), 2);
  return bytes[0]! | (bytes[1]! << 8);
}
