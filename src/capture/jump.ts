/** Leaving one kernel for another: new page tables, and no handler for whatever faults. */

import { DumpError } from '../bytes/errors.ts';
import { AddressSpace } from '../linux/memory.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import type { Machine } from '../machine/machine.ts';
import { MachineStop } from '../machine/stop.ts';
import type { StageResult } from './method.ts';

/** Memory behind the page tables whose top one lies at this physical address. */
export function tablesAt(machine: Machine, physical: number): AddressSpace {
  const root = { ...machine.kernel.memory.root, physical: BigInt(physical) };
  return new AddressSpace(new PhysicalMemory(machine.memory), root);
}

/** The new tables must lead to the code that runs on across the switch. */
export function expectMapping(
  tables: AddressSpace,
  virtual: bigint,
  physical: bigint,
  what: string,
): void {
  const found = tables.translate(virtual).physical;
  if (found === physical) return;
  throw new DumpError('corrupt', `the new page tables map ${what} to 0x${found.toString(16)}`, {
    where: { virtual },
  });
}

/** Without interrupt descriptors a fault resets the CPU. */
export function orTripleFault(machine: Machine, body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    const stop = error instanceof DumpError ? machine.stopOf(error) : error;
    if (!(stop instanceof MachineStop) || stop.kind !== 'nested fault') throw stop;
    const cause = `triple fault behind the jump: ${stop.message}`;
    throw new MachineStop('nested fault', cause, stop.object, error);
  }
}

/** What `body` reads belongs to `object`: a fault in it is called by that name. */
export function naming<T>(machine: Machine, object: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    const stop = machine.stopOf(error);
    if (stop.kind === 'lacking') throw stop;
    throw new MachineStop(stop.kind, `${object}: ${stop.message}`, object, error);
  }
}
