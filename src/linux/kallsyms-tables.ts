/**
 * Where the tables of kallsyms are, as VMCOREINFO says it (since v6.0, 5fd8fea935a1 "vmcoreinfo:
 * include kallsyms symbols"): so their order in .rodata, which changed in v6.4, does not matter.
 */

import type { AddressSpace } from './memory.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

export interface KallsymsTables {
  readonly names: bigint;
  readonly count: number;
  readonly tokenTable: bigint;
  readonly tokenIndex: bigint;
  /** Either offsets from a base (since v4.6) or plain addresses. */
  readonly offsets: bigint | undefined;
  readonly relativeBase: bigint | undefined;
  readonly addresses: bigint | undefined;
}

/** Where VMCOREINFO says that the tables are; undefined where it does not. */
export function kallsymsTables(
  memory: AddressSpace,
  vmcoreinfo: Vmcoreinfo,
): KallsymsTables | undefined {
  const names = vmcoreinfo.symbol('kallsyms_names');
  const count = vmcoreinfo.symbol('kallsyms_num_syms');
  const tokenTable = vmcoreinfo.symbol('kallsyms_token_table');
  const tokenIndex = vmcoreinfo.symbol('kallsyms_token_index');
  if (!names || !count || !tokenTable || !tokenIndex) return undefined;
  const base = vmcoreinfo.symbol('kallsyms_relative_base');
  return {
    names,
    count: memory.u32(count),
    tokenTable,
    tokenIndex,
    offsets: vmcoreinfo.symbol('kallsyms_offsets'),
    relativeBase: base === undefined ? undefined : memory.u64(base),
    addresses: vmcoreinfo.symbol('kallsyms_addresses'),
  };
}
