/** The crashed kernel's part: interrupts off, no locks, the registers of all CPUs, the jump. */

import { latin1Bytes } from '../../bytes/text.ts';
import { registerNames } from '../../dump/types.ts';
import type { Cpu } from '../../machine/cpu.ts';
import type { Machine } from '../../machine/machine.ts';
import { expectMapping, orTripleFault, tablesAt } from '../jump.ts';
import { done, type Stage, type StageResult } from '../method.ts';
import { isAt, nmiEntry, shootDown } from '../panic-path.ts';
import { CpuSlot } from './container.ts';
import { Control, messageSize } from './resident.ts';
import type { MkdumpState } from './state.ts';

/**
 * The other CPUs' registers are wanted, not needed: it goes on without those that do not answer.
 */
const nmiLimitMs = 1000;

export const panicStages: readonly Stage<MkdumpState>[] = [
  { name: 'panic entry', run: enterPanic },
  { name: 'control structure', run: readControl },
  { name: 'registers of all CPUs', run: saveRegisters },
  { name: 'jump', run: jump },
];

function enterPanic(machine: Machine): StageResult {
  // It stands where __crash_kexec() does.
  if (!isAt(machine, '__crash_kexec')) machine.panicCpu.executeKnown('panic', 'vpanic');
  machine.panicCpu.execute('mkdump_panic');
  return done;
}

/** kmalloc'ed, outside of the region: whoever overwrites it defeats the dump. */
function readControl(machine: Machine, state: MkdumpState): StageResult {
  const { memory } = machine.panicCpu;
  const address = memory.u64(state.resident.controlPointer);
  const control = Control.read(memory.read(address, Control.size));
  state.entry = Number(control.entry);
  state.pageTables = Number(control.page_tables);
  state.registers = control.registers;
  state.message = control.message;
  return done;
}

function saveRegisters(machine: Machine, state: MkdumpState): StageResult {
  const { panicCpu } = machine;
  const message = new Uint8Array(messageSize);
  message.set(latin1Bytes(machine.panic.message).subarray(0, messageSize - 1));
  panicCpu.write(state.message, message, "panic()'s message");
  const { remarks } = shootDown(machine, nmiLimitMs, (cpu) => {
    cpu.executePath(nmiEntry);
    cpu.execute('mkdump_nmi');
    writeSlot(machine, state, cpu);
  });
  writeSlot(machine, state, panicCpu);
  return { ...done, remarks };
}

function writeSlot(machine: Machine, state: MkdumpState, cpu: Cpu): void {
  const { registers } = cpu;
  if (registers === undefined) return;
  const slot = CpuSlot.encode({
    number: cpu.number,
    valid: 1,
    task: cpu.task,
    stack: cpu.stack,
    registers: registerNames.map((name) => registers[name]),
  });
  const index = machine.cpus.indexOf(cpu);
  cpu.write(state.registers + BigInt(index * CpuSlot.size), slot, `registers of CPU ${cpu.number}`);
}

/** Own page tables, own stack, and the first instruction of the mini kernel. */
function jump(machine: Machine, state: MkdumpState): StageResult {
  return orTripleFault(machine, () => {
    const entry = BigInt(state.entry);
    expectMapping(tablesAt(machine, state.pageTables), entry, entry, "the mini kernel's entry");
    return done;
  });
}
