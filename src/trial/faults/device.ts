/** What is wrong with disk, network card and interrupt lines when the dump starts. */

import { plural } from '../../bytes/text.ts';
import type { Machine } from '../../machine/machine.ts';
import { dmaFaults } from './dma.ts';
import { done, type Effect, type FaultKind, numberOf, wordOf } from './kind.ts';

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
  ...dmaFaults,
  interruptLost,
  interruptStorm,
];

function setLine(machine: Machine, name: string, state: 'lost' | 'storm'): Effect {
  machine.interrupts.line(name).state = state;
  return done(`interrupt line of ${name}: ${state === 'lost' ? 'nothing arrives' : 'a storm'}`);
}
