/**
 * CPUs that go on running. Where the guest's own page deltas are known, a CPU writes what it really
 * wrote then: only the words that changed, over whatever set-up and damage left. Elsewhere the
 * least that a running CPU changes is made up, and the report calls it synthetic: its run queue's
 * clock, jiffies where it is the one that counts them, and one line in the log.
 */

import { attempt } from '../bytes/errors.ts';
import type { MemoryImage } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { millisecond, second } from './clock.ts';
import type { Cpu } from './cpu.ts';
import { type EditNote, u64Bytes } from './edit.ts';
import type { MachineMemory } from './memory.ts';
import type { PanicContext } from './rewind.ts';
import { appendToLog } from './ring-log.ts';
import { type SavedSchedule, Schedule, type ScheduledWrite } from './schedule.ts';
import type { Trace } from './trace.ts';
import type { Writer } from './tracker.ts';

/** Pages as they were after a CPU alone had run for a while. */
export interface RunningDelta {
  /** Virtual nanoseconds after the instant. */
  readonly afterNs: number;
  readonly cpu: number;
  readonly pages: readonly (readonly [pfn: number, bytes: Uint8Array])[];
}

const wordSize = 8;

/** The words that each delta changes over the state before it. */
export function deltaWrites(base: MemoryImage, deltas: readonly RunningDelta[]): ScheduledWrite[] {
  const before = new Map<number, Uint8Array | undefined>();
  const writes: ScheduledWrite[] = [];
  for (const { afterNs, cpu, pages } of [...deltas].sort((a, b) => a.afterNs - b.afterNs)) {
    const what = `CPU ${cpu} goes on running`;
    for (const [pfn, bytes] of pages) {
      const old = before.has(pfn) ? before.get(pfn) : base.readPage(pfn).bytes;
      for (const [start, end] of changedWords(old, bytes)) {
        const physical = pfn * base.pageSize + start;
        const changed = bytes.slice(start, end);
        writes.push({ atNs: afterNs, by: { cpu }, physical, bytes: changed, what });
      }
      before.set(pfn, bytes);
    }
  }
  return writes;
}

function changedWords(old: Uint8Array | undefined, bytes: Uint8Array): [number, number][] {
  if (old === undefined) return [[0, bytes.length]];
  const runs: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += wordSize) {
    let same = true;
    for (let byte = at; byte < at + wordSize; byte++) if (old[byte] !== bytes[byte]) same = false;
    if (same) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = at + wordSize;
    else runs.push([at, at + wordSize]);
  }
  return runs;
}

/** A counter in memory that grows as time passes. */
interface Counter {
  readonly what: string;
  readonly physical: number;
  /** At the instant. */
  readonly start: bigint;
  /** Nanoseconds for one. */
  readonly unitNs: number;
}

/** CONFIG_HZ=250, as distributions have it; it stands nowhere in memory. */
const tickNs = 4 * millisecond;

/** When such a CPU says something. */
const logAfterNs = second;

/** Plain data. */
export interface SavedRunning {
  readonly deltas: SavedSchedule;
  readonly logged: readonly number[];
  readonly areLeftAlone?: boolean;
}

/** What of a machine is needed here. */
interface Running {
  readonly memory: MachineMemory;
  readonly kernel: Kernel;
  readonly cpus: readonly Cpu[];
  readonly panic: PanicContext;
  readonly virtual: AddressSpace;
  readonly edits: EditNote[];
  readonly trace: Trace['listener'];
}

/** What CPUs that nobody stops do to memory. */
export class RunningCpus {
  readonly #isRecorded: boolean;
  readonly #deltas: Schedule;
  /** By CPU; found when it is needed. */
  readonly #counters = new Map<number, readonly Counter[]>();
  /** By CPU, the tick that its counters were brought up to. */
  readonly #ticks = new Map<number, number>();
  /** CPUs whose line is in the log. */
  readonly #logged: Set<number>;
  /** Whether no method stops any CPU for good: all count, the panicking one, too. */
  #areLeftAlone: boolean;

  constructor(recorded: readonly ScheduledWrite[], saved?: SavedRunning) {
    this.#isRecorded = recorded.length > 0;
    this.#deltas = new Schedule(saved?.deltas ?? { pending: recorded, quiet: [] });
    this.#logged = new Set(saved?.logged);
    this.#areLeftAlone = saved?.areLeftAlone ?? false;
  }

