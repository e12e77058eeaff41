/**
 * The machine as a guest that its host stops: no CPU executes anything, no device of the host's
 * emulation goes on, and time that the guest could measure, its watchdog's too, stands still.
 */

import type { Machine } from './machine.ts';

export function pauseGuest(machine: Machine): void {
  for (const cpu of machine.cpus) if (cpu.state !== 'dead') cpu.state = 'paused';
  // A host lets what is in flight end before it calls a guest stopped, and takes nothing new.
  machine.silence('disk');
  machine.silence('nic');
  machine.setWatchdog(undefined);
}
