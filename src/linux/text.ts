/** Is an address code, and does it stand behind a call? */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import type { SymbolTable } from './symbols.ts';

/** What judging addresses needs of a kernel; `KernelCore` is one. */
export interface TextKernel {
  readonly memory: AddressSpace;
  readonly symbols: Pick<SymbolTable, 'at'>;
}

/** Text of the kernel and of modules lies above this: __START_KERNEL_map. */
const lowestText = 0xffff_ffff_8000_0000n;

/** nm letters of code; `?` where a module's table has no letters (before v5.2). */
const codeLetters = new Set(['t', 'T', 'w', 'W', '?']);

/** Within a function of the kernel or of a loaded module. */
export function isText(kernel: TextKernel, address: bigint): boolean {
  if (address < lowestText) return false;
  const found = kernel.symbols.at(address);
  return found !== undefined && codeLetters.has(found.symbol.type);
}

/** No-execute bit of a page table entry. */
const noExecute = 1n << 63n;

/**
 * Text, or code that the kernel generated (BPF programs, ftrace trampolines): that has no symbol,
 * but its pages are executable.
 */
export function isCode(kernel: TextKernel, address: bigint): boolean {
  if (address < lowestText) return false;
  if (isText(kernel, address)) return true;
  // Data of the kernel's image and of modules.
  if (kernel.symbols.at(address) !== undefined) return false;
  try {
    return (kernel.memory.translate(address).entry & noExecute) === 0n;
  } catch (error) {
    if (error instanceof DumpError) return false;
    throw error;
  }
}

/** In text and behind a call instruction; where the text is not in the dump, it may be one. */
export function isReturnAddress(
  kernel: TextKernel,
  address: bigint,
  unread: (problem: DumpError) => void = () => {},
): boolean {
  if (address < lowestText || !isText(kernel, address - 1n)) return false;
  try {
    return followsCall(kernel.memory.read(address - 7n, 7));
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    unread(error);
    return true;
  }
}

/** The function that the direct call before `address` calls; undefined where there is none. */
export function calledBefore(kernel: TextKernel, address: bigint): bigint | undefined {
  if (address < lowestText || !isText(kernel, address - 1n)) return undefined;
  try {
    const call = kernel.memory.view(address - 5n, 5);
    if (call.getUint8(0) !== 0xe8) return undefined;
    return BigInt.asUintN(64, address + BigInt(call.getInt32(1, true)));
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** `bytes` end in a near call: E8 rel32, or FF /2 with its 2 to 7 bytes. */
function followsCall(bytes: Uint8Array): boolean {
  const end = bytes.length;
  if (bytes[end - 5] === 0xe8) return true;
  for (let length = 2; length <= end; length++) {
    if (bytes[end - length] === 0xff && ((bytes[end - length + 1]! >> 3) & 7) === 2) return true;
  }
  return false;
}
