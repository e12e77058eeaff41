/**
 * SOFT_SPIN_CPUS: while the dump is written, the other CPUs are let out of their NMI handlers and
 * run on to schedule(), where they spin. One that is idle or in user mode is there at once; one in
 * the kernel runs on, and goes on writing to memory. Until then: how long is nowhere said, and
 * without kernel preemption it is to the end of its system call; the figure is chosen.
 */

import { millisecond } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import type { LkcdDiskState } from './state.ts';

const runOnNs = 100 * millisecond;
/** The privilege level in CS: 3 is user mode. */
const privilege = 3n;

/** Lets them go; gives what a reader should know. */
export function letGo(machine: Machine, state: LkcdDiskState): string[] {
  const remarks: string[] = [];
  for (const { cpu: number, state: before } of state.before) {
    const cpu = machine.cpu(number);
    const inUser = ((cpu.registers?.cs ?? 0n) & privilege) !== 0n;
    const runsOn = before === 'running' && !inUser;
    cpu.state = runsOn ? 'running' : 'spinning';
    if (!runsOn) continue;
    state.runningUntil = machine.clock.now + runOnNs;
    remarks.push(`CPU ${number} is in the kernel and runs on to schedule()`);
  }
  return remarks;
}

/** Those that ran on spin where their time is over. */
export function catchUp(machine: Machine, state: LkcdDiskState): void {
  if (state.runningUntil === undefined || machine.clock.now < state.runningUntil) return;
  state.runningUntil = undefined;
  for (const { cpu } of state.before) machine.cpu(cpu).state = 'spinning';
}
