/**
 * Memory damage. Each write names its writer: a CPU goes through its page tables, where a read-only
 * page makes the write a fault of the writer and no damage; DMA and memory errors are physical and
 * hit anything.
 */

import { attempt, DumpError } from '../../bytes/errors.ts';
import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import {
  type Effect,
  type FaultKind,
  numberOf,
  type ParameterValue,
  type ParameterValues,
  type Strike,
  type WriteNote,
  wordOf,
} from './kind.ts';
import type { Random } from './random.ts';
import { type RegionName, regionNames, regionOf } from './regions.ts';
import { noteOf, outcomeOf, type PlannedWrite, readPhysical, sum } from './write.ts';

const writers = ['cpu', 'dma', 'memory-error'] as const;
type Writer = (typeof writers)[number];

/** `0x1000`, `jiffies_64`, `init_task+0x10`. */
const addressPattern =
  /^(?:0x[0-9a-fA-F]{1,16}|[A-Za-z_][\w.]*(?:\+(?:0x[0-9a-fA-F]{1,8}|\d{1,9}))?)$/;

export const memory: FaultKind = {
  name: 'memory',
  family: 'memory',
  summary: 'bytes of memory are overwritten',
  parameters: [
    {
      name: 'by',
      type: 'choice',
      choices: writers,
      meaning: 'who writes: a CPU by its page tables, a device or broken memory past them',
    },
    {
      name: 'region',
      type: 'choice',
      choices: regionNames,
      otherwise: 'any',
      meaning: 'where the seed may aim',
    },
    {
      name: 'writes',
      type: 'number',
      min: 1,
      max: 1000,
      default: 1,
      meaning: 'how many writes, each at a place of its own',
    },
    { name: 'bytes', type: 'number', min: 1, max: 65536, default: 8, meaning: 'bytes of each' },
    {
      name: 'at',
      type: 'text',
      form: 'ADDRESS',
      allowed: 'symbol, symbol+offset or 0x...',
      pattern: addressPattern,
      otherwise: 'drawn from the region',
      meaning:
        'one place instead of a region; 0x... is virtual for cpu and physical for the others, ' +
        'and goes in quotes in a file',
    },
    {
      name: 'pattern',
      type: 'choice',
      choices: ['random', 'zero', 'flip'],
      otherwise: 'flip for memory-error, else random',
      meaning: 'what is written; flip inverts one bit',
    },
    {
      name: 'when',
      type: 'choice',
      choices: ['instant', 'run'],
      default: 'instant',
      meaning: 'right before the dump method starts, or while it runs',
    },
    {
      name: 'within',
      type: 'number',
      min: 1,
      max: 3_600_000,
      default: 5000,
      meaning: 'for when=run: milliseconds after the instant in which the writes fall',
    },
  ],
  example: 'memory:by=dma,region=slab,writes=4',
  // One place is one write.
  apart: [
    ['at', 'region'],
    ['at', 'writes'],
  ],
  strike: strikeMemory,
};

function strikeMemory(strike: Strike, parameters: ParameterValues): Effect {
  const { machine, random } = strike;
  const by = wordOf(parameters, 'by') as Writer;
  const aimed = aimedBy(strike, by, parameters);
  if (aimed === undefined) {
    return sum([], [`the machine has nothing of the region ${parameters['region']}`]);
  }
  const writes: WriteNote[] = [];
  for (let count = numberOf(parameters, 'writes'); count > 0; count--) {
    const aim = aimed();
    const bytes = content(machine, aim.physical, parameters, random);
    const write = { ...aim, bytes };
    if (parameters['when'] === 'run') {
      const atNs = random.below(numberOf(parameters, 'within') * millisecond);
      writes.push(scheduled(strike, by, write, { atNs, isFlip: patternOf(parameters) === 'flip' }));
    } else {
      writes.push(struck(machine, by, write));
    }
  }
  return sum(writes, []);
}

/** MAXPHYADDR of x86-64, Intel SDM volume 3, 4.1.4. */
const physicalBits = 52n;

type Aim = Omit<PlannedWrite, 'bytes'>;

/** Where the next write goes; undefined where there is no place for any. */
function aimedBy(
  { machine, random, targets }: Strike,
  by: Writer,
  parameters: ParameterValues,
): (() => Aim) | undefined {
  const { at } = parameters;
  if (at !== undefined) return () => aimedAt(machine, by, String(at));
  const name = (parameters['region'] ?? 'any') as RegionName;
  const region = regionOf(machine, targets, name);
  if (region.bytes === 0) return undefined;
  // Stores and transfers are aligned to words; a bit may flip anywhere.
  const align = by === 'memory-error' ? 1 : 8;
  return () => {
    const place = region.place(Math.floor(random.below(region.bytes) / align) * align);
    return { region: name, ...place };
  };
}

