/**
 * What entry code saves of the context that it interrupts.
 * Source: arch/x86/include/asm/ptrace.h, struct pt_regs.
 */

import { type RegisterName, registerNames } from '../dump/types.ts';
import type { AddressSpace } from './memory.ts';

/** What entry code saved of the interrupted context. */
export interface SavedRegisters {
  /** Where they are saved. */
  readonly address: bigint;
  /** False: only rip, cs, eflags, rsp and ss, which the CPU itself saves. */
  readonly full: boolean;
  readonly userMode: boolean;
  readonly values: Readonly<Partial<Record<RegisterName, bigint>>>;
}

/** struct pt_regs in the order of ptrace(2), which is user-space ABI. */
export const savedNames = registerNames.slice(0, registerNames.indexOf('ss') + 1);
/** What the CPU itself pushes. */
const interruptNames: readonly RegisterName[] = ['rip', 'cs', 'eflags', 'rsp', 'ss'];

/** `full`: a struct pt_regs; `interrupt`: only what the CPU pushes. */
export function readSavedRegisters(
  memory: AddressSpace,
  address: bigint,
  extent: 'full' | 'interrupt',
): SavedRegisters {
  const names = extent === 'full' ? savedNames : interruptNames;
  const view = memory.view(address, names.length * 8);
  const values: Partial<Record<RegisterName, bigint>> = {};
  for (const [index, name] of names.entries()) values[name] = view.getBigUint64(index * 8, true);
  return { address, full: extent === 'full', userMode: (values.cs! & 3n) === 3n, values };
}
