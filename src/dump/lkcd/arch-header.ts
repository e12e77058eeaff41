/**
 * LKCD's arch header: registers and tasks by CPU slot. It is optional, as in crash: a bad one loses
 * the registers, not the memory. crash ignores that of versions 2 to 7. Here those of 2 and 3 are
 * read, of which crash has the layout; those of 5 to 7 differed from kernel to kernel and are not.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Source } from '../../bytes/source.ts';
import { encodeWords, namedRegisters, ptRegs, readWords, wordSize } from '../architecture.ts';
import type { DumpContent } from '../content.ts';
import type { Architecture, CpuState } from '../types.ts';
import { ArchHeaders, ArchHeadersV2, archMagic, archVersions } from './layout.ts';

/** Bytes of a CPU slot: pt_regs, task, stack, stack_ptr. */
export function slotSize(architecture: Architecture): number {
  return (ptRegs[architecture].length + 3) * wordSize[architecture];
}

export function archHeaderSize(architecture: Architecture, slots: number): number {
  return ArchHeaders[architecture].size + slots * slotSize(architecture);
}

/** Where the arch header may be, and whose. */
export interface ArchPlace {
  readonly version: number;
  readonly architecture: Architecture;
  /** dh_header_size. */
  readonly offset: number;
  /** Where page records start. */
  readonly end: number;
}

/** A slot without registers belongs to no CPU. */
export function readArchHeader(source: Source, place: ArchPlace, task: bigint): CpuState[] {
  const { version, architecture } = place;
  if (version >= 8) return readSlots(source, place);
  if (version === 1 || version > 3) return [];
  const layout = ArchHeadersV2[architecture];
  const bytes = headerBytes(source, place, layout.size);
  if (bytes === undefined) return [];
  const { dha_magic, dha_header_size, dha_regs } = layout.read(bytes);
  if (dha_magic !== archMagic || dha_header_size !== layout.size) return [];
  return cpuState(architecture, 0, dha_regs, task);
}

/** Nothing for a CPU whose registers are all 0. */
export function cpuState(
  architecture: Architecture,
  index: number,
  values: readonly bigint[],
  task: bigint,
): CpuState[] {
  if (values.every((value) => value === 0n)) return [];
  const registers = namedRegisters(ptRegs[architecture], values);
  return [{ source: 'LKCD', index, registers, ...(task === 0n ? {} : { task }) }];
}

function readSlots(source: Source, place: ArchPlace): CpuState[] {
  const { architecture } = place;
  const layout = ArchHeaders[architecture];
  const start = headerBytes(source, place, layout.size);
  if (start === undefined) return [];
  const arch = layout.read(start);
  const size = arch.dha_header_size;
  const slots = (size - layout.size) / slotSize(architecture);
  if (arch.dha_magic !== archMagic || !Number.isInteger(slots) || slots < 0) return [];
  const bytes = headerBytes(source, place, size);
  if (bytes === undefined) return [];
  const words = readWords(bytes.subarray(layout.size), architecture);
  const count = ptRegs[architecture].length;
  return Array.from({ length: slots }, (_, index) => index).flatMap((index) => {
    const saved = words.slice(index * count, (index + 1) * count);
    const isEmpty = saved.every((value) => value === 0n);
    const values = isEmpty && index === arch.dha_dumping_cpu ? arch.dha_regs : saved;
    return cpuState(architecture, index, values, words[slots * count + index]!);
  });
}

/** `size` bytes, where they are in the header area and in the file. */
function headerBytes(source: Source, place: ArchPlace, size: number): Uint8Array | undefined {
  if (place.offset + size > Math.min(place.end, source.size)) return undefined;
  const bytes = source.read(place.offset, size);
  return bytes.length < size ? undefined : bytes;
}

/** Writes it into the header area at `at`, and returns where it ends. */
export function writeArchHeader(area: Uint8Array, at: number, content: DumpContent): number {
  const { architecture = 'x86_64', cpus, panic } = content;
  const slots = cpus.length;
  const size = archHeaderSize(architecture, slots);
  if (at + size > area.length) {
    throw new DumpError('unsupported', `${slots} CPUs do not fit LKCD's header area`, {
      hint: 'write version 9, whose header area grows, or a KDUMP file',
    });
  }
  const names = ptRegs[architecture];
  const registersOf = (cpu: number): bigint[] =>
    names.map((name) => cpus[cpu]?.registers[name] ?? 0n);
  const dumping = panic?.cpu ?? 0;
  const layout = ArchHeaders[architecture];
  layout.write(area, at, {
    dha_magic: archMagic,
    dha_version: archVersions[architecture],
    dha_header_size: size,
    dha_regs: registersOf(dumping),
    dha_smp_num_cpus: slots,
    dha_dumping_cpu: dumping,
  });
  if (architecture === 'i386') {
    const { rsp = 0n, rip = 0n } = cpus[dumping]?.registers ?? {};
    ArchHeaders.i386.write(area, at, { dha_esp: Number(rsp), dha_eip: Number(rip) });
  }
  const words = [
    ...cpus.flatMap((_, cpu) => registersOf(cpu)),
    ...cpus.map(({ task }) => task),
    // Addresses of saved copies of the stacks: there are none.
    ...cpus.map(() => 0n),
    ...cpus.map(({ stack }) => stack),
  ];
  area.set(encodeWords(words, architecture), at + layout.size);
  return at + size;
}
