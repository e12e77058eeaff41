/**
 * Writes ELF64 vmcores of x86_64 in two styles, which crash and libkdumpfile tell apart:
 *
 * - `kdump`: as /proc/vmcore; p_align is 0. Where the caller knows it, the kernel's image has a
 *   segment of its own at the addresses of its text, over the same bytes as its RAM.
 * - `netdump`: p_align is the page size, a note names the panicking task, QEMU's are left out.
 *
 * Program headers stand at 64 (makedumpfile looks nowhere else), notes before the data (crash
 * looks nowhere else), p_vaddr is the direct map's where the caller knows it, else 0. A page that a
 * filter left out lies in the part of a segment that p_memsz has more than p_filesz; one that is
 * missing lies in none. Pages of zeros are holes of the file.
 *
 * The header says incomplete until all is written. Where pages turn out unreadable, it stays so,
 * and segments are cut around them, in room that is kept for more headers: when that is used up,
 * the rest of a segment with an unreadable page is given up.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Sink } from '../../bytes/sink.ts';
import { SparseAppender } from '../../bytes/sparse.ts';
import { latin1Bytes } from '../../bytes/text.ts';
import { type DumpContent, isCutShort, type WriteSummary } from '../content.ts';
import { encodeNotes, NoteHeader, NT_TASKSTRUCT, qemuName } from '../notes.ts';
import { type PageKind, type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import type { ElfNote, MemoryImage } from '../types.ts';
import {
  anyAccess,
  Elf64Header,
  Elf64Phdr,
  Elf64Shdr,
  EM_X86_64,
  ET_CORE,
  EV_CURRENT,
  flagIncomplete,
  littleEndianIdent,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from './layout.ts';

export interface ElfOptions {
  readonly style: 'kdump' | 'netdump';
}

const pieceBytes = 1024 * 1024;
/** Program headers that are kept free for segments cut at unreadable pages. */
const spareHeaders = 256;
const misalignment = 64;
/** Netdump wrote the name without its NUL, and there crash looks for the task behind it. */
const netdumpName = latin1Bytes('CORE');

/** Pages in a row that are in the file, then pages that are not. In PFNs. */
export interface Load {
  readonly first: number;
  /** One past the last page in the file. */
  readonly end: number;
  /** One past the last page that was filtered out. */
  readonly memoryEnd: number;
  /** File offset of the first page. */
  readonly offset: number;
}

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeElf(
  sink: Sink,
  content: DumpContent,
  options: ElfOptions & PageOptions,
): WriteSummary {
  return writePages(elfWriter(sink, content, options), content.image, options);
}

export function elfWriter(sink: Sink, content: DumpContent, options: ElfOptions): PageWriter {
  const { image, architecture = 'x86_64' } = content;
  if (architecture !== 'x86_64') {
    throw new DumpError('unsupported', `an ELF vmcore of ${architecture} is not written`, {
      hint: 'LKCD and diskdump are',
    });
  }
  const notes = elfNotes(content, options);
  const room = countLoads(image) + spareHeaders;
  const notesAt = Elf64Header.size + (room + 2) * Elf64Phdr.size + Elf64Shdr.size;
  const dataAt = dataOffset(notesAt + notes.length, image.pageSize, options);
  const place = { notesAt, notesSize: notes.length };
  const plan = [...planLoads(image, dataAt)];
  const finishHeaders = (loads: readonly Load[], flags: number): void =>
    writeHeaders(sink, content, options, place, loads, flags);
  const flagsOf = (counts: Pick<WriteSummary, 'unreadable'>): number =>
    isCutShort(content, counts) ? flagIncomplete : 0;
  const first = sink.isPipe === true ? flagsOf({ unreadable: 0 }) : flagIncomplete;
  finishHeaders(plan, first);
  sink.write(notesAt, notes);
  const data = new SparseAppender(sink, notesAt + notes.length, pieceBytes);
  data.skipTo(dataAt);
  const loads = new Loads(plan, room, image.pageSize);
  return {
    compression: 'none',
    zeros: 'apart',
    due: plan,
    add(pfn, kind, bytes) {
      const offset = loads.placeOf(pfn, kind);
      if (offset === undefined) return false;
      data.skipTo(offset);
      if (kind === 'zero') data.appendZeros(image.pageSize);
      else data.append(bytes);
      return true;
    },
    finish(counts) {
      data.flush();
      const written = loads.end();
      const last = flagsOf(counts);
      if (counts.unreadable > 0 || last !== first) finishHeaders(written, last);
      return { bytes: data.offset, ...counts };
    },
  };
}

