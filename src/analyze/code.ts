/** The bytes of functions, and where a function ends. */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { OrcLookup } from '../linux/orc.ts';
import type { KernelSymbol } from '../linux/symbols.ts';
import { type Decoded, decode } from './instructions.ts';
import { readPages } from './rd.ts';

/** What is said to be longer is no function: the last symbol before a gap has megabytes. */
const maxBytes = 1024 * 1024;

/** Bytes up to the first page that is not there. Throws where that is the first. */
export function readCode(
  memory: AddressSpace,
  start: bigint,
  end: bigint,
): { readonly bytes: Uint8Array; readonly problem: DumpError | undefined } {
  const length = Number(end - start);
  const found = readPages((address, bytes) => memory.read(address, bytes), {
    start,
    length: Math.min(length, maxBytes),
  });
  if (found.problem !== undefined || length <= maxBytes) return found;
  const why = `only ${maxBytes} bytes are disassembled at once`;
  return { ...found, problem: new DumpError('unsupported', why) };
}

/**
 * The address behind the last instruction of a function. kallsyms knows where the next symbol
 * begins; what fills the room before it has no entry in the ORC tables. In modules it is counted
 * to the function, as crash does without their debug symbols. Where a table is `lost`, too.
 */
export function functionEnd(
  kernel: Kernel,
  symbol: KernelSymbol,
  lost: (problem: DumpError) => void,
): bigint {
  const start = symbol.address;
  const next = start + BigInt(kernel.symbols.sizeOf(symbol));
  if (symbol.module !== undefined) return next;
  const code = attempt(() => readCode(kernel.memory, start, next));
  if (code === undefined || code.problem !== undefined) return next;
  const orc = new OrcLookup(kernel);
  const isFilling = ({ address, text }: Decoded): boolean =>
    filling.test(text) && attempt(() => orc.find(address), lost)?.type === 'undefined';
  const instructions = [...decode(code.bytes, start)];
  let last = instructions.length - 1;
  while (last > 0 && isFilling(instructions[last]!)) last--;
  // An int3 behind an indirect jump is the function's own: against speculation, since v5.17.
  const behind = instructions[last + 1];
  const isOwn = behind?.text.startsWith('int3') && isIndirect(kernel, instructions[last]!);
  return isOwn ? behind!.address + 1n : (behind?.address ?? next);
}

const filling = /^(int3|(cs |data16 )*nop|xchg +%ax,%ax)/;

/** Through a register, or through the thunk that stands for it. */
function isIndirect(kernel: Kernel, { text, target }: Decoded): boolean {
  if (!text.startsWith('jmp')) return false;
  const name = target === undefined ? undefined : kernel.symbols.at(target)?.symbol.name;
  return text.includes('*') || name?.startsWith('__x86_indirect_thunk') === true;
}
