/**
 * The beginning of every LKCD dump, dump_execute(): the configuration, the dump lock, and all other
 * CPUs stopped in their NMI handlers. Source: LKCD's dump_execute.c, dump_i386.c.
 */

import type { Cpu } from '../../machine/cpu.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { MachineStop } from '../../machine/stop.ts';
import { writeSlot } from '../cpu-slots.ts';
import { type CaptureTools, done, failed, type Stage, type StageResult } from '../method.ts';
import { cpuFault, isAt, nmiEntry, panicRunsOut } from '../panic-path.ts';
import { Config, codeName, configured, execute } from './resident.ts';
import type { LkcdState } from './state.ts';

/** TIF_NEED_RESCHED, arch/x86/include/asm/thread_info.h. */
const needResched = 1n << 3n;

type Run<State> = (machine: Machine, state: State, tools: CaptureTools) => StageResult;

/** A stage in which a fault is a panic in a panic. */
export function inDump<State>(name: string, run: Run<State>): Stage<State> {
  return {
    name,
    run: (machine, state, tools) => orSecondPanic(machine, () => run(machine, state, tools)),
  };
}

export const panicStages: readonly Stage<LkcdState>[] = [
  inDump('configuration', readConfiguration),
  inDump('dump lock', takeLock),
  inDump('other CPUs', stopOthers),
];

/** The second panic comes to dump_execute() again, which finds that a dump is in progress. */
function orSecondPanic(machine: Machine, body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    const stop = cpuFault(machine, error);
    const end = panicRunsOut(machine);
    const cause = `${stop.message}; the nested panic finds a dump in progress and ${end}`;
    throw new MachineStop(stop.kind, cause, stop.object, error);
  }
}

function readConfiguration(machine: Machine, state: LkcdState): StageResult {
  const { panicCpu: cpu } = machine;
  // It stands where __crash_kexec() does.
  if (!isAt(machine, '__crash_kexec')) cpu.executeKnown('panic', 'vpanic');
  execute(machine, 'dump_execute');
  const config = Config.read(cpu.memory.read(state.resident.config, Config.size));
  machine.tell({ what: 'read', cpu: cpu.number, name: 'dump_config' });
  if (config.okay !== configured) return failed('the dump is not configured', 'dump_config');
  state.device = config.device;
  state.slots = config.slots;
  state.buffer = config.buffer;
  return done;
}

function takeLock(machine: Machine, { resident }: LkcdState): StageResult {
  const { panicCpu: cpu } = machine;
  const lock = resident.config + BigInt(Config.offsetOf('lock'));
  if (cpu.memory.u32(lock) !== 0) return failed('a dump is in progress already', 'dump_lock');
  cpu.write(lock, u32Bytes(1), 'dump_lock');
  return done;
}

/**
 * Sends an NMI to every other CPU and waits until each has noted its registers: without a limit. A
 * CPU that faults in its handler never gets there either.
 */
function stopOthers(machine: Machine, state: LkcdState): StageResult {
  for (const cpu of machine.cpus) {
    if (cpu.number === machine.panic.cpu) continue;
    const name = `CPU ${cpu.number}`;
    const before = { cpu: cpu.number, state: cpu.state };
    if (!machine.sendNmi(cpu)) {
      const cause = `${name} does not take the NMI, and LKCD waits for it without a limit`;
      machine.clock.hang(cause, name);
    }
    state.before.push(before);
    try {
      cpu.executePath(nmiEntry);
      cpu.execute(codeName('dump_save_cpu'));
      writeSlot(machine, state.slots, cpu);
      setNeedResched(machine, cpu);
    } catch (error) {
      const stop = cpuFault(machine, error);
      machine.tell({ what: 'stop', cpu: cpu.number, name: stop.object, detail: stop.message });
      const cause = `${name} faulted in its NMI handler (${stop.message}), and LKCD waits for it`;
      machine.clock.hang(`${cause} without a limit`, name);
    }
  }
  writeSlot(machine, state.slots, machine.panicCpu);
  return done;
}

/** So that it comes to schedule() when it is let go. */
function setNeedResched(machine: Machine, cpu: Cpu): void {
  const flags = flagsOf(machine, cpu);
  if (flags === undefined) return;
  const value = cpu.memory.u64(flags) | needResched;
  cpu.write(flags, u64Bytes(value), `TIF_NEED_RESCHED of CPU ${cpu.number}`);
}

/** thread_info.flags of what the CPU runs; undefined before v4.9, when it was below the stack. */
function flagsOf({ kernel }: Machine, { task }: Cpu): bigint | undefined {
  const member = 'thread_info.flags';
  if (!kernel.types.hasMember('struct task_struct', member)) return undefined;
  return task + BigInt(kernel.types.offsetOf('struct task_struct', member));
}

/** The flags that the NMI handlers set, at set-up: where a healthy kernel has them. */
export function declareFlags(machine: Machine): void {
  const places: PhysicalRange[] = [];
  for (const cpu of machine.cpus) {
    const flags = flagsOf(machine, cpu);
    if (flags === undefined) continue;
    const start = Number(machine.virtual.translate(flags).physical);
    places.push({ start, end: start + 8 });
  }
  machine.ownWrites.declare(places);
}
