/** Power that fails, and what needs it. */

import { millisecond } from '../../machine/clock.ts';
import { done, type FaultKind, numberOf } from './kind.ts';

export const powerLoss: FaultKind = {
  name: 'power-loss',
  family: 'platform',
  summary: 'the power fails while the dump is written',
  parameters: [
    {
      name: 'at',
      type: 'number',
      min: 1,
      max: 3_600_000,
      default: 1000,
      meaning: 'milliseconds after the instant',
    },
  ],
  example: 'power-loss:at=5000',
  strike({ machine }, parameters) {
    const at = numberOf(parameters, 'at');
    machine.setPowerLoss(at * millisecond);
    return done(`the power fails after ${at} ms; what is on the medium of the disks stays`);
  },
};

export const writeCache: FaultKind = {
  name: 'disk-write-cache',
  family: 'device',
  summary: 'writes stay in the memory of the disk for a while, which a loss of power clears',
  parameters: [],
  example: 'disk-write-cache',
  strike({ machine }) {
    for (const disk of machine.disks) disk.condition.writeCache = 'on';
    const { cacheBytes } = machine.hardware.disk;
    return done(`disks: up to ${cacheBytes} bytes that were written are not on the medium yet`);
  },
};
