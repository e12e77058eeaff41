/**
 * What the segments of our own crash kernel hold: elfcorehdr, parameters, a small ELF program that
 * stands for the capture kernel, purgatory with its digests. Nobody executes any of it; every byte
 * of it counts, because purgatory hashes it.
 */

import { assert } from '../bytes/errors.ts';
import { latin1Bytes } from '../bytes/text.ts';
import {
  Elf64Header,
  Elf64Phdr,
  EM_X86_64,
  littleEndianIdent,
  PT_LOAD,
} from '../dump/elf/layout.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { u64Bytes } from './edit.ts';
import { type ElfCore, encodeElfCore, type OldRam } from './elfcore.ts';
import type { Machine } from './machine.ts';
import { digestSize, maxRegions, type Segment } from './purgatory.ts';
import { type PhysicalRange, without } from './ram.ts';

/** Where purgatory's entry and its table stand in its segment; the digest is right before. */
export const purgatoryEntry = 0x120;
export const purgatoryTable = 0x3000;
const purgatorySize = 0x4000;
/** ET_EXEC. */
const executable = 2;
/** A note_buf_t where BTF does not name it: two note headers, the name, an elf_prstatus. */
const usualNoteSize = 24 + 8 + 336;
/** VMCOREINFO_NOTE_SIZE, include/linux/crash_core.h: a page of text, header, name, end. */
const vmcoreinfoNoteSize = 4096 + 24 + 12;

/** Where the crashed kernel will note each CPU, and VMCOREINFO last. Physical. */
export function noteRanges(machine: Machine): PhysicalRange[] {
  const { kernel } = machine;
  const physical = (virtual: bigint): number => Number(machine.virtual.translate(virtual).physical);
  const noteSize = kernel.types.find('note_buf_t')
    ? kernel.types.sizeOf('note_buf_t')
    : usualNoteSize;
  const notesBase = machine.virtual.u64(kernel.symbol('crash_notes').address);
  const notes = kernel.cpus.map((cpu) => {
    const start = physical(BigInt.asUintN(64, notesBase + kernel.perCpuOffset(cpu)));
    return { start, end: start + noteSize };
  });
  const vmcoreinfo = physical(machine.virtual.u64(kernel.symbol('vmcoreinfo_note').address));
  notes.push({ start: vmcoreinfo, end: vmcoreinfo + vmcoreinfoNoteSize });
  return notes;
}

/**
 * What the crash kernel is told: where the notes will be, and the RAM but for the region. `low`:
 * the end of memory that will be read from a copy, and where that is.
 */
export function elfcoreBytes(
  machine: Machine,
  region: PhysicalRange,
  low: { readonly end: number; readonly copy: number } = { end: 0, copy: 0 },
): Uint8Array {
  const { kernel } = machine;
  const text = kernel.symbol('_text').address;
  const start = Number(machine.virtual.translate(text).physical);
  const end = start + Number(kernel.symbol('_end').address - text);
  const core: ElfCore = {
    notes: noteRanges(machine),
    kernelText: { virtual: text, range: { start, end } },
    ram: without(machine.ram, region).flatMap(({ start, end }): OldRam[] => {
      const middle = Math.min(end, Math.max(start, low.end));
      const copied = { start, end: middle, readAt: low.copy + start };
      return [
        ...(middle > start ? [copied] : []),
        ...(end > middle ? [{ start: middle, end }] : []),
      ];
    }),
  };
  return encodeElfCore(core, (address) => kernel.toVirtual(address));
}

export function parameterBytes(elfcore: Segment): Uint8Array {
  const place = `elfcorehdr=0x${elfcore.start.toString(16)}`;
  return latin1Bytes(`irqpoll nr_cpus=1 reset_devices ${place}\0`);
}

/** A static ELF program: `cli; hlt; jmp` and a body of a pattern that shows any change. */
export function stubProgram(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = Elf64Header.size + Elf64Phdr.size; at < size; at++) bytes[at] = (at * 167) & 0xff;
  bytes.set([0xfa, 0xf4, 0xeb, 0xfd], Elf64Header.size + Elf64Phdr.size);
  Elf64Header.write(bytes, 0, {
    e_ident: littleEndianIdent(),
    e_type: executable,
    e_machine: EM_X86_64,
    e_version: 1,
    e_entry: BigInt(Elf64Header.size + Elf64Phdr.size),
    e_phoff: BigInt(Elf64Header.size),
    e_ehsize: Elf64Header.size,
    e_phentsize: Elf64Phdr.size,
    e_phnum: 1,
  });
  const length = BigInt(size);
  Elf64Phdr.write(bytes, Elf64Header.size, {
    p_type: PT_LOAD,
    p_flags: 7,
    p_filesz: length,
    p_memsz: length,
    p_align: 4096n,
  });
  return bytes;
}

/** Code, digest and table; the digest is over the segments as they are in memory now. */
export function purgatoryBytes(machine: Machine, hashed: readonly Segment[]): Uint8Array {
  assert(hashed.length <= maxRegions, 'purgatory has a slot for each segment');
  const bytes = new Uint8Array(purgatorySize);
  for (let at = purgatoryEntry; at < purgatoryTable - digestSize; at++)
    bytes[at] = (at * 59) & 0xff;
  const memory = new PhysicalMemory(machine.memory);
  const total = hashed.reduce((sum, segment) => sum + segment.size, 0);
  const content = new Uint8Array(total);
  let at = 0;
  for (const [slot, { start, size }] of hashed.entries()) {
    content.set(memory.read(BigInt(start), size), at);
    at += size;
    bytes.set(u64Bytes(BigInt(start)), purgatoryTable + slot * 16);
    bytes.set(u64Bytes(BigInt(size)), purgatoryTable + slot * 16 + 8);
  }
  bytes.set(machine.sha256(content), purgatoryTable - digestSize);
  return bytes;
}
