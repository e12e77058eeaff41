/** CPUs that do not do what the panicking one asks of them. */

import { DumpError } from '../../bytes/errors.ts';
import type { Cpu } from '../../machine/cpu.ts';
import { done, type FaultKind, type ParameterValues, type Strike } from './kind.ts';

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

export const cpuFaults: readonly FaultKind[] = [deaf, dead, spinning, nmiBroken];

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
