/**
 * What a dump is to the rooms above: memory by page with provenance, and what the format knows.
 * A reader never invents zeros for a page that is not there.
 */

import type { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';

/**
 * `stored`: the bytes are here. `zero`: the page is known to be all zeros. `excluded`: a filter
 * left it out on purpose. `missing`: it should be here and is not (cut file, hole, no such RAM).
 * `damaged`: what is here cannot be decoded.
 */
export type PageState = 'stored' | 'zero' | 'excluded' | 'missing' | 'damaged';

export interface PfnRange {
  readonly first: number;
  /** One past the last. */
  readonly end: number;
}

export interface PageRun extends PfnRange {
  readonly state: PageState;
}

export interface Page {
  readonly state: PageState;
  /** The whole page for `stored` and `zero`, read-only; undefined for the other states. */
  readonly bytes: Uint8Array | undefined;
  /** Only for a page at a fractional edge of RAM: the bytes that are really there. */
  readonly present?: { readonly start: number; readonly end: number };
  /** Why there are no bytes, with the place in the file. */
  readonly problem?: DumpError;
}

/** Told of what somebody reads of a memory, and as what. */
export interface AccessWatcher {
  /** Bytes of one page: an entry of a page table, or anything else. */
  onRead(pfn: number, start: number, end: number, as: 'page table' | 'data'): void;
  /** A virtual address was looked at as an object of this type. */
  onObject(type: string, address: bigint): void;
  /** A lock was looked at. */
  onLock(name: string, address: bigint): void;
  /** A CPU executes a function: what is read until it is done is code. */
  onExecute(name: string): void;
  onExecuted(): void;
}

/** Physical memory by page frame number (PFN). */
export interface MemoryImage {
  readonly name: string;
  readonly pageSize: number;
  /** One past the highest PFN that the image knows of. */
  readonly endPfn: number;
  /** Undefined: nobody wants to know. */
  readonly watcher?: AccessWatcher | undefined;
  /** From the index alone, without reading contents: never `damaged`. */
  state(pfn: number): PageState;
  readPage(pfn: number): Page;
  /** As readPage, for who looks at each page once: the next call may overwrite the bytes. */
  glance?(pfn: number): Page;
  /**
   * Every PFN from 0 to endPfn in maximal runs of one state. PFNs that are no RAM at all are
   * `missing`.
   */
  runs(): Iterable<PageRun>;
}

/** Physical addresses from `start` to below `end`. */
export interface MemoryRange {
  readonly start: bigint;
  readonly end: bigint;
}

export interface Utsname {
  readonly sysname: string;
  readonly nodename: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
  readonly domainname: string;
}

/** The kernels whose dumps are read. i386: any 32-bit x86 kernel, with PAE or without. */
export type Architecture = 'x86_64' | 'i386';

/** General registers of x86-64, in the order of NT_PRSTATUS's pr_reg. */
export const registerNames = [
  'r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi',
  'rdi', 'orig_rax', 'rip', 'cs', 'eflags', 'rsp', 'ss', 'fs_base', 'gs_base', 'ds', 'es', 'fs',
  'gs',
] as const; // biome-ignore format: one table
export type RegisterName = (typeof registerNames)[number];
export type Registers = Readonly<Record<RegisterName, bigint>>;

/** One CPU's state as the file has it. Which CPU it is, is for `src/linux` to find by evidence. */
export interface CpuState {
  /**
   * Where it comes from: the n-th note of this kind, the LKCD CPU slot, or diskdump's sub header
   * and the CPU that its header names. LKCD has the first 21 registers only: fs_base to gs are 0
   * there.
   */
  readonly source: 'NT_PRSTATUS' | 'QEMU' | 'LKCD' | 'DISKDUMP' | 'machine';
  readonly index: number;
  /** Of an i386 dump: eax stands in rax and so on; what that machine does not have is 0. */
  readonly registers: Registers;
  /** pr_pid; QEMU puts the CPU number + 1 here. */
  readonly pid?: number;
  /** Control registers cr0..cr4 and the kernel's GS base: QEMU's note only. */
  readonly control?: { readonly cr3: bigint; readonly cr4: bigint; readonly kernelGsBase: bigint };
  /** LKCD, diskdump: the task that the file names for this CPU. */
  readonly task?: bigint;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

export interface Dump extends MemoryImage {
  /** Folder name under src/dump, or `machine` for an emulated machine's own memory. */
  readonly format: string;
  /** `KDUMP v6, zlib`: one line for people. */
  readonly description: string;
  readonly architecture: Architecture;
  readonly uts: Utsname | undefined;
  /** Seconds since 1970, where the header says so. */
  readonly time: number | undefined;
  readonly notes: readonly ElfNote[];
  readonly cpus: readonly CpuState[];
  /** The text of the VMCOREINFO note, undefined where the format carries none. */
  readonly vmcoreinfo: string | undefined;
  /**
   * What the header says of where the kernel's image lies, as NUMBER(phys_base) of VMCOREINFO; that
   * is to be preferred.
   */
  readonly physBase?: bigint | undefined;
  /** LKCD: panic string and panicking task of its header; diskdump has the task only. */
  readonly panic: { readonly message: string; readonly task: bigint } | undefined;
  /** makedumpfile's filter bits (1 zero, 2 cache, 4 private cache, 8 user, 16 free), if known. */
  readonly level: number | undefined;
  /** Why the dump is not whole (flag, cut file); undefined for a whole one. */
  readonly incomplete: string | undefined;
  /**
   * Those of the missing pages that the file should have: it was cut, or says that they were lost.
   * The other ones are no RAM that it knows of. LKCD cannot tell: it has none.
   */
  lost?(): Iterable<PageRun>;
  /** Of a split dump: what the parts hold that were not given. */
  readonly inOtherParts?: readonly PfnRange[] | undefined;
  /** The file as it lies on the disk; undefined where memory comes from none. */
  readonly file?: Source | undefined;
  close(): void;
}
