/** What was wrong with the dump device when it was configured, long before the panic. */

import { virtioScsi } from '../../machine/hardware.ts';
import type { FaultKind } from './kind.ts';

const mistyped: FaultKind = {
  name: 'partition-mistyped',
  family: 'device',
  summary: 'the partition that the dump goes to holds the file system of somebody else',
  parameters: [],
  example: 'partition-mistyped',
  configure: () => ({ dumpPartitionHolds: 'file system' }),
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
