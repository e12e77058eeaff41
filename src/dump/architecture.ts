/**
 * The two machines whose dumps are read: what their kernels call themselves, and in which order
 * they save registers. i386's registers go by their x86_64 names (eax is rax), zero-extended.
 *
 * Sources: struct pt_regs and struct user_regs_struct in the kernel's asm-x86_64/ptrace.h,
 * asm-x86_64/user.h, asm-i386/ptrace.h and asm-i386/user.h (2.4 and 2.6).
 */

import { type Architecture, type RegisterName, type Registers, registerNames } from './types.ts';

const ptRegs386 = [
  'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rax', 'ds', 'es', 'orig_rax', 'rip', 'cs', 'eflags',
  'rsp', 'ss',
] as const; // biome-ignore format: one table

const userRegs386 = [
  'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rax', 'ds', 'es', 'fs', 'gs', 'orig_rax', 'rip', 'cs',
  'eflags', 'rsp', 'ss',
] as const; // biome-ignore format: one table

/** struct pt_regs of 2.4 and 2.6: what a kernel pushes on entry. */
export const ptRegs: Readonly<Record<Architecture, readonly RegisterName[]>> = {
  x86_64: registerNames.slice(0, 21),
  i386: ptRegs386,
};

/** struct user_regs_struct, which is elf_gregset_t: NT_PRSTATUS and diskdump's sub header. */
export const userRegs: Readonly<Record<Architecture, readonly RegisterName[]>> = {
  x86_64: registerNames,
  i386: userRegs386,
};

/** Bytes of a register, a pointer and a long. */
export const wordSize: Readonly<Record<Architecture, number>> = { x86_64: 8, i386: 4 };

/** By `uname -m`; undefined for another machine. A 32-bit kernel on a 64-bit CPU says i686. */
export function architectureOf(machine: string): Architecture | undefined {
  if (machine === 'x86_64') return 'x86_64';
  return /^i[3-6]86$/.test(machine) ? 'i386' : undefined;
}

/** `values` in the order of `names`; registers that are not named are 0. */
export function namedRegisters(
  names: readonly RegisterName[],
  values: readonly bigint[],
): Registers {
  const registers = new Map<RegisterName, bigint>(registerNames.map((name) => [name, 0n]));
  for (const [index, name] of names.entries()) registers.set(name, values[index] ?? 0n);
  return Object.fromEntries(registers) as Record<RegisterName, bigint>;
}

/** Words of the machine's size, one after another. */
export function readWords(bytes: Uint8Array, architecture: Architecture): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = wordSize[architecture];
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) =>
    size === 8 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true)),
  );
}

export function encodeWords(words: readonly bigint[], architecture: Architecture): Uint8Array {
  const size = wordSize[architecture];
  const bytes = new Uint8Array(words.length * size);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) {
    if (size === 8) view.setBigUint64(index * 8, BigInt.asUintN(64, word), true);
    else view.setUint32(index * 4, Number(BigInt.asUintN(32, word)), true);
  }
  return bytes;
}