/**
 * Netdump's segments are aligned. Those of kdump style are not, as makedumpfile writes them: what
 * is aligned it maps into its memory, and dies (1.7.2) where an excluded tail follows.
 */
function dataOffset(from: number, pageSize: number, { style }: ElfOptions): number {
  if (style === 'netdump') return Math.ceil(from / pageSize) * pageSize;
  const near = Math.ceil(from / misalignment) * misalignment;
  return near % pageSize === 0 ? near + misalignment : near;
}

export function elfNotes(
  { notes, panic }: Pick<DumpContent, 'notes' | 'panic'>,
  { style }: ElfOptions,
): Uint8Array {
  if (style === 'kdump') return encodeNotes(notes);
  const isTask = ({ name, type }: ElfNote): boolean => name === 'CORE' && type === NT_TASKSTRUCT;
  // crash takes a file with QEMU's notes for one of kdump style, and dies where it is not.
  const others = encodeNotes(notes.filter((note) => note.name !== qemuName && !isTask(note)));
  const task = notes.find(isTask)?.desc ?? taskWord(panic?.task);
  if (task === undefined) return others;
  const bytes = new Uint8Array(others.length + NoteHeader.size + netdumpName.length + task.length);
  bytes.set(others);
  const header = { n_namesz: netdumpName.length, n_descsz: task.length, n_type: NT_TASKSTRUCT };
  NoteHeader.write(bytes, others.length, header);
  bytes.set(netdumpName, others.length + NoteHeader.size);
  bytes.set(task, others.length + NoteHeader.size + netdumpName.length);
  return bytes;
}

function taskWord(task: bigint | undefined): Uint8Array | undefined {
  if (task === undefined) return undefined;
  const word = new Uint8Array(8);
  new DataView(word.buffer).setBigUint64(0, task, true);
  return word;
}

function* planLoads(image: MemoryImage, dataAt: number): Generator<Load> {
  let load: Load = { first: 0, end: 0, memoryEnd: 0, offset: dataAt };
  for (const { first, end, state } of image.runs()) {
    if (state === 'missing' || state === 'damaged') continue;
    const isKept = state === 'stored' || state === 'zero';
    const next = load.offset + (load.end - load.first) * image.pageSize;
    if (load.memoryEnd !== first || (isKept && load.memoryEnd > load.end)) {
      if (load.memoryEnd > load.first) yield load;
      load = { first, end: first, memoryEnd: first, offset: next };
    }
    load = { ...load, end: isKept ? end : load.end, memoryEnd: end };
  }
  if (load.memoryEnd > load.first) yield load;
}

function countLoads(image: MemoryImage): number {
  let count = 0;
  for (const _ of planLoads(image, 0)) count++;
  return count;
}

/** Loads as they are written: cut around the pages that turn out unreadable. */
class Loads {
  readonly #plan: readonly Load[];
  readonly #room: number;
  readonly #pageSize: number;
  readonly #written: Load[] = [];
  /** The load that is being written, and its first page that no written one has. */
  #index = 0;
  #first: number;
  #isGivenUp = false;

  constructor(plan: readonly Load[], room: number, pageSize: number) {
    this.#plan = plan;
    this.#room = room;
    this.#pageSize = pageSize;
    this.#first = plan[0]?.first ?? 0;
  }

