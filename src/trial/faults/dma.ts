/** Devices that go on writing to memory, because nobody told them that their kernel is dead. */

import { plural } from '../../bytes/text.ts';
import { basePageSize } from '../../linux/paging.ts';
import { millisecond, second } from '../../machine/clock.ts';
import { receiveBuffers } from '../../machine/devices.ts';
import {
  type Effect,
  type FaultKind,
  numberOf,
  type Strike,
  type WriteNote,
  wordOf,
} from './kind.ts';
import { type Piece, regionOf } from './regions.ts';
import { noteOf, sum } from './write.ts';

const madeUpBuffers = 16;
/** Writes that are listed one by one: the others are of the same kind. */
const maxNotes = 16;

const dmaGoesOn: FaultKind = {
  name: 'dma-goes-on',
  family: 'device',
  summary: 'a device goes on writing to memory until it is reset',
  parameters: [
    {
      name: 'device',
      type: 'choice',
      choices: ['nic', 'disk'],
      default: 'nic',
      meaning: 'which one',
    },
    {
      name: 'every',
      type: 'number',
      min: 10,
      max: 60_000,
      default: 100,
      meaning: 'milliseconds from one write to the next',
    },
    {
      name: 'bytes',
      type: 'number',
      min: 1,
      max: 4096,
      // The shortest Ethernet frame.
      default: 64,
      meaning: 'bytes of each write',
    },
    {
      name: 'for',
      type: 'number',
      min: 1,
      max: 60,
      default: 30,
      meaning: 'seconds after which it ends, if no reset ends it before',
    },
  ],
  example: 'dma-goes-on:device=nic,every=50',
  strike(strike, parameters): Effect {
    const device = wordOf(parameters, 'device');
    const buffers = buffersOf(strike, device);
    const everyNs = numberOf(parameters, 'every') * millisecond;
    const count = Math.floor((numberOf(parameters, 'for') * second) / everyNs);
    const bytes = numberOf(parameters, 'bytes');
    return goOn(strike, device, buffers, { count, everyNs, bytes });
  },
};

const networkBusy: FaultKind = {
  name: 'network-busy',
  family: 'device',
  summary: 'packets go on arriving, each in a buffer of its own that the network card still has',
  parameters: [
    { name: 'packets', type: 'number', min: 1, max: 4096, default: 32, meaning: 'how many' },
    {
      name: 'every',
      type: 'number',
      min: 1,
      max: 60_000,
      default: 5,
      meaning: 'milliseconds from one packet to the next',
    },
    {
      name: 'bytes',
      type: 'number',
      // Frames of Ethernet.
      min: 64,
      max: 1518,
      default: 1518,
      meaning: 'bytes of each packet',
    },
  ],
  example: 'network-busy:packets=100,every=1',
  strike(strike, parameters): Effect {
    const device = 'nic';
    const buffers = buffersOf(strike, device);
    // Nobody fills the ring again: what comes when it is empty is dropped.
    const count = Math.min(numberOf(parameters, 'packets'), buffers.places.length);
    const everyNs = numberOf(parameters, 'every') * millisecond;
    return goOn(strike, device, buffers, { count, everyNs, bytes: numberOf(parameters, 'bytes') });
  },
};

export const dmaFaults: readonly FaultKind[] = [dmaGoesOn, networkBusy];

interface Buffers {
  readonly places: readonly Piece[];
  readonly region: string;
  /** How they are known. */
  readonly origin: string;
}

/** Schedules writes to one buffer after the other, and again from the first. */
function goOn(
  { machine, random }: Strike,
  device: string,
  { places, region, origin }: Buffers,
  { count, everyNs, bytes: length }: { count: number; everyNs: number; bytes: number },
): Effect {
  if (places.length === 0) return { effect: 'prevented', writes: [], remarks: [origin] };
  const writes: WriteNote[] = [];
  const what = `fault: DMA of ${device} goes on`;
  for (let index = 0; index < count; index++) {
    const place = places[index % places.length]!;
    const bytes = random.bytes(Math.min(length, place.bytes));
    const atNs = (index + 1) * everyNs;
    machine.schedule({ atNs, by: { device }, physical: place.physical, bytes, what });
    if (index >= maxNotes) continue;
    const note = noteOf(machine, `DMA of ${device}`, { region, ...place, bytes });
    writes.push({ ...note, outcome: 'scheduled', atNs });
  }
  return sum(writes, [
    `${plural(count, 'write')} every ${everyNs / millisecond} ms until its reset`,
    `${plural(places.length, 'buffer')}: ${origin}`,
  ]);
}

/**
 * The buffers that the network card was given, where its rings are known; else made up. A disk in
 * flight reads into the page cache, which no ring of ours tells: made up as well.
 */
function buffersOf({ machine, targets, random }: Strike, device: string): Buffers {
  const { devices } = machine.blueprint.options;
  const ring = device === 'nic' && devices ? receiveBuffers(machine.memory, devices) : [];
  // The ring may have been damaged by a fault before this one.
  const given = ring.filter(({ start, end }) => end > start && end <= Number.MAX_SAFE_INTEGER);
  if (given.length > 0) {
    const places = given.map(({ start, end }) => ({
      physical: start,
      virtual: machine.kernel.toVirtual(BigInt(start)),
      bytes: end - start,
    }));
    return { places, region: 'receive ring', origin: 'as the ring of the card in memory has them' };
  }
  const region = 'slab';
  const slab = regionOf(machine, targets, region);
  if (slab.bytes === 0) return { places: [], region, origin: 'the machine has no slab pages' };
  const places = Array.from({ length: madeUpBuffers }, () => ({
    ...slab.place(Math.floor(random.below(slab.bytes) / basePageSize) * basePageSize),
    bytes: basePageSize,
  }));
  return { places, region, origin: 'synthetic, in slab pages: its rings are not known' };
}
