/** What is wrong with disk, network card and interrupt lines when the dump starts. */

import { plural } from '../../bytes/text.ts';
import { basePageSize } from '../../linux/paging.ts';
import { millisecond, second } from '../../machine/clock.ts';
import { receiveBuffers } from '../../machine/devices.ts';
import type { Machine } from '../../machine/machine.ts';
import {
  done,
  type Effect,
  type FaultKind,
  numberOf,
  type Strike,
  type WriteNote,
  wordOf,
} from './kind.ts';
import { type Piece, regionOf } from './regions.ts';
import { noteOf, sum } from './write.ts';

const diskBusy: FaultKind = {
  name: 'disk-busy',
  family: 'device',
  summary: 'commands of the crashed kernel are still in flight on the disk',
  parameters: [
    { name: 'commands', type: 'number', min: 1, max: 1024, default: 32, meaning: 'how many' },
  ],
  example: 'disk-busy:commands=64',
  strike({ machine }, parameters) {
    const commands = numberOf(parameters, 'commands');
    machine.disk.condition.inFlight = commands;
    return done(`disk: ${plural(commands, 'command')} in flight; no memory was changed`);
  },
};

const diskHung: FaultKind = {
  name: 'disk-hung',
  family: 'device',
  summary: 'the disk completes no command',
  parameters: [
    {
      name: 'until',
      type: 'choice',
      choices: ['reset', 'never'],
      default: 'reset',
      meaning: 'whether a reset of the controller brings it back',
    },
  ],
  example: 'disk-hung:until=never',
  strike({ machine }, parameters) {
    const forGood = parameters['until'] === 'never';
    machine.disk.condition.hung = forGood ? 'for good' : 'until reset';
    return done(`disk: hung ${forGood ? 'for good' : 'until it is reset'}`);
  },
};

const diskSlow: FaultKind = {
  name: 'disk-slow',
  family: 'device',
  summary: 'every command of the disk takes longer',
  parameters: [
    {
      name: 'factor',
      type: 'number',
      min: 2,
      max: 1_000_000,
      default: 100,
      meaning: 'how many times as long as the hardware profile has it',
    },
  ],
  example: 'disk-slow:factor=1000',
  strike({ machine }, parameters) {
    const factor = numberOf(parameters, 'factor');
    machine.disk.condition.slowdown = factor;
    return done(`disk: commands take ${factor} times as long`);
  },
};

const diskBadSectors: FaultKind = {
  name: 'disk-bad-sectors',
  family: 'device',
  summary: 'writes to some sectors of the partitions fail with a medium error',
  parameters: [
    {
      name: 'count',
      type: 'number',
      min: 1,
      max: 4096,
      default: 16,
      meaning: 'runs of bad sectors on each partition, at places of the seed',
    },
    {
      name: 'sectors',
      type: 'number',
      min: 1,
      max: 65536,
      default: 8,
      meaning: 'sectors of each run',
    },
  ],
  example: 'disk-bad-sectors:count=64',
  strike({ machine, random }, parameters) {
    const { disk } = machine;
    const { sectorSize } = machine.hardware.disk;
    const length = numberOf(parameters, 'sectors') * sectorSize;
    const remarks: string[] = [];
    for (const { start, size } of disk.partitions) {
      const places = Math.max(1, Math.floor((size - length) / sectorSize));
      for (let count = numberOf(parameters, 'count'); count > 0; count--) {
        const at = start + random.below(places) * sectorSize;
        const end = Math.min(at + length, start + size);
        disk.condition.badSectors.push({ start: at, end });
        remarks.push(`disk: bytes ${at} to ${end - 1} cannot be written`);
      }
    }
    return done(...remarks);
  },
};

const diskTooSmall: FaultKind = {
  name: 'disk-too-small',
  family: 'device',
  summary: 'the partitions hold less than the dump needs',
  parameters: [
    {
      name: 'percent',
      type: 'number',
      min: 1,
      max: 100,
      default: 10,
      meaning: 'size of each partition in percent of the RAM',
    },
  ],
  example: 'disk-too-small:percent=5',
  configure({ ram }, parameters) {
    const ramBytes = ram.reduce((bytes, { start, end }) => bytes + end - start, 0);
    const bytes = Math.ceil((ramBytes * numberOf(parameters, 'percent')) / 100);
    return { dumpPartitionBytes: bytes, filesPartitionBytes: bytes };
  },
};

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
    const { machine, random } = strike;
    const device = wordOf(parameters, 'device');
    const everyNs = numberOf(parameters, 'every') * millisecond;
    const { places, region, origin } = buffersOf(strike, device);
    if (places.length === 0) return { effect: 'prevented', writes: [], remarks: [origin] };
    const writes: WriteNote[] = [];
    const what = `fault: DMA of ${device} goes on`;
    const count = Math.floor((numberOf(parameters, 'for') * second) / everyNs);
    for (let index = 0; index < count; index++) {
      const place = places[index % places.length]!;
      const bytes = random.bytes(Math.min(numberOf(parameters, 'bytes'), place.bytes));
      const atNs = (index + 1) * everyNs;
      machine.schedule({ atNs, by: { device }, physical: place.physical, bytes, what });
      if (index >= maxNotes) continue;
      const note = noteOf(machine, `DMA of ${device}`, { region, ...place, bytes });
      writes.push({ ...note, outcome: 'scheduled', atNs });
    }
    return sum(writes, [
      `${plural(count, 'write')} every ${numberOf(parameters, 'every')} ms until its reset`,
      `${plural(places.length, 'buffer')}: ${origin}`,
    ]);
  },
};

/**
 * The buffers that the network card was given, where its rings are known; else made up. A disk in
 * flight reads into the page cache, which no ring of ours tells: made up as well.
 */
function buffersOf(
  { machine, targets, random }: Strike,
  device: string,
): { readonly places: readonly Piece[]; readonly region: string; readonly origin: string } {
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

const line = {
  name: 'line',
  type: 'choice',
  choices: ['disk', 'nic', 'timer', 'serial'],
  default: 'disk',
  meaning: 'which line',
} as const;

const interruptLost: FaultKind = {
  name: 'interrupt-lost',
  family: 'device',
  summary: 'interrupts of a line never arrive',
  parameters: [line],
  example: 'interrupt-lost:line=disk',
  strike: ({ machine }, parameters) => setLine(machine, wordOf(parameters, 'line'), 'lost'),
};

const interruptStorm: FaultKind = {
  name: 'interrupt-storm',
  family: 'device',
  summary: 'a line interrupts without end',
  parameters: [line],
  example: 'interrupt-storm:line=nic',
  strike: ({ machine }, parameters) => setLine(machine, wordOf(parameters, 'line'), 'storm'),
};

export const deviceFaults: readonly FaultKind[] = [
  diskBusy,
  diskHung,
  diskSlow,
  diskBadSectors,
  diskTooSmall,
  dmaGoesOn,
  interruptLost,
  interruptStorm,
];

function setLine(machine: Machine, name: string, state: 'lost' | 'storm'): Effect {
  machine.interrupts.line(name).state = state;
  return done(`interrupt line of ${name}: ${state === 'lost' ? 'nothing arrives' : 'a storm'}`);
}
