/** The crashed kernel's part: interrupts off, no locks, the registers of all CPUs, the jump. */

import { latin1Bytes } from '../../bytes/text.ts';
import type { Machine } from '../../machine/machine.ts';
import { writeSlot } from '../cpu-slots.ts';
import { expectMapping, orTripleFault, tablesAt } from '../jump.ts';
import { done, type Stage, type StageResult } from '../method.ts';
import { isAt, nmiEntry, shootDown } from '../panic-path.ts';
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
    writeSlot(machine, state.registers, cpu);
  });
  writeSlot(machine, state.registers, panicCpu);
  return { ...done, remarks };
}

/** Own page tables, own stack, and the first instruction of the mini kernel. */
function jump(machine: Machine, state: MkdumpState): StageResult {
  return orTripleFault(machine, () => {
    const entry = BigInt(state.entry);
    expectMapping(tablesAt(machine, state.pageTables), entry, entry, "the mini kernel's entry");
    return done;
  });
}
