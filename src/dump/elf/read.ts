/**
 * Reads ELF vmcores of x86_64 and i386, whoever wrote them: /proc/vmcore, netdump, QEMU (with and
 * without paging), makedumpfile -E. Opening reads the headers and the notes.
 *
 * p_vaddr counts only where no segment has a physical address: page tables say the same, and QEMU's
 * paging dumps put anything there.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Source } from '../../bytes/source.ts';
import { readStruct } from '../../bytes/struct.ts';
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
import type { ElfNote } from '../types.ts';
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
  PT_LOAD,
  PT_NOTE,
} from './layout.ts';
import {
  type ElfClass,
  type ElfHeader,
  type ProgramHeader,
  physicalLimit,
  readProgramHeaders,
  sizeOf,
} from './program-headers.ts';

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

const defaultPageSize = 4096;

export async function openElf(source: Source, _context: OpenContext): Promise<OpenedFile> {
  const kind = classOf(source);
  const header = readHeader(source, kind);
  const { headers: phdrs } = readProgramHeaders(source, kind, header);
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

export function readHeader(source: Source, kind: ElfClass): ElfHeader {
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
function refuseXen(source: Source, header: ElfHeader, notes: readonly ElfNote[]): void {
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

function pageSizeOf(vmcoreinfo: string | undefined): number {
  const stated = Number(/^PAGESIZE=(\d+)$/m.exec(vmcoreinfo ?? '')?.[1]);
  return [4096, 16384, 65536].includes(stated) ? stated : defaultPageSize;
}
