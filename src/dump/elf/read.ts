/** Reads ELF64 vmcores of x86_64. Opening reads the headers and the notes. */

import { DumpError } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { plural } from '../../bytes/text.ts';
import type { OpenContext, OpenedFile, PageReader } from '../format.ts';
import { cpuStatesOf, maxNotes, maxNotesSize, parseNotes, vmcoreinfoOf } from '../notes.ts';
import type { ElfNote, Page, PageRun, PageState } from '../types.ts';
import {
  ELFCLASS64,
  ELFDATA2LSB,
  Elf64Header,
  Elf64Phdr,
  Elf64Shdr,
  ElfIdent,
  EM_X86_64,
  ET_CORE,
  flagIncomplete,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from './layout.ts';
import { type Piece, type Segment, SegmentMap } from './segments.ts';

type Header = Values<typeof Elf64Header.fields>;
type Phdr = Values<typeof Elf64Phdr.fields>;

/** x86-64's physical addresses have 52 bits; what lies above is no memory (p_paddr -1 among it). */
const physicalLimit = 1n << 52n;
const defaultPageSize = 4096;

export async function openElf(source: Source, _context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const phdrs = readProgramHeaders(source, header);
  const problems: string[] = [];
  const notes = readNotes(source, phdrs, problems);
  const vmcoreinfo = vmcoreinfoOf(notes);
  const pageSize = pageSizeOf(vmcoreinfo);
  const segments = segmentsOf(source, phdrs);
  if ((header.e_flags & flagIncomplete) !== 0) problems.push('the header says incomplete');
  const needed = segments.reduce(
    (most, { offset, fileSize }) => Math.max(most, fileSize > 0 ? offset + fileSize : 0),
    0,
  );
  if (needed > source.size) {
    problems.push(`the file is cut at ${source.size} bytes, its segments need ${needed}`);
  }
  const time = /^CRASHTIME=(\d+)$/m.exec(vmcoreinfo ?? '')?.[1];
  return {
    facts: {
      format: 'elf',
      description: `ELF64 vmcore, ${plural(segments.length, 'segment')}`,
      architecture: 'x86_64',
      uts: undefined,
      time: time === undefined ? undefined : Number(time),
      notes,
      cpus: cpuStatesOf(notes),
      vmcoreinfo,
      panic: undefined,
      level: undefined,
    },
    pages: new ElfPages(source, new SegmentMap(segments, source.size, pageSize), problems),
  };
}

function readHeader(source: Source): Header {
  const ident = readStruct(source, 0, ElfIdent);
  const whereOf = (offset: number) => ({ file: source.name, offset });
  if (ident.ei_class !== ELFCLASS64 || ident.ei_data !== ELFDATA2LSB) {
    throw new DumpError('unsupported', 'an ELF file that is not 64-bit little endian', {
      where: whereOf(ElfIdent.offsetOf('ei_class')),
      hint: 'only x86_64 dumps are read',
    });
  }
  const header = readStruct(source, 0, Elf64Header);
  if (header.e_type !== ET_CORE) {
    throw new DumpError('unsupported', 'an ELF file that is not a core dump', {
      where: whereOf(Elf64Header.offsetOf('e_type')),
      hint: 'a vmlinux or a program? Name the dump itself: nothing else is needed',
    });
  }
  if (header.e_machine !== EM_X86_64) {
    throw new DumpError('unsupported', `an ELF dump of machine type ${header.e_machine}`, {
      where: whereOf(Elf64Header.offsetOf('e_machine')),
      hint: 'only x86_64 dumps are read',
    });
  }
  if (header.e_phentsize !== Elf64Phdr.size) {
    throw new DumpError('corrupt', `ELF program headers of ${header.e_phentsize} bytes`, {
      where: whereOf(Elf64Header.offsetOf('e_phentsize')),
    });
  }
  return header;
}

function readProgramHeaders(source: Source, header: Header): Phdr[] {
  let count = header.e_phnum;
  if (count === PN_XNUM) count = readStruct(source, sizeOf(header.e_shoff), Elf64Shdr).sh_info;
  const offset = sizeOf(header.e_phoff);
  const bytes = readExactly(source, offset, count * Elf64Phdr.size, 'ELF program headers');
  const phdrs: Phdr[] = [];
  for (let index = 0; index < count; index++) {
    phdrs.push(Elf64Phdr.read(bytes, index * Elf64Phdr.size));
  }
  return phdrs;
}

/** Damaged notes do not lose the memory: the problem is said, the rest is read. */
function readNotes(source: Source, phdrs: readonly Phdr[], problems: string[]): ElfNote[] {
  const all: ElfNote[] = [];
  let left = maxNotesSize;
  for (const { p_type, p_offset, p_filesz } of phdrs) {
    if (p_type !== PT_NOTE) continue;
    const offset = sizeOf(p_offset);
    const size = sizeOf(p_filesz);
    const there = Math.max(0, Math.min(size, left, source.size - offset));
    left -= there;
    const { notes, problem } = parseNotes(source.read(offset, there), maxNotes - all.length);
    all.push(...notes);
    const cut = there < size ? `${size - there} of ${size} bytes cannot be read` : undefined;
    const reason = problem ?? cut;
    if (reason !== undefined) problems.push(`ELF notes at offset ${offset}: ${reason}`);
  }
  return all;
}

function segmentsOf(source: Source, phdrs: readonly Phdr[]): Segment[] {
  const segments = phdrs
    .filter(({ p_type, p_paddr, p_memsz, p_filesz }) => {
      const size = p_memsz > p_filesz ? p_memsz : p_filesz;
      return p_type === PT_LOAD && p_paddr < physicalLimit && size <= physicalLimit;
    })
    .map(({ p_offset, p_paddr, p_filesz, p_memsz }) => ({
      offset: sizeOf(p_offset),
      physical: Number(p_paddr),
      fileSize: Number(p_filesz),
      memorySize: Number(p_memsz > p_filesz ? p_memsz : p_filesz),
    }));
  if (segments.length === 0) {
    throw new DumpError('corrupt', 'an ELF core without memory: no usable PT_LOAD segment', {
      where: { file: source.name, offset: Elf64Header.offsetOf('e_phoff') },
    });
  }
  return segments;
}

/** A 64-bit file offset or size as a number; what no file can hold becomes 2^53-1. */
function sizeOf(value: bigint): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value);
}

