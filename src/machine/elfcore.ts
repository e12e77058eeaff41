/**
 * elfcorehdr: the ELF header that a crash kernel is handed, telling where the crashed kernel's
 * notes and RAM lie. Offsets are physical addresses; /proc/vmcore is built from it.
 * Source: kernel/crash_core.c crash_prepare_elf64_headers(), fs/proc/vmcore.c.
 */

import { DumpError } from '../bytes/errors.ts';
import { latin1 } from '../bytes/text.ts';
import {
  ELFCLASS64,
  Elf64Header,
  Elf64Phdr,
  ElfIdent,
  EM_X86_64,
  ET_CORE,
  littleEndianIdent,
  magic,
  PT_LOAD,
  PT_NOTE,
} from '../dump/elf/layout.ts';
import type { PhysicalRange } from './ram.ts';

/** RAM of the crashed kernel; physical bytes. */
export interface OldRam extends PhysicalRange {
  /** Where it is read, if that is elsewhere: a copy that was made before it was overwritten. */
  readonly readAt?: number;
}

export interface ElfCore {
  /** Where each CPU's and VMCOREINFO's notes are written. */
  readonly notes: readonly PhysicalRange[];
  readonly kernelText: { readonly virtual: bigint; readonly range: PhysicalRange } | undefined;
  readonly ram: readonly OldRam[];
}

export function encodeElfCore(core: ElfCore, toVirtual: (physical: bigint) => bigint): Uint8Array {
  const headers = [
    ...core.notes.map((range) => header(PT_NOTE, range, 0n)),
    ...(core.kernelText === undefined
      ? []
      : [header(PT_LOAD, core.kernelText.range, core.kernelText.virtual)]),
    ...core.ram.map((range) => ({
      ...header(PT_LOAD, range, toVirtual(BigInt(range.start))),
      p_offset: BigInt(range.readAt ?? range.start),
    })),
  ];
  const bytes = new Uint8Array(Elf64Header.size + headers.length * Elf64Phdr.size);
  Elf64Header.write(bytes, 0, {
    e_ident: littleEndianIdent(),
    e_type: ET_CORE,
    e_machine: EM_X86_64,
    e_version: 1,
    e_phoff: BigInt(Elf64Header.size),
    e_ehsize: Elf64Header.size,
    e_phentsize: Elf64Phdr.size,
    e_phnum: headers.length,
  });
  for (const [index, values] of headers.entries()) {
    Elf64Phdr.write(bytes, Elf64Header.size + index * Elf64Phdr.size, values);
  }
  return bytes;
}

/** As the crash kernel parses it; DumpError `corrupt` where it would refuse it. */
export function decodeElfCore(bytes: Uint8Array): ElfCore {
  if (!isElfCore(bytes)) throw new DumpError('corrupt', 'elfcorehdr is no ELF core header');
  const { e_phoff, e_phnum } = Elf64Header.read(bytes);
  const first = Number(e_phoff);
  if (first + e_phnum * Elf64Phdr.size > bytes.length) {
    throw new DumpError('corrupt', `elfcorehdr has ${e_phnum} headers and no room for them`);
  }
  const notes: PhysicalRange[] = [];
  const ram: OldRam[] = [];
  for (let index = 0; index < e_phnum; index++) {
    const program = Elf64Phdr.read(bytes, first + index * Elf64Phdr.size);
    const readAt = Number(program.p_offset);
    const size = Number(program.p_memsz);
    if (program.p_type === PT_NOTE) notes.push({ start: readAt, end: readAt + size });
    if (program.p_type !== PT_LOAD) continue;
    const start = Number(program.p_paddr);
    ram.push({ start, end: start + size, ...(readAt === start ? {} : { readAt }) });
  }
  return { notes, kernelText: undefined, ram };
}

/** What parse_crash_elf64_headers() insists on; it reads nothing else of the header. */
export function isElfCore(bytes: Uint8Array): boolean {
  if (bytes.length < Elf64Header.size || latin1(bytes.subarray(0, 4)) !== magic) return false;
  const ident = ElfIdent.read(bytes);
  const header = Elf64Header.read(bytes);
  return (
    ident.ei_class === ELFCLASS64 &&
    ident.ei_version === 1 &&
    header.e_type === ET_CORE &&
    header.e_machine === EM_X86_64 &&
    header.e_version === 1 &&
    header.e_ehsize === Elf64Header.size &&
    header.e_phentsize === Elf64Phdr.size &&
    header.e_phnum > 0
  );
}

function header(type: number, range: PhysicalRange, virtual: bigint) {
  const size = BigInt(range.end - range.start);
  return {
    p_type: type,
    p_flags: type === PT_LOAD ? 7 : 0,
    p_offset: BigInt(range.start),
    p_vaddr: virtual,
    p_paddr: BigInt(range.start),
    p_filesz: size,
    p_memsz: size,
  };
}
