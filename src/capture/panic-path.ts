/**
 * The steps that every method on a dying kernel shares: the way through panic(), and stopping the
 * other CPUs by NMI within a time limit.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { millisecond, second } from '../machine/clock.ts';
import type { Cpu } from '../machine/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import { MachineStop } from '../machine/stop.ts';
import { isOfKernel } from './method.ts';

/** Is the panicking CPU stopped at the entry of this function? Then what led there is behind it. */
export function isAt({ kernel, panicCpu }: Machine, name: string): boolean {
  const symbol = kernel.symbols.inKernel(name);
  return symbol !== undefined && panicCpu.registers?.rip === symbol.address;
}

/** What another CPU executes when the NMI reaches it, as it was recorded for kexec. */
export const nmiPath = { path: 'crash-kexec', role: 'other CPU', stage: 'asm_exc_nmi' } as const;
/** The part of it that is the same whatever the handler is. */
export const nmiEntry = { ...nmiPath, until: 'crash_nmi_callback' } as const;

export interface Shootdown {
  readonly silent: readonly Cpu[];
  /** What the report should say of CPUs that did not stop as they were asked to. */
  readonly remarks: readonly string[];
}

/**
 * Sends an NMI to every other CPU; each that takes it runs `onNmi` for itself. Waits as the
 * original does, at most `limitMs` and 1 ms at a time, and goes on whatever happened. A CPU that
 * faults in its handler panics in turn, finds panic_cpu taken and stops without having answered.
 */
export function shootDown(machine: Machine, limitMs: number, onNmi: (cpu: Cpu) => void): Shootdown {
  const silent: Cpu[] = [];
  const remarks: string[] = [];
  for (const cpu of machine.cpus) {
    if (cpu.number === machine.panic.cpu) continue;
    const problem = machine.sendNmi(cpu)
      ? faultOf(machine, () => onNmi(cpu))
      : `did not take the NMI within ${limitMs} ms`;
    if (problem === undefined) continue;
    silent.push(cpu);
    remarks.push(`CPU ${cpu.number} ${typeof problem === 'string' ? problem : said(problem)}`);
    if (typeof problem === 'string') continue;
    const detail = `${problem.kind}: ${problem.message}`;
    machine.tell({ what: 'stop', cpu: cpu.number, name: problem.object, detail });
  }
  const waitMs = silent.length > 0 ? limitMs : 1;
  machine.wait(waitMs * millisecond, 'wait for the other CPUs');
  return { silent, remarks };
}

function said({ message }: MachineStop): string {
  return `faulted in its NMI handler: ${message}`;
}

/** The fault that a CPU runs into; undefined for none. What is none of a CPU's is thrown. */
export function faultOf(machine: Machine, body: () => void): MachineStop | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    return cpuFault(machine, error);
  }
}

/** An error as a fault that a CPU ran into. What is none is thrown. */
export function cpuFault(machine: Machine, error: unknown): MachineStop {
  if (error instanceof DumpError && isOfKernel(error)) throw error;
  const stop = error instanceof DumpError ? machine.stopOf(error) : error;
  if (!(stop instanceof MachineStop)) throw error;
  if (stop.kind !== 'nested fault' && stop.kind !== 'wild jump') throw stop;
  return stop;
}

/**
 * panic() goes on to its end without a dump, in the time that it takes; what becomes of the
 * machine.
 */
export function panicRunsOut({ kernel, panicCpu, clock }: Machine): string {
  const symbol = kernel.symbols.inKernel('panic_timeout');
  const timeout = (symbol && attempt(() => panicCpu.memory.i32(symbol.address))) ?? 0;
  const ended = clock.runOut(timeout > 0 ? timeout * second : undefined);
  if (ended === 'time') return `reboots after ${timeout} s`;
  const end = ended === 'watchdog' ? 'until the watchdog resets the machine' : 'for ever';
  return `panic() loops ${end}`;
}
