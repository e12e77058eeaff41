/** A call to another CPU by an ordinary interrupt: what it has turned off does not reach it. */

import type { Cpu } from './cpu.ts';
import type { Machine } from './machine.ts';

/**
 * Lets the time of its delivery pass. False: the CPU did not take it, and goes on with what it is
 * at.
 */
export function sendIpi(machine: Machine, to: Cpu): boolean {
  const what = `IPI to CPU ${to.number}`;
  machine.spend(machine.hardware.cpu.interruptNs, what);
  const canTake = to.state === 'running' || to.state === 'idle';
  const isTaken = canTake && to.condition.takesIpi;
  machine.tell({
    what: 'interrupt', cpu: to.number, name: what, detail: isTaken ? 'taken' : 'not taken',
  }); // biome-ignore format: one call
  return isTaken;
}