  /** The file offset of the next page; undefined for one that is not to be in the file. */
  placeOf(pfn: number, kind: PageKind): number | undefined {
    while (pfn >= this.#plan[this.#index]!.end) this.#leave();
    const load = this.#plan[this.#index]!;
    if (kind === 'lost' && !this.#isGivenUp) {
      this.#close(pfn, pfn);
      // One for what comes next of this load, and one for each that follows.
      const behind = this.#plan.length - this.#index - 1;
      this.#isGivenUp = this.#written.length + 2 + behind > this.#room;
      this.#first = this.#isGivenUp ? load.end : pfn + 1;
    }
    if (kind === 'lost' || this.#isGivenUp) return undefined;
    return load.offset + (pfn - load.first) * this.#pageSize;
  }

  end(): readonly Load[] {
    while (this.#index < this.#plan.length) this.#leave();
    return this.#written;
  }

  #leave(): void {
    const { end, memoryEnd } = this.#plan[this.#index]!;
    this.#close(end, memoryEnd);
    this.#index++;
    this.#first = this.#plan[this.#index]?.first ?? 0;
    this.#isGivenUp = false;
  }

  #close(end: number, memoryEnd: number): void {
    const load = this.#plan[this.#index]!;
    const first = this.#first;
    if (memoryEnd === first) return;
    const offset = load.offset + (first - load.first) * this.#pageSize;
    this.#written.push({ first, end, memoryEnd, offset });
  }
}

interface Place {
  readonly notesAt: number;
  readonly notesSize: number;
}

/** What stands before the notes. */
export interface ElfHeaders extends ElfOptions, Place {
  readonly directMap: bigint | undefined;
  readonly pageSize: number;
  readonly loads: readonly Load[];
  /** Of the ELF header: `flagIncomplete` or 0. */
  readonly flags: number;
}

function writeHeaders(
  sink: Sink,
  content: DumpContent,
  options: ElfOptions,
  place: Place,
  loads: readonly Load[],
  flags: number,
): void {
  const bytes = new Uint8Array(place.notesAt);
  const kernel = kernelHeader(content, options, loads);
  const { directMap } = content;
  const { pageSize } = content.image;
  bytes.set(elfHeaders({ ...options, ...place, directMap, pageSize, loads, flags }, kernel));
  sink.write(0, bytes);
}

type ProgramHeader = Parameters<typeof Elf64Phdr.encode>[0];

/** ELF header and program headers; where there are many, all up to the notes. */
export function elfHeaders(
  { style, notesAt, notesSize, directMap, pageSize, loads, flags }: ElfHeaders,
  kernel?: ProgramHeader,
): Uint8Array {
  const count = 1 + (kernel === undefined ? 0 : 1) + loads.length;
  const hasMany = count >= PN_XNUM;
  const sectionAt = notesAt - Elf64Shdr.size;
  const end = Elf64Header.size + count * Elf64Phdr.size;
  const bytes = new Uint8Array(hasMany ? notesAt : end);
  Elf64Header.write(bytes, 0, {
    e_ident: littleEndianIdent(),
    e_type: ET_CORE,
    e_machine: EM_X86_64,
    e_version: EV_CURRENT,
    e_phoff: BigInt(Elf64Header.size),
    e_flags: flags,
    e_ehsize: Elf64Header.size,
    e_phentsize: Elf64Phdr.size,
    e_phnum: hasMany ? PN_XNUM : count,
    ...(hasMany
      ? { e_shoff: BigInt(sectionAt), e_shnum: 1, e_shentsize: Elf64Shdr.size }
      : undefined),
  });
  if (hasMany) Elf64Shdr.write(bytes, sectionAt, { sh_size: 1n, sh_info: count });
  let at = Elf64Header.size;
  const put = (values: ProgramHeader): void => {
    Elf64Phdr.write(bytes, at, values);
    at += Elf64Phdr.size;
  };
  const size = BigInt(notesSize);
  put({ p_type: PT_NOTE, p_offset: BigInt(notesAt), p_filesz: size, p_memsz: size });
  if (kernel !== undefined) put(kernel);
  for (const { first, end, memoryEnd, offset } of loads) {
    const physical = BigInt(first) * BigInt(pageSize);
    put({
      p_type: PT_LOAD,
      p_flags: anyAccess,
      p_offset: BigInt(offset),
      p_vaddr: directMap === undefined ? 0n : directMap + physical,
      p_paddr: physical,
      p_filesz: BigInt((end - first) * pageSize),
      p_memsz: BigInt((memoryEnd - first) * pageSize),
      p_align: style === 'netdump' ? BigInt(pageSize) : 0n,
    });
  }
  return bytes;
}

/** Undefined where the image is not in one segment, or not known. */
function kernelHeader(
  { kernel, image }: DumpContent,
  { style }: ElfOptions,
  loads: readonly Load[],
): ProgramHeader | undefined {
  if (kernel === undefined || style === 'netdump') return undefined;
  const { pageSize } = image;
  const { virtual, physical, size } = kernel;
  const holder = loads.find(({ first, end }) => {
    return physical >= first * pageSize && physical + size <= end * pageSize;
  });
  if (holder === undefined) return undefined;
  return {
    p_type: PT_LOAD,
    p_flags: anyAccess,
    p_offset: BigInt(holder.offset + physical - holder.first * pageSize),
    p_vaddr: virtual,
    p_paddr: BigInt(physical),
    p_filesz: BigInt(size),
    p_memsz: BigInt(size),
    p_align: 0n,
  };
}