  leaveAlone(): void {
    this.#areLeftAlone = true;
  }

  pass(machine: Running, until: number): void {
    for (const { by, physical, bytes, what, atNs } of this.#deltas.due(until)) {
      const cpu = machine.cpus.find(({ number }) => 'cpu' in by && by.cpu === number);
      if (cpu === undefined || !isRunning(cpu)) continue;
      tryWrite(machine.memory, BigInt(physical), bytes);
      machine.trace?.({ ns: atNs, what: 'scheduled write', cpu: cpu.number, name: what });
    }
    if (!this.#isRecorded) this.#count(machine, until);
  }

  save(): SavedRunning {
    const logged = [...this.#logged];
    return { deltas: this.#deltas.save(), logged, areLeftAlone: this.#areLeftAlone };
  }

  /** The CPUs that take an NMI stop at once: what they would have counted until then is nothing. */
  #count(machine: Running, until: number): void {
    for (const cpu of machine.cpus) {
      const stops = cpu.condition.takesNmi || cpu.number === machine.panic.cpu;
      if ((stops && !this.#areLeftAlone) || !isRunning(cpu)) continue;
      // A clock is brought up to date at each tick.
      const passed = until - (until % tickNs);
      if (this.#ticks.get(cpu.number) === passed) continue;
      this.#ticks.set(cpu.number, passed);
      for (const counter of this.#countersOf(machine, cpu.number)) {
        const value = counter.start + BigInt(Math.floor(passed / counter.unitNs));
        tryWrite(machine.memory, BigInt(counter.physical), u64Bytes(value));
      }
      if (until >= logAfterNs) this.#log(machine, cpu.number);
    }
  }

  #log(machine: Running, cpu: number): void {
    if (this.#logged.has(cpu)) return;
    this.#logged.add(cpu);
    const text = `CPU ${cpu} goes on running (synthetic line)`;
    // Where the ring cannot be read, a CPU could not write to it either.
    const isDone = attempt(() => appendToLog(machine, { text, cpu, afterNs: logAfterNs })) ?? false;
    machine.edits.push({
      what: `synthetic: a log line of CPU ${cpu}, ${isDone ? 'done' : 'lost'}`,
    });
  }

  #countersOf(machine: Running, cpu: number): readonly Counter[] {
    let counters = this.#counters.get(cpu);
    if (counters === undefined) {
      counters = countersOf(machine.kernel, cpu);
      this.#counters.set(cpu, counters);
      const what = counters.map((counter) => counter.what).join(', ');
      const note = `synthetic: CPU ${cpu} goes on running and counts ${what || 'nothing'}`;
      if (!machine.edits.some((edit) => edit.what === note)) machine.edits.push({ what: note });
    }
    return counters;
  }
}

/** A CPU that spins on a lock changes nothing. */
export function isRunning({ state }: Cpu): boolean {
  return state === 'running' || state === 'idle';
}

/** False where a part of it is not in the input: the rest of that page would be an invention. */
export function tryWrite(
  memory: MachineMemory,
  physical: bigint,
  bytes: Uint8Array,
  by: Writer = 'CPU',
): boolean {
  return attempt(() => memory.write(physical, bytes, by) === undefined) ?? false;
}

/** Empty where the kernel's own structures do not say. */
function countersOf(kernel: Kernel, cpu: number): Counter[] {
  const counters: Counter[] = [];
  const add = (what: string, address: bigint, unitNs: number): void => {
    const start = kernel.memory.u64(address);
    const physical = Number(kernel.memory.translate(address).physical);
    counters.push({ what, physical, start, unitNs });
  };
  attempt(() => {
    const runQueue = kernel.perCpu('runqueues', cpu);
    for (const member of ['clock', 'clock_task']) {
      const offset = BigInt(kernel.types.offsetOf('struct rq', member));
      add(`its run queue's ${member}`, runQueue + offset, 1);
    }
  });
  attempt(() => {
    // It counts jiffies for all.
    const timer = kernel.symbol('tick_do_timer_cpu').address;
    if (kernel.memory.i32(timer) === cpu) add('jiffies', kernel.symbol('jiffies').address, tickNs);
  });
  return counters;
}
