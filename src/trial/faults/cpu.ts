/** CPUs that do not do what the panicking one asks of them. */

import { DumpError } from '../../bytes/errors.ts';
import { plural } from '../../bytes/text.ts';
import { selectPages } from '../../capture/filter.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import { dumpLevelBits } from '../../linux/pages.ts';
import { microsecond, millisecond } from '../../machine/clock.ts';
import type { Cpu } from '../../machine/cpu.ts';
import type { Machine } from '../../machine/machine.ts';
import {
  done,
  type Effect,
  type FaultKind,
  numberOf,
  type ParameterValues,
  type Strike,
} from './kind.ts';

const which = {
  name: 'cpu',
  type: 'number',
  min: 0,
  max: 8191,
  otherwise: 'one that did not panic, drawn',
  meaning: 'number of the CPU',
} as const;

const deaf: FaultKind = {
  name: 'cpu-deaf',
  family: 'cpu',
  summary: 'a CPU takes neither NMI nor IPI: it goes on running, and writing',
  parameters: [which],
  example: 'cpu-deaf',
  strike(strike, parameters) {
    const cpu = otherCpu(strike, parameters);
    cpu.condition.takesNmi = false;
    cpu.condition.takesIpi = false;
    return done(`CPU ${cpu.number} takes no NMI and no IPI`);
  },
};

const dead: FaultKind = {
  name: 'cpu-dead',
  family: 'cpu',
  summary: 'a CPU executes nothing any more and answers nobody',
  parameters: [which],
  example: 'cpu-dead',
  strike(strike, parameters) {
    const cpu = otherCpu(strike, parameters);
    cpu.state = 'dead';
    return done(`CPU ${cpu.number} is dead`);
  },
};

const spinning: FaultKind = {
  name: 'cpu-spinning',
  family: 'cpu',
  summary: 'a CPU spins with its interrupts off: an NMI reaches it, an IPI does not',
  parameters: [which],
  example: 'cpu-spinning:cpu=0',
  strike(strike, parameters) {
    const cpu = otherCpu(strike, parameters);
    cpu.state = 'spinning';
    return done(`CPU ${cpu.number} spins with interrupts off`);
  },
};

const busyWriter: FaultKind = {
  name: 'busy-writer',
  family: 'cpu',
  summary: 'a process writes to page after page for as long as its CPU runs',
  parameters: [
    which,
    { name: 'pages', type: 'number', min: 1, max: 100_000, default: 4000, meaning: 'how many' },
    {
      name: 'for',
      type: 'number',
      min: 1,
      max: 60_000,
      default: 1000,
      meaning: 'milliseconds that it takes for them',
    },
  ],
  example: 'busy-writer:pages=8000',
  strike(strike, parameters): Effect {
    const { machine, random } = strike;
    const cpu = otherCpu(strike, parameters);
    const places = processPages(machine);
    if (places.length === 0) return { effect: 'prevented', writes: [], remarks: ['no such page'] };
    const count = numberOf(parameters, 'pages');
    const eachNs = (numberOf(parameters, 'for') * millisecond) / count;
    const first = random.below(places.length);
    for (let index = 0; index < count; index++) {
      const pfn = places[(first + index) % places.length]!;
      machine.schedule({
        atNs: Math.ceil((index + 1) * eachNs),
        by: { cpu: cpu.number },
        physical: pfn * machine.memory.pageSize,
        bytes: random.bytes(8),
        what: 'fault: a process writes',
      });
    }
    const pages = Math.min(count, places.length);
    return {
      effect: 'scheduled',
      writes: [],
      remarks: [
        `CPU ${cpu.number}: ${plural(count, 'write')} to ${plural(pages, 'page')}, one every ` +
          `${Math.round(eachNs / microsecond)} us; synthetic, in user pages and in free ones`,
      ],
    };
  },
};

/** PFNs that a process has or could have: those of user memory, and those that are free. */
function processPages(machine: Machine): number[] {
  const level = dumpLevelBits.user | dumpLevelBits.free;
  const { kept, ram } = selectPages(
    machine.virtual,
    pageLayout(machine.kernel),
    machine.ram,
    level,
  );
  const places: number[] = [];
  for (let pfn = ram.next(0); pfn >= 0; pfn = ram.next(pfn + 1)) {
    if (!kept.has(pfn) && machine.memory.readPage(pfn).bytes !== undefined) places.push(pfn);
  }
  return places;
}

const nmiBroken: FaultKind = {
  name: 'nmi-broken',
  family: 'platform',
  summary: 'no CPU ever gets an NMI',
  parameters: [],
  example: 'nmi-broken',
  strike({ machine }) {
    const others = machine.cpus.filter((cpu) => cpu.number !== machine.panic.cpu);
    for (const cpu of others) cpu.condition.takesNmi = false;
    return done(`no NMI reaches a CPU but CPU ${machine.panic.cpu}`);
  },
};

export const cpuFaults: readonly FaultKind[] = [deaf, dead, spinning, busyWriter, nmiBroken];

/** The panicking CPU is the one that executes the method. */
function otherCpu({ machine, random }: Strike, parameters: ParameterValues): Cpu {
  const others = machine.cpus.filter((cpu) => cpu.number !== machine.panic.cpu);
  const wanted = parameters['cpu'];
  if (wanted === undefined && others.length > 0) return random.pick(others);
  const found = others.find((cpu) => cpu.number === wanted);
  if (found !== undefined) return found;
  const numbers = others.map((cpu) => cpu.number).join(', ');
  if (wanted === undefined) {
    throw new DumpError('unsupported', 'the machine has no CPU but the one that panics');
  }
  const why = wanted === machine.panic.cpu ? 'is the one that panics' : 'does not exist';
  throw new DumpError('usage', `CPU ${wanted} ${why}`, {
    hint: numbers === '' ? undefined : `the other CPUs of this machine: ${numbers}`,
  });
}
