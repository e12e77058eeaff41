/**
 * The program headers of an ELF vmcore, and what they mean where writers got them wrong: a number
 * that nobody wrote down, and memory of which only virtual addresses are told.
 */

import { attempt } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import type { Values } from '../../bytes/struct.ts';
import type { FindingKind } from '../inspection.ts';
import { maxRanges } from '../segments.ts';
import type { Architecture } from '../types.ts';
import {
  type Elf32Header,
  type Elf32Phdr,
  type Elf64Header,
  type Elf64Phdr,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from './layout.ts';

type HeaderValues = Values<typeof Elf32Header.fields> | Values<typeof Elf64Header.fields>;

/** What differs between the classes. */
export interface ElfClass {
  readonly bits: 32 | 64;
  readonly Phdr: typeof Elf32Phdr | typeof Elf64Phdr;
  header(source: Source): HeaderValues;
  offsetOf(field: 'e_phoff' | 'e_phentsize'): number;
  /** sh_info of section 0. */
  sectionInfo(source: Source, offset: number): number;
}

export interface ElfHeader {
  readonly architecture: Architecture;
  readonly flags: number;
  readonly phoff: number;
  readonly phnum: number;
  readonly shoff: number;
  readonly shnum: number;
}

export interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly virtual: bigint;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ProgramHeaders {
  readonly headers: readonly ProgramHeader[];
  /** What the file does not say, or not truly, and what was taken in its place. */
  readonly doubts: readonly Doubt[];
}

export interface Doubt {
  readonly kind: Exclude<FindingKind, 'cut'>;
  readonly message: string;
}

/** x86-64's physical addresses have 52 bits; what lies above is no memory (p_paddr -1 among it). */
export const physicalLimit = 2 ** 52;
/** The same -1 in 32 bits. */
const nowhere32 = 0xffffffff;

export function readProgramHeaders(
  source: Source,
  kind: ElfClass,
  header: ElfHeader,
): ProgramHeaders {
  const { phoff, phnum } = header;
  const told = phnum === PN_XNUM ? toldCount(source, kind, header) : phnum;
  const count = phnum === PN_XNUM ? trueCount(source, kind, header, told) : phnum;
  const { Phdr } = kind;
  const bytes = readExactly(source, phoff, count * Phdr.size, 'ELF program headers');
  const headers = Array.from({ length: count }, (_, index) =>
    headerOf(kind, Phdr.read(bytes, index * Phdr.size)),
  );
  const doubts: Doubt[] = [];
  if (count !== told) doubts.push({ kind: 'damage', message: countText(told, count) });
  const placed = kind.bits === 64 ? placedByVirtual(headers) : undefined;
  if (placed !== undefined) {
    const message = 'no segment has a physical address: they are taken from the virtual ones';
    doubts.push({ kind: 'remark', message });
  }
  return { headers: placed ?? headers, doubts };
}

function countText(told: number, count: number): string {
  const said = told === 0 ? 'no section says how many' : `section 0 says ${told}`;
  return `e_phnum has no place for the number of program headers and ${said}: there are ${count}`;
}

function headerOf(
  { bits }: ElfClass,
  phdr: Values<typeof Elf32Phdr.fields> | Values<typeof Elf64Phdr.fields>,
): ProgramHeader {
  const physical = sizeOf(phdr.p_paddr);
  return {
    type: phdr.p_type,
    offset: sizeOf(phdr.p_offset),
    virtual: BigInt(phdr.p_vaddr),
    physical: bits === 32 && physical === nowhere32 ? physicalLimit : physical,
    fileSize: sizeOf(phdr.p_filesz),
    memorySize: Math.max(sizeOf(phdr.p_memsz), sizeOf(phdr.p_filesz)),
  };
}

/** 0 where there is no section that could tell. */
function toldCount(source: Source, kind: ElfClass, { shoff }: ElfHeader): number {
  return shoff === 0 ? 0 : (attempt(() => kind.sectionInfo(source, shoff)) ?? 0);
}

/**
 * The number that section 0 tells, where that many headers fit before what they describe and there
 * are no more of them; else as many segments and notes as stand there.
 */
function trueCount(source: Source, kind: ElfClass, { phoff }: ElfHeader, told: number): number {
  const { size } = kind.Phdr;
  let room = Math.min(maxRanges, Math.floor((source.size - phoff) / size));
  let count = 0;
  for (; count < room; count++) {
    const bytes = source.read(phoff + count * size, size);
    const { type, offset, fileSize } = headerOf(kind, kind.Phdr.read(bytes, 0));
    if (type !== PT_LOAD && type !== PT_NOTE) break;
    const isBehind = fileSize > 0 && offset > phoff;
    if (isBehind) room = Math.min(room, Math.floor((offset - phoff) / size));
  }
  return told >= count && told <= room ? told : count;
}

/** __START_KERNEL_map: the kernel's image and modules, which the direct map has as well. */
const kernelMap = 0xffff_ffff_8000_0000n;
/** Where the kernel's half begins with five levels, and with four. */
const kernelHalf5 = 0xff00_0000_0000_0000n;
const kernelHalf4 = 0xffff_8000_0000_0000n;
/** KASLR moves the direct map by 1 GB, and no PC has its first memory above that. */
const directMapStep = 0x4000_0000n;

/**
 * The headers with physical addresses from the direct map, where they have none and their virtual
 * addresses are the kernel's: PAGE_OFFSET is the least of them, rounded down. What is in none of it
 * (the kernel's image, vmalloc, the list of struct pages) gets an address that is no memory.
 * undefined where there is nothing to place.
 *
 * Source: Documentation/arch/x86/x86_64/mm.rst: 64 TB of direct map with four levels, more than all
 * physical addresses with five; arch/x86/mm/kaslr.c. /proc/kcore had no physical addresses until
 * v4.11 (464920104bf7).
 */
function placedByVirtual(headers: readonly ProgramHeader[]): ProgramHeader[] | undefined {
  const loads = headers.filter(({ type }) => type === PT_LOAD);
  if (loads.some(({ physical }) => physical !== 0)) return undefined;
  const mapped = loads.filter(({ virtual }) => virtual >= kernelHalf5 && virtual < kernelMap);
  if (mapped.length === 0) return undefined;
  const least = mapped.reduce((low, { virtual }) => (virtual < low ? virtual : low), kernelMap);
  const base = least - (least % directMapStep);
  const limit = base + (base < kernelHalf4 ? BigInt(physicalLimit) : 2n ** 46n);
  const placed = headers.map((header) => {
    const { type, virtual } = header;
    if (type !== PT_LOAD) return header;
    const isMemory = virtual >= base && virtual < limit && virtual < kernelMap;
    return { ...header, physical: isMemory ? Number(virtual - base) : physicalLimit };
  });
  return placed.some(({ physical }, index) => physical !== headers[index]!.physical)
    ? placed
    : undefined;
}

/** A file offset or size as a number; what no file can hold becomes 2^53-1. */
export function sizeOf(value: bigint | number): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value);
}
