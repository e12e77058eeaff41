/** What the board does: its watchdog and its firmware. */

import { done, type FaultKind, numberOf } from './kind.ts';

const watchdog: FaultKind = {
  name: 'watchdog',
  family: 'platform',
  summary: 'a hardware watchdog runs, and nobody pets it after the panic',
  parameters: [
    {
      name: 'seconds',
      type: 'number',
      min: 1,
      max: 3600,
      default: 30,
      meaning: 'from the instant to the reset',
    },
  ],
  example: 'watchdog:seconds=5',
  configure: (_, parameters) => ({ watchdogSeconds: numberOf(parameters, 'seconds') }),
};

const firmwareClears: FaultKind = {
  name: 'firmware-clears-memory',
  family: 'platform',
  summary: 'the firmware clears all memory at every reset',
  parameters: [],
  example: 'firmware-clears-memory',
  strike({ machine }) {
    machine.firmware.keepsMemory = false;
    return done('firmware: memory is cleared at a reset');
  },
};

export const platformFaults: readonly FaultKind[] = [watchdog, firmwareClears];
