/**
 * Where we do not say what crash 8.0.6 says, and the memory read that proves us right. An entry
 * without a proof is no entry, and an entry that no dump needs any more fails the test.
 */

import type { Kernel } from '../../src/linux/kernel.ts';
import type { Disagreement } from './facts.ts';
import * as proofs from './proofs.ts';

export interface Difference {
  /** As `commands.ts` has them. */
  readonly commands: readonly string[];
  readonly key: RegExp;
  /** What crash said; undefined: nothing, it does not have the fact. */
  readonly crash?: RegExp;
  /** What we say; undefined: nothing. */
  readonly ours?: RegExp;
  readonly why: string;
  /** Reads memory; false, or an error, if it does not bear out what we print. */
  proof(kernel: Kernel, fact: Disagreement, said: proofs.Said): boolean;
}

const backtraces = ['bt', 'bt -a', 'foreach bt'];
const frame = /^\d+ \w+ \S+@\w+$/;
const belowFrame = /^\d+ \w+ \S+@\w+\+\d+$/;
const anAddress = /^[0-9a-f]{16}( \[\w+\])?$/;

export const differences: readonly Difference[] = [
  {
    commands: ['sys'],
    key: /^KERNEL$/,
    crash: /^vmlinux-/,
    ours: /./,
    why: 'there is no kernel file beside the dump: named is the kernel itself',
    proof: proofs.isKernelItself,
  },
  {
    commands: ['sys'],
    key: /^DUMPFILE$/,
    crash: /./,
    ours: /./,
    why: 'crash was given the file under another name',
    proof: proofs.isDumpFile,
  },
  {
    commands: backtraces,
    key: / delay_tsc@| stop_this_cpu@/,
    ours: anAddress,
    why: 'crash leaves out the innermost frame, where the registers say that the CPU really was',
    proof: proofs.isInRegisters,
  },
  {
    commands: backtraces,
    key: frame,
    ours: anAddress,
    why:
      'crash does not see the callers of functions that do not return, and cannot read the stack ' +
      'of a CPU that was stopped in another task or in an interrupt',
    proof: proofs.isReturnAddress,
  },
  {
    commands: backtraces,
    key: belowFrame,
    ours: /^(?:[A-Z_0-9]+: [0-9a-f]+ ?)+$/,
    why: 'registers of a CPU on which crash gave up',
    proof: proofs.areSavedRegisters,
  },
  {
    commands: backtraces,
    key: belowFrame,
    ours: /^\[exception RIP: /,
    why: 'what was interrupted on a CPU on which crash gave up',
    proof: proofs.isInterruptedThere,
  },
  {
    commands: backtraces,
    key: belowFrame,
    ours: /^--- <IRQ stack> ---$/,
    why: 'a change of stack on a CPU on which crash gave up',
    proof: proofs.isEndOfIrqStack,
  },
  {
    commands: ['bt -a', 'foreach bt'],
    key: /^\d+ \w+\+\d$/,
    crash: /^bt: (?:invalid size request|read of stack)/,
    why: 'crash cannot unwind this running CPU',
    proof: proofs.isUnwoundByUs,
  },
  {
    commands: backtraces,
    key: / asm_sysvec_\w+@/,
    crash: /./,
    why: 'where a CPU aligned its stack for an interrupt, crash is 8 bytes off',
    proof: proofs.isElsewhere,
  },
  {
    commands: backtraces,
    key: / _MODULE_INIT_START_\w+@/,
    crash: /./,
    why: 'crash has no symbols of a module that is being loaded; its init function has a name',
    proof: proofs.isModuleInit,
  },
  {
    commands: backtraces,
    key: frame,
    crash: /./,
    why: 'crash takes names from debug symbols, where a clone has the name of its origin',
    proof: proofs.isClone,
  },
  {
    commands: ['sym -q sysrq'],
    key: /^[0-9a-f]{16}/,
    crash: /^\(r\) __(?:crc|kstrtab|kstrtabns)_/,
    why:
      'crash lists symbols of the vmlinux file; kallsyms in memory has none of those that label ' +
      'strings and checksums of exported symbols',
    proof(kernel, { ours }) {
      const count = kernel.vmcoreinfo.symbol('kallsyms_num_syms');
      if (count === undefined || ours !== undefined) return false;
      // We have every symbol that the kernel has, and none is of this kind.
      const names = [...kernel.symbols.all()].filter(({ module }) => module === undefined);
      return (
        names.length === kernel.memory.u32(count) &&
        !names.some(({ name }) => /^__(?:crc|kstrtab|kstrtabns)_/.test(name))
      );
    },
  },
  {
    commands: ['vtop ffffffff81000000'],
    key: /^line 2$/,
    crash: /^ffffffff81000000 {2}\w{16}$/,
    ours: /^ffffffff81000000 {2}\(not mapped\)$/,
    why: 'crash gives an address beyond all memory, with an entry that is zero below it',
    proof: proofs.isNotMapped,
  },
  {
    commands: ['foreach files'],
    key: /^line \d+$/,
    crash: /^ *\d+ (?:\w{16} ){3}FIFO $/,
    ours: /^ *\d+ (?:\w{16} ){3}FIFO pipe:\[\d+\]$/,
    why: 'crash shows no name of a pipe',
    proof: proofs.isPipe,
  },
];
