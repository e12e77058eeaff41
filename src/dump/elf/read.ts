/**
 * Reads ELF vmcores of x86_64 and i386, whoever wrote them: /proc/vmcore, netdump, QEMU (with and
 * without paging), makedumpfile -E. Opening reads the headers and the notes.
 *
 * p_vaddr is not looked at: page tables say the same, and QEMU's paging dumps put anything there.
 */

import { DumpError } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { plural } from '../../bytes/text.ts';
import type { OpenContext, OpenedFile } from '../format.ts';
import {
  cpuStatesOf,
  maxNotes,
  maxNotesSize,
  panicTaskOf,
  parseNotes,
  vmcoreinfoOf,
} from '../notes.ts';
import { segmentPages } from '../segment-pages.ts';
import type { Segment } from '../segments.ts';
import type { Architecture, ElfNote } from '../types.ts';
import {
  ELFCLASS32,
  ELFCLASS64,
  ELFDATA2LSB,
  Elf32Header,
  Elf32Phdr,
  Elf32Shdr,
  Elf64Header,
  Elf64Phdr,
  Elf64Shdr,
  ElfIdent,
  EM_386,
  EM_X86_64,
  ET_CORE,
  flagIncomplete,
  machineNames,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from './layout.ts';

/** What differs between the classes. */
export interface ElfClass {
  readonly bits: 32 | 64;
  readonly Phdr: typeof Elf32Phdr | typeof Elf64Phdr;
  header(source: Source): HeaderValues;
  offsetOf(field: 'e_phoff' | 'e_phentsize'): number;
  /** sh_info of section 0. */
  sectionInfo(source: Source, offset: number): number;
}

type HeaderValues = Values<typeof Elf32Header.fields> | Values<typeof Elf64Header.fields>;

const elf32: ElfClass = {
  bits: 32,
  Phdr: Elf32Phdr,
  offsetOf: Elf32Header.offsetOf,
  header: (source) => readStruct(source, 0, Elf32Header),
  sectionInfo: (source, offset) => readStruct(source, offset, Elf32Shdr).sh_info,
};

const elf64: ElfClass = {
  bits: 64,
  Phdr: Elf64Phdr,
  offsetOf: Elf64Header.offsetOf,
  header: (source) => readStruct(source, 0, Elf64Header),
  sectionInfo: (source, offset) => readStruct(source, offset, Elf64Shdr).sh_info,
};

/** x86-64's physical addresses have 52 bits; what lies above is no memory (p_paddr -1 among it). */
const physicalLimit = 2 ** 52;
/** The same -1 in 32 bits. */
const nowhere32 = 0xffffffff;
const defaultPageSize = 4096;

export async function openElf(source: Source, _context: OpenContext): Promise<OpenedFile> {
  const kind = classOf(source);
  const header = readHeader(source, kind);
  const phdrs = readProgramHeaders(source, kind, header);
  const problems: string[] = [];
  const notes = readNotes(source, phdrs, problems);
  refuseXen(source, header, notes);
  const vmcoreinfo = vmcoreinfoOf(notes);
  const segments = segmentsOf(source, kind, phdrs);
  if ((header.flags & flagIncomplete) !== 0) problems.push('the header says incomplete');
  const task = panicTaskOf(notes, header.architecture);
  const time = /^CRASHTIME=(\d+)$/m.exec(vmcoreinfo ?? '')?.[1];
  const machine = header.architecture === 'i386' ? ' of i386' : '';
  const count = plural(segments.length, 'segment');
  const style = task === undefined ? '' : 'netdump style, ';
  return {
    facts: {
      format: 'elf',
      description: `ELF${kind.bits} vmcore${machine}, ${style}${count}`,
      architecture: header.architecture,
      uts: undefined,
      time: time === undefined ? undefined : Number(time),
      notes,
      cpus: cpuStatesOf(notes, header.architecture),
      vmcoreinfo,
      panic: task === undefined ? undefined : { message: '', task },
      level: undefined,
    },
    pages: segmentPages(source, segments, pageSizeOf(vmcoreinfo), problems),
  };
}

export function classOf(source: Source): ElfClass {
  const ident = readStruct(source, 0, ElfIdent);
  const where = { file: source.name, offset: ElfIdent.offsetOf('ei_class') };
  if (ident.ei_data !== ELFDATA2LSB) {
    throw new DumpError('unsupported', 'an ELF file that is not little endian', {
      where,
      hint: 'only x86 dumps are read; crash built for its machine may',
    });
  }
  if (ident.ei_class === ELFCLASS64) return elf64;
  if (ident.ei_class === ELFCLASS32) return elf32;
  throw new DumpError('corrupt', `ELF header: class ${ident.ei_class}`, { where });
}

interface Header {
  readonly architecture: Architecture;
  readonly flags: number;
  readonly phoff: number;
  readonly phnum: number;
  readonly shoff: number;
  readonly shnum: number;
}

export function readHeader(source: Source, kind: ElfClass): Header {
  const header = kind.header(source);
  const whereOf = (offset: number) => ({ file: source.name, offset });
  if (header.e_type !== ET_CORE) {
    throw new DumpError('unsupported', 'an ELF file that is not a core dump', {
      where: whereOf(Elf64Header.offsetOf('e_type')),
      hint: 'a vmlinux or a program? Name the dump itself: nothing else is needed',
    });
  }
  if (header.e_machine !== EM_X86_64 && header.e_machine !== EM_386) {
    const name = machineNames.get(header.e_machine) ?? `type ${header.e_machine}`;
    throw new DumpError('unsupported', `an ELF dump of machine ${name}`, {
      where: whereOf(Elf64Header.offsetOf('e_machine')),
      hint: 'only x86 dumps are read; crash built for that machine may',
    });
  }
  if (header.e_phnum > 0 && header.e_phentsize !== kind.Phdr.size) {
    throw new DumpError('corrupt', `ELF program headers of ${header.e_phentsize} bytes`, {
      where: whereOf(kind.offsetOf('e_phentsize')),
    });
  }
  return {
    architecture: header.e_machine === EM_386 ? 'i386' : 'x86_64',
    flags: header.e_flags,
    phoff: sizeOf(header.e_phoff),
    phnum: header.e_phnum,
    shoff: sizeOf(header.e_shoff),
    shnum: header.e_shnum,
  };
}

export interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export function readProgramHeaders(
  source: Source,
  kind: ElfClass,
  header: Header,
): ProgramHeader[] {
  let count = header.phnum;
  if (count === PN_XNUM) count = kind.sectionInfo(source, header.shoff);
  const { Phdr } = kind;
  const bytes = readExactly(source, header.phoff, count * Phdr.size, 'ELF program headers');
  const phdrs: ProgramHeader[] = [];
  for (let index = 0; index < count; index++) {
    const phdr = Phdr.read(bytes, index * Phdr.size);
    const physical = sizeOf(phdr.p_paddr);
    phdrs.push({
      type: phdr.p_type,
      offset: sizeOf(phdr.p_offset),
      physical: kind.bits === 32 && physical === nowhere32 ? physicalLimit : physical,
      fileSize: sizeOf(phdr.p_filesz),
      memorySize: Math.max(sizeOf(phdr.p_memsz), sizeOf(phdr.p_filesz)),
    });
  }
  return phdrs;
}

/** Damaged notes do not lose the memory: the problem is said, the rest is read. */
function readNotes(
  source: Source,
  phdrs: readonly ProgramHeader[],
  problems: string[],
): readonly ElfNote[] {
  const all: ElfNote[] = [];
  // Headers that name the same notes again and again make no more of them than the file has.
  let left = Math.min(maxNotesSize, source.size);
  for (const { type, offset, fileSize } of phdrs) {
    if (type !== PT_NOTE) continue;
    const there = Math.max(0, Math.min(fileSize, left, source.size - offset));
    left -= there;
    const { notes, problem } = parseNotes(source.read(offset, there), maxNotes - all.length);
    all.push(...notes);
    const lost = fileSize - there;
    const cut = lost > 0 ? `${lost} of ${fileSize} bytes cannot be read` : undefined;
    const reason = problem ?? cut;
    if (reason !== undefined) problems.push(`ELF notes at offset ${offset}: ${reason}`);
  }
  return all;
}

/**
 * A core of one domain has sections and no program headers; a kdump of a whole Xen machine has
 * Xen's notes, and its memory is the machine's, of which no kernel in it knows the addresses.
 */
function refuseXen(source: Source, header: Header, notes: readonly ElfNote[]): void {
  const isDomain = header.phnum === 0 && header.shnum > 1;
  if (!isDomain && !notes.some(({ name }) => name === 'Xen')) return;
  const what = isDomain ? 'a core of a Xen domain (xm or xl dump-core)' : 'a dump of a Xen machine';
  throw new DumpError('unsupported', what, {
    where: { file: source.name, offset: header.phoff },
    hint: 'open it with crash; makedumpfile -X -E makes a dump of domain 0 alone',
  });
}

function segmentsOf(source: Source, kind: ElfClass, phdrs: readonly ProgramHeader[]): Segment[] {
  const segments = phdrs.filter(({ type, physical, memorySize }) => {
    return type === PT_LOAD && physical < physicalLimit && memorySize <= physicalLimit;
  });
  if (segments.length === 0) {
    throw new DumpError('corrupt', 'an ELF core without memory: no usable PT_LOAD segment', {
      where: { file: source.name, offset: kind.offsetOf('e_phoff') },
    });
  }
  return segments;
}

/** A file offset or size as a number; what no file can hold becomes 2^53-1. */
function sizeOf(value: bigint | number): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value);
}

function pageSizeOf(vmcoreinfo: string | undefined): number {
  const stated = Number(/^PAGESIZE=(\d+)$/m.exec(vmcoreinfo ?? '')?.[1]);
  return [4096, 16384, 65536].includes(stated) ? stated : defaultPageSize;
}
