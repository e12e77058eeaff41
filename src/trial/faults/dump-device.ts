/** What was wrong with the dump device when it was configured, long before the panic. */

import { virtioScsi } from '../../machine/hardware.ts';
import { type FaultKind, wordOf } from './kind.ts';

/** What a dump device can turn out to be. */
export const dumpDevices = ['file-system', 'swap'] as const;

const mistyped: FaultKind = {
  name: 'partition-mistyped',
  family: 'device',
  summary: 'the partition that the dump goes to is in use for something else',
  parameters: [
    {
      name: 'holds',
      type: 'choice',
      choices: dumpDevices,
      default: 'file-system',
      meaning: 'the file system of somebody else, or a swap area',
    },
  ],
  example: 'partition-mistyped',
  configure: (_, parameters) => ({
    dumpPartitionHolds: wordOf(parameters, 'holds') === 'swap' ? 'swap' : 'file system',
  }),
};

const withoutHooks: FaultKind = {
  name: 'driver-without-dump-hooks',
  family: 'device',
  summary: 'the driver of the disks cannot be polled by a crashed kernel',
  parameters: [],
  example: 'driver-without-dump-hooks',
  configure({ options: { hardware = virtioScsi } }) {
    const disk = { ...hardware.disk, dumpHooks: 'absent' } as const;
    return { hardware: { ...hardware, name: `${hardware.name} without dump hooks`, disk } };
  },
};

export const dumpDeviceFaults: readonly FaultKind[] = [mistyped, withoutHooks];
