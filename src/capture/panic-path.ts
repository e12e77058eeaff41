/**
 * The steps that every method on a dying kernel shares: the way through panic(), and stopping the
 * other CPUs by NMI within a time limit.
 */

import { millisecond } from '../machine/clock.ts';
import type { Cpu } from '../machine/cpu.ts';
import type { Machine } from '../machine/machine.ts';

export interface Shootdown {
  readonly stopped: readonly Cpu[];
  readonly silent: readonly Cpu[];
}

/**
 * Sends an NMI to every other CPU; each that takes it runs `onNmi` for itself. Waits as the
 * original does, at most `limitMs` and 1 ms at a time, and goes on whatever happened.
 */
export function shootDown(machine: Machine, limitMs: number, onNmi: (cpu: Cpu) => void): Shootdown {
  const stopped: Cpu[] = [];
  const silent: Cpu[] = [];
  for (const cpu of machine.cpus) {
    if (cpu.number === machine.panic.cpu) continue;
    if (machine.sendNmi(cpu)) {
      onNmi(cpu);
      stopped.push(cpu);
    } else {
      silent.push(cpu);
    }
  }
  const waitMs = silent.length > 0 ? limitMs : 1;
  machine.clock.spend(waitMs * millisecond, 'wait for the other CPUs');
  return { stopped, silent };
}

/** `CPU 1 did not take the NMI within 1000 ms`. */
export function silentRemarks(silent: readonly Cpu[], limitMs: number): string[] {
  return silent.map((cpu) => `CPU ${cpu.number} did not take the NMI within ${limitMs} ms`);
}
