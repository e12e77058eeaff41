/**
 * Memory reads that bear out a line of ours. For backtraces they use symbols and raw reads only,
 * nothing of the unwinder.
 */

import { attempt } from '../../src/bytes/errors.ts';
import type { Kernel } from '../../src/linux/kernel.ts';
import { listModules, moduleAddress } from '../../src/linux/modules.ts';
import type { Disagreement, Facts } from './facts.ts';

/** Both answers whole, and what differs in them. */
export interface Said {
  readonly ours: Facts;
  readonly all: readonly Disagreement[];
}

interface FrameFact {
  /** `PID TASK`. */
  readonly task: string;
  readonly name: string;
  readonly stack: bigint;
}

function frameOf(key: string): FrameFact | undefined {
  const [, task, name, stack] = /^(\d+ \w+) (\S+)@(\w+)/.exec(key) ?? [];
  if (task === undefined || name === undefined) return undefined;
  return { task, name, stack: BigInt(`0x${stack}`) };
}

function addressIn(text: string | undefined): bigint {
  return BigInt(`0x${/^[0-9a-f]{16}/.exec(text ?? '')?.[0] ?? '0'}`);
}

/** Some CPU was executing this instruction with this stack pointer when it was stopped. */
export function isInRegisters(kernel: Kernel, { key, ours }: Disagreement): boolean {
  const frame = frameOf(key);
  const address = addressIn(ours);
  return (
    frame !== undefined &&
    kernel.symbols.at(address)?.symbol.name === frame.name &&
    kernel.dump.cpus.some(
      ({ registers }) => registers.rip === address && registers.rsp === frame.stack,
    )
  );
}

/**
 * The stack holds this return address, and the call before it went to the function of the frame
 * below: what was left on the stack by earlier calls would not pass.
 */
export function isReturnAddress(kernel: Kernel, { key, ours }: Disagreement, said: Said): boolean {
  const frame = frameOf(key);
  const address = addressIn(ours);
  if (frame === undefined || kernel.memory.u64(frame.stack) !== address) return false;
  if (kernel.symbols.at(address - 1n)?.symbol.name !== frame.name) return false;
  if (isFreed(kernel, address)) return true;
  const callee = calleeOf(key, said.ours);
  return callee !== undefined && callsBefore(kernel, address, callee);
}

/** What the frame before this one was in: its function, or the one that it interrupted. */
function calleeOf(key: string, ours: Facts): string | undefined {
  const task = frameOf(key)?.task;
  const before = [...ours].slice(0, [...ours.keys()].indexOf(key)).reverse();
  for (const [other, text] of before) {
    const frame = frameOf(other);
    if (frame?.task !== task) return undefined;
    const interrupted = /^\[exception RIP: (.+)\+\d+\]$/.exec(text)?.[1];
    if (interrupted !== undefined) return interrupted;
    if (!/\+\d+$/.test(other)) return frame?.name;
  }
  return undefined;
}

/** Text of the kernel's start, given back to the free pages long ago. */
function isFreed(kernel: Kernel, address: bigint): boolean {
  const { address: begin } = kernel.symbol('__init_begin');
  const { address: end } = kernel.symbol('__init_end');
  return address >= begin && address < end;
}

/**
 * The call that returns to `address` goes to `callee`. Intel SDM volume 2: CALL E8 rel32; far RET
 * 48 CB, by which secondary_startup_64 enters C.
 */
function callsBefore(kernel: Kernel, address: bigint, callee: string): boolean {
  const before = kernel.memory.read(address - 5n, 5);
  if (before[3] === 0x48 && before[4] === 0xcb) return true;
  return before[0] === 0xe8 && reaches(kernel, targetOf(before, address), callee, 2);
}

/**
 * The function at `address` is `name`, or ends in it: by JMP E9 rel32, or through a pointer that it
 * loads with MOV 48 8B 05 rel32 (RAX, RIP-relative).
 */
