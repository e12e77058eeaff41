/**
 * ftrace trampolines: code that the kernel makes while it runs, outside of every text section. Each
 * is a copy of ftrace_caller or ftrace_regs_caller, so what is known of the original holds for it.
 * Source: create_trampoline() in arch/x86/kernel/ftrace.c, orc_ftrace_find() in unwind_orc.c.
 */

import { attempt } from '../bytes/errors.ts';
import { type ListKernel, walkList } from './lists.ts';
import type { SymbolTable } from './symbols.ts';

export interface TrampolineKernel extends ListKernel {
  readonly symbols: Pick<SymbolTable, 'inKernel'>;
}

export interface Trampoline {
  readonly start: bigint;
  readonly end: bigint;
  /** Where the original begins. */
  readonly original: bigint;
}

/** FTRACE_OPS_FL_SAVE_REGS, include/linux/ftrace.h; its enum has no name to ask BTF for. */
const saveRegs = 1n << 2n;
const maxTrampolines = 4096;

/** Those that the kernel lists; since v5.8 (fc0ea795f53c "ftrace: Add symbols for trampolines"). */
export function ftraceTrampolines(kernel: TrampolineKernel): Trampoline[] {
  const head = kernel.symbols.inKernel('ftrace_ops_trampoline_list');
  if (head === undefined) return [];
  const { objects } = walkList(kernel, head.address, 'struct ftrace_ops', 'list', maxTrampolines);
  return objects.flatMap((ops) => {
    const found = attempt((): Trampoline | undefined => {
      const start = BigInt(ops.trampoline);
      const isFull = (BigInt(ops.flags) & saveRegs) !== 0n;
      const name = isFull ? 'ftrace_regs_caller' : 'ftrace_caller';
      const original = kernel.symbols.inKernel(name)?.address;
      if (original === undefined) return undefined;
      return { start, end: start + BigInt(ops.trampoline_size), original };
    });
    return found === undefined ? [] : [found];
  });
}
