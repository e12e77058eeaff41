/**
 * The steps that every method on a dying kernel shares: the way through panic(), and stopping the
 * other CPUs, by NMI or by an ordinary interrupt, within a time limit.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { millisecond, second } from '../machine/clock.ts';
import type { Cpu } from '../machine/cpu.ts';
import { sendIpi } from '../machine/ipi.ts';
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
  const refusal = `did not take the NMI within ${limitMs} ms`;
  const stopped = stopOthers(machine, (cpu) => {
    if (!machine.sendNmi(cpu)) return refusal;
    return faultOf(machine, 'its NMI handler', () => onNmi(cpu));
  });
  const waitMs = stopped.silent.length > 0 ? limitMs : 1;
  machine.wait(waitMs * millisecond, 'wait for the other CPUs');
  return stopped;
}

/**
 * Calls every other CPU by an ordinary interrupt, to `onCall`, out of which it does not come back;
 * then waits for `waitMs`, whoever came. One that is frozen already stays so.
 */
export function freezeOthers(
  machine: Machine,
  waitMs: number,
  onCall: (cpu: Cpu) => void,
): Shootdown {
  const stopped = stopOthers(machine, (cpu) => {
    if (cpu.state === 'frozen') return undefined;
    if (!sendIpi(machine, cpu)) return 'did not take the call: it is not frozen and goes on';
    cpu.state = 'frozen';
    return faultOf(machine, 'the call', () => onCall(cpu));
  });
  machine.wait(waitMs * millisecond, 'wait for the other CPUs');
  return stopped;
}

/** `stop` says why the CPU did not answer: it went on, or it faulted. */
function stopOthers(
  machine: Machine,
  stop: (cpu: Cpu) => string | CallFault | undefined,
): Shootdown {
  const silent: Cpu[] = [];
  const remarks: string[] = [];
  for (const cpu of machine.cpus) {
    if (cpu.number === machine.panic.cpu) continue;
    const problem = stop(cpu);
    if (problem === undefined) continue;
    silent.push(cpu);
    remarks.push(`CPU ${cpu.number} ${typeof problem === 'string' ? problem : said(problem)}`);
    if (typeof problem === 'string') continue;
    const { kind, message, object } = problem.stop;
    machine.tell({ what: 'stop', cpu: cpu.number, name: object, detail: `${kind}: ${message}` });
  }
  return { silent, remarks };
}

interface CallFault {
  readonly stop: MachineStop;
  /** `its NMI handler`. */
  readonly in: string;
}

function said(fault: CallFault): string {
  return `faulted in ${fault.in}: ${fault.stop.message}`;
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
  const ends = {
    watchdog: 'until the watchdog resets the machine',
    'power loss': 'until the power fails',
    horizon: 'for ever',
  };
  return `panic() loops ${ends[ended]}`;
}

/** The fault that a CPU runs into; undefined for none. What is none of a CPU's is thrown. */
function faultOf(machine: Machine, where: string, body: () => void): CallFault | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    return { stop: cpuFault(machine, error), in: where };
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
