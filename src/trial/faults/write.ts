/** What a write of a fault is and what became of it, in words for the report. */

import { attempt } from '../../bytes/errors.ts';
import { jsonAddress } from '../../bytes/text.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Effect, WriteNote } from './kind.ts';

export interface PlannedWrite {
  /** What was aimed at. */
  readonly region: string;
  /** Undefined where no page tables lead there. */
  readonly physical: number | undefined;
  readonly virtual: bigint | undefined;
  /** Its symbol, where one was asked for: others may stand at the same place. */
  readonly symbol?: string | undefined;
  readonly bytes: Uint8Array;
}

/** Everything of a note but how it ended: what is there now is what was there before. */
export function noteOf(
  machine: Machine,
  writer: string,
  { region, physical, virtual, bytes, ...asked }: PlannedWrite,
): Omit<WriteNote, 'outcome'> {
  const before = readPhysical(machine, physical, bytes.length);
  const symbol = asked.symbol ?? symbolAt(machine.kernel, physical, virtual);
  return {
    writer,
    region,
    ...(physical === undefined ? {} : { physical: jsonAddress(BigInt(physical)) }),
    ...(virtual === undefined ? {} : { virtual: jsonAddress(virtual) }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(before === undefined ? {} : { before: bytesText(before) }),
    after: bytesText(bytes),
  };
}

export function outcomeOf(before: Uint8Array | undefined, after: Uint8Array): WriteNote['outcome'] {
  const isSame = before?.every((byte, at) => byte === after[at]) ?? false;
  return isSame ? 'unchanged' : 'done';
}

/** A member of a kernel's object, as a fault has it. */
export interface TypedWord {
  /** `request_queue.mq_freeze_depth`. */
  readonly what: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Through the kernel's page tables, read-only or not. */
export function typedWrites(machine: Machine, words: readonly TypedWord[]): WriteNote[] {
  return words.map(({ what, address, bytes }) => {
    const found = attempt(() => machine.virtual.translate(address));
    const physical = found === undefined ? undefined : Number(found.physical);
    const planned = { region: what, physical, virtual: address, bytes };
    const note = noteOf(machine, 'typed write', planned);
    if (physical === undefined) return { ...note, outcome: 'not mapped' };
    const before = readPhysical(machine, physical, bytes.length)?.slice();
    if (before === undefined) return { ...note, outcome: 'no memory' };
    machine.poke(address, bytes);
    return { ...note, outcome: outcomeOf(before, bytes) };
  });
}

/** The effect of a fault that is all writes. */
export function sum(writes: readonly WriteNote[], remarks: readonly string[]): Effect {
  const has = (outcome: WriteNote['outcome']): boolean =>
    writes.some((write) => write.outcome === outcome);
  const effect = has('done') ? 'done' : has('scheduled') ? 'scheduled' : 'prevented';
  return { effect, writes, remarks };
}

/** The machine's memory as it is now; undefined where it does not have all of it. */
export function readPhysical(
  machine: Machine,
  physical: number | undefined,
  length: number,
): Uint8Array | undefined {
  if (physical === undefined) return undefined;
  const memory = new PhysicalMemory(machine.memory);
  return attempt(() => memory.read(BigInt(physical), length));
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length > 16) return `${bytes.length} bytes`;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** __START_KERNEL_map: where the kernel's image is mapped, arch/x86/include/asm/page_64_types.h. */
const kernelMap = 0xffff_ffff_8000_0000n;

/** `name+0x10` of what covers an address of the kernel's image or of a module. */
function symbolAt(
  kernel: Kernel,
  physical: number | undefined,
  virtual: bigint | undefined,
): string | undefined {
  const direct = virtual === undefined ? undefined : kernel.symbols.at(virtual);
  const found = direct ?? (physical === undefined ? undefined : inImage(kernel, physical));
  if (found === undefined) return undefined;
  const { symbol, offset } = found;
  const name = symbol.module === undefined ? symbol.name : `${symbol.name} [${symbol.module}]`;
  return offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
}

/** The image is mapped twice: what is written through the direct map is the kernel's as well. */
function inImage(kernel: Kernel, physical: number): ReturnType<Kernel['symbols']['at']> {
  const { physBase } = kernel.vmcoreinfo;
  if (physBase === undefined) return undefined;
  return kernel.symbols.at(BigInt.asUintN(64, kernelMap + BigInt(physical) - physBase));
}