function pageSizeOf(vmcoreinfo: string | undefined): number {
  const stated = Number(/^PAGESIZE=(\d+)$/m.exec(vmcoreinfo ?? '')?.[1]);
  return [4096, 16384, 65536].includes(stated) ? stated : defaultPageSize;
}

class ElfPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly incomplete: string | undefined;
  readonly #source: Source;
  readonly #map: SegmentMap;

  constructor(source: Source, map: SegmentMap, problems: readonly string[]) {
    this.pageSize = map.pageSize;
    this.endPfn = map.endPfn;
    this.incomplete = problems.length === 0 ? undefined : problems.join('; ');
    this.#source = source;
    this.#map = map;
  }

  state(pfn: number): PageState {
    return this.#map.state(pfn);
  }

  runs(): Iterable<PageRun> {
    return this.#map.runs();
  }

  load(pfn: number): Page {
    const pieces = this.#map.piecesOf(pfn);
    const cut = pieces.find(({ state }) => state === 'missing');
    if (cut !== undefined) return this.#cutPage(pfn, cut);
    const stored = pieces.filter(({ state }) => state === 'stored');
    if (stored.length === 0) {
      return { state: pieces.length > 0 ? 'excluded' : 'missing', bytes: undefined };
    }
    try {
      return this.#assemble(stored);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const problem = new DumpError(error.code, error.message, {
        where: { pfn, ...error.where },
        cause: error.cause,
      });
      return { state: 'damaged', bytes: undefined, problem };
    }
  }

  #assemble(stored: readonly Piece[]): Page {
    const bytes = new Uint8Array(this.pageSize);
    let present = { start: 0, end: 0 };
    let at = { start: 0, end: 0 };
    for (const { start, end, offset } of stored) {
      bytes.set(readExactly(this.#source, offset, end - start, 'page'), start);
      at = start === at.end ? { start: at.start, end } : { start, end };
      if (at.end - at.start > present.end - present.start) present = at;
    }
    if (present.end - present.start === this.pageSize) return { state: 'stored', bytes };
    // One range is all that Page can say: of several, the longest.
    bytes.fill(0, 0, present.start);
    bytes.fill(0, present.end);
    return { state: 'stored', bytes, present };
  }

  #cutPage(pfn: number, { offset }: Piece): Page {
    const problem = new DumpError('truncated', 'page lies past the end of the file', {
      where: { file: this.#source.name, offset, pfn },
      hint: 'the pages before the cut can be read',
    });
    return { state: 'missing', bytes: undefined, problem };
  }
}
