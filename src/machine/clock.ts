/**
 * The one clock of a machine: virtual nanoseconds since its instant. Time passes only by what the
 * machine is asked to do. Every wait ends: at the hardware watchdog where there is one, when the
 * power fails, else at the horizon.
 */

import { MachineStop } from './stop.ts';

export const microsecond = 1_000;
export const millisecond = 1_000_000;
export const second = 1_000_000_000;

export interface ClockLimits {
  /** The hardware watchdog, counted from the instant: nobody pets it after a panic. */
  readonly watchdogNs?: number | undefined;
  /** When the power fails, counted from the instant. */
  readonly powerLossNs?: number | undefined;
  readonly horizonNs: number;
}

export class Clock {
  limits: ClockLimits;
  /** Told of each step before anybody sees the new time. */
  onPass: ((until: number) => void) | undefined;
  #now: number;

  constructor(limits: ClockLimits, now = 0) {
    this.limits = limits;
    this.#now = now;
  }

  /** Virtual nanoseconds since the instant. */
  get now(): number {
    return this.#now;
  }

  /** Has the power failed? */
  get isPowerLost(): boolean {
    return this.#now >= (this.limits.powerLossNs ?? Number.POSITIVE_INFINITY);
  }

  /** Lets `ns` pass; throws MachineStop where watchdog, loss of power or horizon comes first. */
  spend(ns: number, what: string): void {
    const end = this.#now + Math.ceil(ns);
    if (end >= this.#limit()) this.hang(`${what}: the machine's time is up`, what);
    this.#pass(end);
  }

  /** Lets at most `ns` pass without a stop; says what ended it. */
  runOut(ns = Number.POSITIVE_INFINITY): 'time' | 'watchdog' | 'power loss' | 'horizon' {
    const limit = this.#limit();
    this.#pass(Math.max(this.#now, Math.min(limit, this.#now + ns)));
    if (this.#now < limit) return 'time';
    if (this.isPowerLost) return 'power loss';
    return limit === this.limits.watchdogNs ? 'watchdog' : 'horizon';
  }

  /** Something that nothing ends from inside: until the watchdog, else the horizon. */
  hang(cause: string, object: string): never {
    const limit = this.#limit();
    this.#pass(limit);
    if (this.isPowerLost) throw new MachineStop('power loss', `the power fails: ${object}`, object);
    if (limit === this.limits.watchdogNs) {
      throw new MachineStop('reset', `${cause}; the hardware watchdog reset the machine`, object);
    }
    throw new MachineStop('hang', cause, object);
  }

  #pass(end: number): void {
    this.onPass?.(end);
    this.#now = end;
  }

  #limit(): number {
    const { watchdogNs, powerLossNs, horizonNs } = this.limits;
    const never = Number.POSITIVE_INFINITY;
    return Math.min(watchdogNs ?? never, powerLossNs ?? never, horizonNs);
  }
}