function reaches(kernel: Kernel, address: bigint, name: string, jumps: number): boolean {
  const at = kernel.symbols.at(address);
  if (at === undefined || at.offset !== 0) return false;
  if (at.symbol.name === name) return true;
  if (jumps === 0) return false;
  const text = kernel.memory.read(address, Math.min(64, kernel.symbols.sizeOf(at.symbol)));
  return [...text.keys()].some((index) => {
    const [first, second, third] = text.subarray(index);
    const ends = (length: number): bigint => address + BigInt(index + length);
    const rest = text.subarray(index);
    if (first === 0xe9 && rest.length >= 5) {
      return reaches(kernel, targetOf(rest.subarray(0, 5), ends(5)), name, jumps - 1);
    }
    if (first !== 0x48 || second !== 0x8b || third !== 0x05 || rest.length < 7) return false;
    const pointer = kernel.memory.u64(targetOf(rest.subarray(2, 7), ends(7)));
    return reaches(kernel, pointer, name, 0);
  });
}

/** What the last 4 of 5 bytes of an instruction that ends at `end` point to. */
function targetOf(instruction: Uint8Array, end: bigint): bigint {
  const { buffer, byteOffset } = instruction;
  return BigInt.asUintN(64, end + BigInt(new DataView(buffer, byteOffset).getInt32(1, true)));
}

/** Offsets in `struct pt_regs` of x86-64 (Linux arch/x86/include/asm/ptrace.h, ABI). */
const ptRegs: Readonly<Record<string, number>> = {
  R15: 0,
  R14: 8,
  R13: 16,
  R12: 24,
  RBP: 32,
  RBX: 40,
  R11: 48,
  R10: 56,
  R9: 64,
  R8: 72,
  RAX: 80,
  RCX: 88,
  RDX: 96,
  RSI: 104,
  RDI: 112,
  ORIG_RAX: 120,
  RIP: 128,
  CS: 136,
  RFLAGS: 144,
  RSP: 152,
  SS: 160,
};

/** A line of registers below entry code: each stands above its return address, as pt_regs. */
export function areSavedRegisters(kernel: Kernel, { key, ours }: Disagreement): boolean {
  const frame = frameOf(key);
  const registers = [...(ours ?? '').matchAll(/(\w+): ([0-9a-f]+)/g)];
  return (
    frame !== undefined &&
    registers.length > 0 &&
    registers.every(([, name = '', value]) => {
      const offset = ptRegs[name];
      if (offset === undefined) return false;
      const saved = kernel.memory.u64(frame.stack + 8n + BigInt(offset));
      // Selectors and flags are printed with 4 and 8 digits.
      const width = BigInt(4 * (value?.length ?? 0));
      return BigInt.asUintN(Number(width), saved) === BigInt(`0x${value}`);
    })
  );
}

/** `[exception RIP: function+offset]`: the saved instruction pointer is in that function. */
export function isInterruptedThere(kernel: Kernel, { key, ours }: Disagreement): boolean {
  const frame = frameOf(key);
  if (frame === undefined) return false;
  const rip = kernel.memory.u64(frame.stack + 8n + BigInt(ptRegs['RIP'] ?? 0));
  const at = kernel.symbols.at(rip);
  return ours === `[exception RIP: ${at?.symbol.name}+${at?.offset}]`;
}

/**
 * The last frame of a CPU's interrupt stack: above it is the stack pointer to return to, which lies
 * on the stack of the task (16 KB from task_struct.stack).
 */
export function isEndOfIrqStack(kernel: Kernel, { key }: Disagreement): boolean {
  const frame = frameOf(key);
  if (frame === undefined) return false;
  const task = BigInt(`0x${frame.task.split(' ')[1]}`);
  const base = kernel.memory.u64(
    task + BigInt(kernel.types.offsetOf('struct task_struct', 'stack')),
  );
  const back = kernel.memory.u64(frame.stack + 8n);
  const tops = kernel.cpus.map((cpu) => kernel.memory.u64(kernel.perCpu('hardirq_stack_ptr', cpu)));
  return tops.includes(frame.stack + 8n) && back >= base && back < base + 0x4000n;
}

