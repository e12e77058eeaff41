/** What a kernel's log is, whatever form the kernel keeps it in; and how its forms are found. */

import type { AddressSpace } from './memory.ts';
import type { SymbolTable } from './symbols.ts';
import type { TypeTable } from './types.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

/** What the log needs of a kernel; `KernelCore` is one. */
export interface LogKernel {
  readonly memory: AddressSpace;
  readonly vmcoreinfo: Vmcoreinfo;
  /** Asked only where VMCOREINFO does not say. */
  readonly symbols: Pick<SymbolTable, 'inKernel'>;
  readonly types: Pick<TypeTable, 'offsetOf' | 'sizeOf'>;
}

export interface LogRecord {
  /** Counts every record since boot. */
  readonly sequence: number;
  /** Local clock, nanoseconds since boot. */
  readonly timestampNs: bigint;
  /** 0 emergency .. 7 debug. */
  readonly level: number;
  readonly facility: number;
  /** This record goes on with the line before it. */
  readonly continued: boolean;
  /**
   * Thread id, or CPU number + 2^31 outside of tasks. Before v5.10 only kernels with
   * CONFIG_PRINTK_CALLER keep it.
   */
  readonly callerId?: number;
  /** As UTF-8; may have several lines. */
  readonly text: string;
  /** The same, as it stands in the ring. */
  readonly bytes: Uint8Array;
  readonly subsystem?: string;
  readonly device?: string;
}

export interface MissingRecords {
  readonly what: string;
  readonly count: number;
  readonly why: string;
}

export interface KernelLog {
  /** Oldest first. */
  readonly records: readonly LogRecord[];
  /** No record that the ring still claims is missing. Older ones may have been overwritten. */
  readonly complete: boolean;
  readonly missing: readonly MissingRecords[];
  /** How many records were overwritten by newer ones before the dump: the ring is finite. */
  readonly overwritten: number;
}

/** The address of a variable, from VMCOREINFO if it says it: that costs no symbol table. */
export function findSymbol(kernel: LogKernel, symbol: string): bigint | undefined {
  return kernel.vmcoreinfo.symbol(symbol) ?? kernel.symbols.inKernel(symbol)?.address;
}

/** `type.member`, as VMCOREINFO writes it. */
export function offsetOf(kernel: LogKernel, member: string): number {
  const told = kernel.vmcoreinfo.offset(member);
  if (told !== undefined) return told;
  const dot = member.indexOf('.');
  return kernel.types.offsetOf(`struct ${member.slice(0, dot)}`, member.slice(dot + 1));
}

export function sizeOf(kernel: LogKernel, type: string): number {
  return kernel.vmcoreinfo.size(type) ?? kernel.types.sizeOf(`struct ${type}`);
}
