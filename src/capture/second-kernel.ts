/** Stages that every method with a kernel of its own ends up in. */

import type { Machine } from '../machine/machine.ts';
import { done, type StageResult } from './method.ts';

/** The disk's queues belong to the old kernel until the new one's driver resets it. */
export function resetDisk(machine: Machine): StageResult {
  machine.disk.reset();
  return done;
}

export function reboot(machine: Machine): StageResult {
  machine.reboot();
  return done;
}