/** A symbol is virtual to everybody; a number is what the writer puts on its bus. */
function aimedAt(machine: Machine, by: Writer, text: string): Aim {
  const { kernel } = machine;
  const [name = '', offset = '0'] = text.split('+');
  const isNumber = text.startsWith('0x');
  if (isNumber && by !== 'cpu') {
    const address = BigInt(text);
    if (address >> physicalBits !== 0n) {
      const message = `${text}: a physical address has at most ${physicalBits} bits`;
      throw new DumpError('usage', message);
    }
    return { region: text, physical: Number(address), virtual: kernel.toVirtual(address) };
  }
  const virtual = isNumber ? BigInt(text) : kernel.symbol(name).address + BigInt(offset);
  const physical = attempt(() => Number(kernel.memory.translate(virtual).physical));
  return { region: text, physical, virtual, symbol: isNumber ? undefined : text };
}

function patternOf(parameters: ParameterValues): ParameterValue {
  return parameters['pattern'] ?? (parameters['by'] === 'memory-error' ? 'flip' : 'random');
}

function content(
  machine: Machine,
  physical: number | undefined,
  parameters: ParameterValues,
  random: Random,
): Uint8Array {
  const length = numberOf(parameters, 'bytes');
  switch (patternOf(parameters)) {
    case 'zero':
      return new Uint8Array(length);
    case 'flip': {
      const bit = random.below(length * 8);
      // What cannot be read cannot be written either: then these bytes go nowhere.
      const bytes = readPhysical(machine, physical, length)?.slice() ?? new Uint8Array(length);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return bytes;
    }
    default:
      return random.bytes(length);
  }
}

const writerNames: Readonly<Record<Writer, (machine: Machine) => string>> = {
  cpu: (machine) => `CPU ${machine.panic.cpu}`,
  dma: () => 'DMA of nic',
  'memory-error': () => 'memory error',
};

function struck(machine: Machine, by: Writer, write: PlannedWrite): WriteNote {
  const note = noteOf(machine, writerNames[by](machine), write);
  const address = by === 'cpu' ? write.virtual : write.physical;
  if (address === undefined) return { ...note, outcome: 'not mapped' };
  const before = readPhysical(machine, write.physical, write.bytes.length)?.slice();
  const { bytes } = write;
  const what = `fault: memory:by=${by}`;
  const result = machine.damage({ by, address: BigInt(address), bytes, what });
  return { ...note, outcome: result === 'done' ? outcomeOf(before, bytes) : result };
}

/** A CPU that stores later is another one: the panicking one executes the method. */
function scheduled(
  strike: Strike,
  by: Writer,
  write: PlannedWrite,
  { atNs, isFlip }: { readonly atNs: number; readonly isFlip: boolean },
): WriteNote {
  const { machine, random } = strike;
  const cpu = by === 'cpu' ? runningCpu(machine, random) : undefined;
  const writer = cpu === undefined ? writerNames[by](machine) : `CPU ${cpu}`;
  const note = noteOf(machine, writer, write);
  const { physical, virtual, bytes } = write;
  if (physical === undefined) return { ...note, outcome: 'not mapped' };
  const before = readPhysical(machine, physical, bytes.length);
  if (before === undefined) return { ...note, outcome: 'no memory' };
  if (cpu !== undefined && !isWritable(machine, virtual)) return { ...note, outcome: 'read-only' };
  machine.schedule({
    atNs,
    by: cpu === undefined ? { device: by === 'dma' ? 'nic' : 'memory' } : { cpu },
    physical,
    // The other bits are whatever they are by then.
    ...(isFlip ? { how: 'flip', bytes: bytes.map((byte, at) => byte ^ before[at]!) } : { bytes }),
    what: `fault: memory:by=${by}`,
  });
  return { ...note, outcome: 'scheduled', atNs };
}

function runningCpu(machine: Machine, random: Random): number {
  const others = machine.cpus.filter(({ number }) => number !== machine.panic.cpu);
  if (others.length > 0) return random.pick(others).number;
  throw new DumpError('unsupported', 'the machine has one CPU, and that one runs the method', {
    hint: 'when=instant, or another writer',
  });
}

function isWritable(machine: Machine, virtual: bigint | undefined): boolean {
  if (virtual === undefined) return false;
  return attempt(() => machine.virtual.translate(virtual).writable) ?? false;
}