/** crash gave up on a task whose frames we have; each of them is proved by itself. */
export function isUnwoundByUs(_: Kernel, { key }: Disagreement, { all }: Said): boolean {
  const task = /^\d+ \w+/.exec(key)?.[0];
  const frames = all.filter((fact) => frameOf(fact.key)?.task === task && fact.ours !== undefined);
  return frames.length > 2;
}

/** The function at this return address is the one that `module.init` points to. */
export function isModuleInit(kernel: Kernel, { key, crash }: Disagreement): boolean {
  const frame = frameOf(key);
  const address = addressIn(crash);
  const symbol = kernel.symbols.at(address - 1n)?.symbol;
  const init = BigInt(kernel.types.offsetOf('struct module', 'init'));
  return (
    frame !== undefined &&
    kernel.memory.u64(frame.stack) === address &&
    listModules(kernel).modules.some(
      (module) => kernel.memory.u64(moduleAddress(module) + init) === symbol?.address,
    )
  );
}

/** kallsyms knows what covers this address by the compiler's name of a clone (gcc, -fipa-*). */
export function isClone(kernel: Kernel, { key, crash }: Disagreement): boolean {
  const frame = frameOf(key);
  const name = kernel.symbols.at(addressIn(crash) - 1n)?.symbol.name;
  return (
    frame !== undefined &&
    name?.startsWith(`${frame.name}.`) === true &&
    /^\.(?:isra|part|constprop)\.\d+$/.test(name.slice(frame.name.length))
  );
}

/** The return address is not where crash says it is, and we say where it is. */
export function isElsewhere(kernel: Kernel, { key, crash }: Disagreement, { all }: Said): boolean {
  const frame = frameOf(key);
  if (frame === undefined) return false;
  return all.some((fact) => {
    const other = frameOf(fact.key);
    return (
      other?.task === frame.task &&
      other.name === frame.name &&
      fact.ours === crash &&
      kernel.memory.u64(frame.stack) !== kernel.memory.u64(other.stack)
    );
  });
}

/** `[PARTIAL DUMP]`, `[TAINTED]`. */
function marksIn(text: string | undefined): string {
  return (text?.match(/\[[A-Z ]+\]/g) ?? []).join(' ');
}

/** Release and build ID are those in VMCOREINFO, crash's file is of that release. */
export function isKernelItself({ vmcoreinfo }: Kernel, { crash, ours }: Disagreement): boolean {
  const release = vmcoreinfo.text('OSRELEASE');
  const name = `${release} (build ID ${vmcoreinfo.text('BUILD-ID')})`;
  const isSame =
    ours?.startsWith(name) === true && crash?.startsWith(`vmlinux-${release}`) === true;
  return isSame && marksIn(crash) === marksIn(ours);
}

/** It is the name of the file that was opened, and crash says the same of it otherwise. */
export function isDumpFile({ dump }: Kernel, { crash, ours }: Disagreement): boolean {
  return ours?.startsWith(dump.name) === true && marksIn(crash) === marksIn(ours);
}

/** The address has no translation, and the one that crash gives is beyond all memory. */
export function isNotMapped(kernel: Kernel, { crash }: Disagreement): boolean {
  const [address = '', physical = ''] = (crash ?? '').split(/ +/);
  const isMapped = attempt(() => kernel.memory.translate(BigInt(`0x${address}`))) !== undefined;
  return !isMapped && BigInt(`0x${physical}`) > BigInt(kernel.dump.endPfn) * 4096n;
}

/** PIPEFS_MAGIC, include/uapi/linux/magic.h. */
const pipeMagic = 0x5049_5045n;

/** The file is on pipefs, the number in its name is that of its inode. */
export function isPipe(kernel: Kernel, { ours }: Disagreement): boolean {
  const [, address, inode] = /^ *\d+ (\w{16}) .* pipe:\[(\d+)\]$/.exec(ours ?? '') ?? [];
  const file = kernel.object('struct file', BigInt(`0x${address}`));
  const magic = file.f_path.dentry.d_sb.s_magic;
  return magic === pipeMagic && file.f_inode.i_ino === BigInt(inode!);
}
