/** Every kind of fault, in the order of lists and documents. */

import { blockFaults } from './block.ts';
import { cpuFaults } from './cpu.ts';
import { deviceFaults } from './device.ts';
import { dumpDeviceFaults } from './dump-device.ts';
import type { FaultKind } from './kind.ts';
import { lockHeld } from './lock.ts';
import { memory } from './memory.ts';
import { networkFaults } from './network.ts';
import { platformFaults } from './platform.ts';
import { powerLoss, writeCache } from './power.ts';

export const faultKinds: readonly FaultKind[] = [
  memory,
  ...deviceFaults,
  ...blockFaults,
  ...networkFaults,
  ...dumpDeviceFaults,
  writeCache,
  ...cpuFaults,
  lockHeld,
  ...platformFaults,
  powerLoss,
];
