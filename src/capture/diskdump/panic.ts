/**
 * From panic() to its own stack: the lock, the checksum, the other CPUs, the lists that timers and
 * tasklets go to from now on.
 */

import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import { MachineStop } from '../../machine/stop.ts';
import { done, failed, type Stage, type StageResult } from '../method.ts';
import { cpuFault, freezeOthers, isAt, panicRunsOut } from '../panic-path.ts';
import {
  DumpData,
  factsAddress,
  ModuleFacts,
  moduleCrc,
  moduleSize,
  tasksOffset,
} from './resident.ts';
import type { DiskdumpState } from './state.ts';

/** Between the call and going on, whoever came. */
const freezeMs = 3000;
const freezeMsAlone = 1000;

export const panicStages: readonly Stage<DiskdumpState>[] = [
  { name: 'panic entry', run: guarded(enter) },
  { name: 'checksum', run: guarded(checkModule) },
  { name: 'freeze of the other CPUs', run: guarded(freeze) },
  { name: 'own stack', run: guarded(switchStack) },
];

/**
 * A fault here is a panic in a panic: it comes to the dump again, finds its mutex taken, and goes
 * on with EIO to the end of panic(). Before the mutex is taken it runs into the same fault again.
 */
export function guarded(run: Stage<DiskdumpState>['run']): Stage<DiskdumpState>['run'] {
  return (machine, state, tools) => {
    try {
      return run(machine, state, tools);
    } catch (error) {
      // What a driver reports is no fault of a CPU.
      if (isOfDisk(error)) throw error;
      const stop = cpuFault(machine, error);
      const end = `the nested panic is refused (EIO) and ${panicRunsOut(machine)}`;
      const cause = `${stop.message}; ${end}`;
      throw new MachineStop(stop.kind, cause, stop.object, error);
    }
  };
}

function isOfDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'io';
}

export function factsOf(
  { panicCpu }: Machine,
  module: bigint,
): ReturnType<typeof ModuleFacts.read> {
  return ModuleFacts.read(panicCpu.memory.read(factsAddress(module), ModuleFacts.size));
}

/**
 * Is a module byte for byte what it was when a partition was registered? The original calls the
 * kernel's crc32_le() for it; today's kernels have others for each CPU, so it brings its own.
 */
export function isIntact({ panicCpu }: Machine, module: bigint): boolean {
  const bytes = panicCpu.memory.read(module, moduleSize);
  return moduleCrc(bytes) === ModuleFacts.read(bytes, moduleSize - ModuleFacts.size).crc;
}

function enter(machine: Machine, { resident }: DiskdumpState): StageResult {
  const { panicCpu } = machine;
  if (!isAt(machine, '__crash_kexec')) panicCpu.executeKnown('panic', 'vpanic');
  panicCpu.execute('disk_dump');
  const { data } = factsOf(machine, resident.diskdump);
  const mutex = data + BigInt(DumpData.offsetOf('mutex'));
  if (panicCpu.memory.i32(mutex) <= 0) {
    const cause = `a dump is in progress: EIO, and ${panicRunsOut(machine)}`;
    return failed(cause, 'diskdump mutex');
  }
  panicCpu.write(mutex, u32Bytes(0), 'diskdump mutex');
  return done;
}

function checkModule(machine: Machine, { resident }: DiskdumpState): StageResult {
  if (isIntact(machine, resident.diskdump)) return done;
  const cause = `checksum error: the module may be compromised; ${panicRunsOut(machine)}`;
  return failed(cause, 'module diskdump');
}

/** By an ordinary interrupt: whoever has them off goes on, and goes on writing. */
function freeze(machine: Machine, { resident }: DiskdumpState): StageResult {
  const { data } = factsOf(machine, resident.diskdump);
  const note = (number: number, task: bigint): void => {
    const at =
      data + BigInt(tasksOffset + machine.cpus.findIndex((cpu) => cpu.number === number) * 8);
    machine.panicCpu.write(at, u64Bytes(task), `task of CPU ${number}`);
  };
  machine.panicCpu.execute('diskdump_write');
  note(machine.panic.cpu, machine.panicCpu.task);
  const waitMs = machine.cpus.length > 1 ? freezeMs : freezeMsAlone;
  const { remarks } = freezeOthers(machine, waitMs, (cpu) => {
    cpu.execute('freeze_cpu');
    note(cpu.number, cpu.task);
  });
  return { ...done, remarks };
}

function switchStack(machine: Machine, { resident }: DiskdumpState): StageResult {
  const { panicCpu } = machine;
  const { data, stack, scratch } = factsOf(machine, resident.diskdump);
  panicCpu.write(stack - 16n, u64Bytes(panicCpu.registers?.rsp ?? 0n), "diskdump's stack");
  panicCpu.write(scratch, u64Bytes(0n), 'pages that are copied to');
  panicCpu.write(data + BigInt(DumpData.offsetOf('diskdump_mode')), u32Bytes(1), 'diskdump_mode');
  for (const list of ['timers', 'tasklets', 'workqueues'] as const) {
    const head = data + BigInt(DumpData.offsetOf(list));
    panicCpu.write(head, u64Bytes(head), list);
  }
  return done;
}
