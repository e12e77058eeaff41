/** What is wrong with the network card, the way to the dump server, and the server. */

import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import type { NetworkCondition } from '../../machine/network.ts';
import { done, type Effect, type FaultKind, numberOf, type Strike } from './kind.ts';

const nicLinkDown: FaultKind = {
  name: 'nic-link-down',
  family: 'device',
  summary: 'the network card has no link: what it sends is lost, and nothing comes',
  parameters: [],
  example: 'nic-link-down',
  strike({ machine }) {
    machine.nic.condition.link = 'down';
    return done('network card: no link');
  },
};

const nicRingStuck: FaultKind = {
  name: 'nic-ring-stuck',
  family: 'device',
  summary: 'the network card takes nothing out of its transmit ring',
  parameters: [],
  example: 'nic-ring-stuck',
  strike({ machine }) {
    machine.nic.condition.transmit = 'stuck';
    return done('network card: its transmit ring fills up and is not emptied');
  },
};

/** Of which share of the packets it is true, with a chance that is the fault's own. */
function shareOf(
  member: 'lossPermille' | 'duplicatePermille' | 'reorderPermille',
  { name, summary, remark }: { readonly name: string; summary: string; remark: string },
): FaultKind {
  return {
    name,
    family: 'device',
    summary,
    parameters: [
      {
        name: 'permille',
        type: 'number',
        min: 1,
        max: 1000,
        default: 50,
        meaning: 'of a thousand packets',
      },
    ],
    example: `${name}:permille=20`,
    strike(strike, parameters) {
      const permille = numberOf(parameters, 'permille');
      change(strike, { [member]: permille });
      return done(`network: ${permille} of 1000 packets ${remark}`);
    },
  };
}

const networkDelay: FaultKind = {
  name: 'network-delay',
  family: 'device',
  summary: 'every packet takes longer',
  parameters: [
    {
      name: 'ms',
      type: 'number',
      min: 1,
      max: 60_000,
      default: 20,
      meaning: 'milliseconds that each packet takes more, one way',
    },
  ],
  example: 'network-delay:ms=100',
  strike({ machine }, parameters) {
    const ms = numberOf(parameters, 'ms');
    machine.network.condition.delayNs = ms * millisecond;
    return done(`network: packets take ${ms} ms more`);
  },
};

const serverDown: FaultKind = {
  name: 'server-down',
  family: 'device',
  summary: 'no dump server answers',
  parameters: [],
  example: 'server-down',
  strike: ({ machine }) => serverIs(machine, { server: 'down' }, 'is down'),
};

const serverWrongMac: FaultKind = {
  name: 'server-wrong-mac',
  family: 'device',
  summary: 'the machine was told another hardware address than the dump server has',
  parameters: [],
  example: 'server-wrong-mac',
  strike: ({ machine }) => serverIs(machine, { serverMac: 'wrong' }, 'has another address'),
};

const serverOtherSegment: FaultKind = {
  name: 'server-other-segment',
  family: 'device',
  summary: 'the dump server is behind a router, where no broadcast comes',
  parameters: [],
  example: 'server-other-segment',
  strike: ({ machine }) => serverIs(machine, { serverSegment: 'other' }, 'is on another segment'),
};

export const networkFaults: readonly FaultKind[] = [
  nicLinkDown,
  nicRingStuck,
  shareOf('lossPermille', {
    name: 'network-loss',
    summary: 'some packets are lost on their way',
    remark: 'are lost',
  }),
  shareOf('duplicatePermille', {
    name: 'network-duplicate',
    summary: 'some packets come twice',
    remark: 'come twice',
  }),
  shareOf('reorderPermille', {
    name: 'network-reorder',
    summary: 'some packets are overtaken by others',
    remark: 'come late, behind others',
  }),
  networkDelay,
  serverDown,
  serverWrongMac,
  serverOtherSegment,
];

function change({ machine, random }: Strike, changes: Partial<NetworkCondition>): void {
  // A generator whose state is all zeros draws nothing but zeros.
  const state = [1, random.below(2 ** 31), random.below(2 ** 31), random.below(2 ** 31)];
  Object.assign(machine.network.condition, changes, { random: state });
}

function serverIs(machine: Machine, changes: Partial<NetworkCondition>, what: string): Effect {
  Object.assign(machine.network.condition, changes);
  return done(`dump server: ${what}`);
}
