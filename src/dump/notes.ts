/**
 * ELF notes as kernel dumps carry them, in ELF files and in KDUMP's note blob: per-CPU registers
 * (NT_PRSTATUS), QEMU's CPU state, VMCOREINFO's text.
 *
 * Sources: elf(5); struct elf_prstatus of the kernel's include/linux/elfcore.h with the
 * user_regs_struct of x86-64 and i386; QEMU target/i386/arch_dump.c, struct QEMUCPUState.
 */

import { array, i32, raw, struct, u16, u32, u64, type Values, word32 } from '../bytes/struct.ts';
import { cstring, encodeUtf8, latin1 } from '../bytes/text.ts';
import { namedRegisters, readWords, userRegs } from './architecture.ts';
import type { Architecture, CpuState, ElfNote, RegisterName, Registers } from './types.ts';
import { registerNames } from './types.ts';

export const NT_PRSTATUS = 1;
/** Name of the note with makedumpfile's list of what it erased; its type is 0. */
export const eraseinfoName = 'ERASEINFO';
/** Name of the notes with QEMU's CPU state; their type is 0. */
export const qemuName = 'QEMU';
/** Netdump's: starts with the address of the panicking task. */
export const NT_TASKSTRUCT = 4;
/** A dump of 8192 CPUs needs 3 MB; device dumps (NT_VMCOREDD) may add a few. */
export const maxNotesSize = 64 * 1024 * 1024;
/** 8192 CPUs have at most two each; an empty one takes 12 bytes of a blob of megabytes. */
export const maxNotes = 64 * 1024;

export const NoteHeader = struct(
  'Elf64_Nhdr',
  {
    n_namesz: u32('Length of the name with its NUL; old netdump wrote "CORE" without.'),
    n_descsz: u32('Length of the descriptor.'),
    n_type: u32('Meaning depends on the name.'),
  },
  { size: 12 },
);

export const Prstatus = struct(
  'elf_prstatus',
  {
    pr_info: raw(12, 'si_signo, si_code, si_errno.'),
    pr_cursig: u16('0 in kernel dumps.'),
    pr_sigpend: u64('0 in kernel dumps.'),
    pr_sighold: u64('0 in kernel dumps.'),
    pr_pid: i32('Process id; QEMU puts the CPU number + 1 here.'),
    pr_ids: raw(12, 'ppid, pgrp, sid.'),
    pr_times: raw(64, 'utime, stime, cutime, cstime.'),
    pr_reg: array(u64('Registers in the order of registerNames.'), registerNames.length),
    pr_fpvalid: i32('0 in kernel dumps.'),
  },
  { size: 336 },
);

/** The same of i386. */
const Prstatus32 = struct(
  'elf_prstatus',
  {
    pr_info: raw(12, 'si_signo, si_code, si_errno.'),
    pr_cursig: u16('0 in kernel dumps.'),
    pr_sigpend: word32('0 in kernel dumps.'),
    pr_sighold: word32('0 in kernel dumps.'),
    pr_pid: i32('Process id.'),
    pr_ids: raw(12, 'ppid, pgrp, sid.'),
    pr_times: raw(32, 'utime, stime, cutime, cstime.'),
    pr_reg: array(word32('Registers in the order of userRegs.'), userRegs.i386.length),
    pr_fpvalid: i32('0 in kernel dumps.'),
  },
  { size: 144 },
);

const qemuSegments = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'ldt', 'tr', 'gdt', 'idt'] as const;
const qemuSegmentSize = 24;

const register = u64('General register.');
const QemuCpuState = struct(
  'QEMUCPUState',
  {
    version: u32('1.'),
    size: u32('440.'),
    rax: register,
    rbx: register,
    rcx: register,
    rdx: register,
    rsi: register,
    rdi: register,
    rsp: register,
    rbp: register,
    r8: register,
    r9: register,
    r10: register,
    r11: register,
    r12: register,
    r13: register,
    r14: register,
    r15: register,
    rip: register,
    rflags: register,
    segments: raw(
      qemuSegments.length * qemuSegmentSize,
      'cs ds es fs gs ss ldt tr gdt idt, each u32 selector, limit, flags, pad and u64 base.',
    ),
    cr: array(u64('Control registers 0 to 4.'), 5),
    kernel_gs_base: u64('MSR_KERNEL_GS_BASE: the other side of swapgs.'),
  },
  { size: 440 },
);

export interface ParsedNotes {
  readonly notes: readonly ElfNote[];
  /** Why the walk stopped before the end of the blob. */
  readonly problem: string | undefined;
}

/** The notes of one blob, copied. Stops at the first that does not fit, and after `limit`. */
export function parseNotes(blob: Uint8Array, limit = maxNotes): ParsedNotes {
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + NoteHeader.size <= blob.length) {
    const { n_namesz, n_descsz, n_type } = NoteHeader.read(blob, at);
    // Nothing left but padding.
    if (n_namesz === 0 && n_descsz === 0 && n_type === 0) break;
    if (notes.length >= limit) return { notes, problem: `more than ${limit} notes` };
    const nameAt = at + NoteHeader.size;
    const descAt = nameAt + align4(n_namesz);
    if (descAt + n_descsz > blob.length) {
      const size = `name of ${n_namesz} bytes, descriptor of ${n_descsz}`;
      return { notes, problem: `note ${notes.length} (${size}) runs past the notes' end` };
    }
    const nameBytes = blob.subarray(nameAt, nameAt + Math.min(n_namesz, 64));
    notes.push({
      name: latin1(nameBytes).replace(/\0.*$/s, ''),
      type: n_type,
      desc: blob.slice(descAt, descAt + n_descsz),
    });
    at = descAt + align4(n_descsz);
  }
  return { notes, problem: undefined };
}

export function encodeNotes(notes: readonly ElfNote[]): Uint8Array {
  const sizes = notes.map(
    ({ name, desc }) => NoteHeader.size + align4(name.length + 1) + align4(desc.length),
  );
  const blob = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const [index, { name, type, desc }] of notes.entries()) {
    const n_namesz = name.length + 1;
    NoteHeader.write(blob, at, { n_namesz, n_descsz: desc.length, n_type: type });
    blob.set(encodeUtf8(name), at + NoteHeader.size);
    blob.set(desc, at + NoteHeader.size + align4(n_namesz));
    at += sizes[index]!;
  }
  return blob;
}

/** Offset of a note's descriptor in what encodeNotes makes of `notes`. */
export function descOffset(notes: readonly ElfNote[], index: number): number {
  const before = encodeNotes(notes.slice(0, index)).length;
  return before + NoteHeader.size + align4(notes[index]!.name.length + 1);
}

/** The text of the VMCOREINFO note. */
export function vmcoreinfoOf(notes: readonly ElfNote[]): string | undefined {
  const note = notes.find(({ name, type }) => name === 'VMCOREINFO' && type === 0);
  return note === undefined || note.desc.length === 0 ? undefined : cstring(note.desc);
}

/** The panicking task, as netdump notes it. */
export function panicTaskOf(
  notes: readonly ElfNote[],
  architecture: Architecture,
): bigint | undefined {
  const note = notes.find(({ name, type }) => name === 'CORE' && type === NT_TASKSTRUCT);
  const task = readWords(note?.desc.subarray(0, 8) ?? new Uint8Array(0), architecture)[0];
  return task === 0n ? undefined : task;
}

/**
 * One entry for each NT_PRSTATUS note, then one for each QEMU note; `index` counts notes of a kind.
 * An all-zero NT_PRSTATUS belongs to a CPU that did not stop: it is counted and left out.
 */
export function cpuStatesOf(
  notes: readonly ElfNote[],
  architecture: Architecture = 'x86_64',
): CpuState[] {
  const Status = architecture === 'i386' ? Prstatus32 : Prstatus;
  const prstatus = notes.filter(
    ({ name, type, desc }) => name === 'CORE' && type === NT_PRSTATUS && desc.length >= Status.size,
  );
  const qemu = notes.filter(
    ({ name, type, desc }) => name === qemuName && type === 0 && desc.length >= QemuCpuState.size,
  );
  const states: CpuState[] = [];
  for (const [index, { desc }] of prstatus.entries()) {
    if (desc.every((byte) => byte === 0)) continue;
    const { pr_pid, pr_reg } = Status.read(desc);
    const registers = namedRegisters(userRegs[architecture], pr_reg);
    states.push({ source: 'NT_PRSTATUS', index, pid: pr_pid, registers });
  }
  for (const [index, { desc }] of qemu.entries()) {
    states.push(qemuState(index, QemuCpuState.read(desc)));
  }
  return states;
}

/** `values` in the order of registerNames; those after the last are 0. */
export function registersOf(values: readonly bigint[]): Registers {
  return Object.fromEntries(
    registerNames.map((name, index) => [name, values[index] ?? 0n]),
  ) as Record<RegisterName, bigint>;
}

/** An NT_PRSTATUS note as the kernel's crash_save_cpu() writes it. */
export function prstatusNote(
  registers: Registers,
  pid: number,
  architecture: Architecture = 'x86_64',
): ElfNote {
  const pr_reg = userRegs[architecture].map((name) => registers[name]);
  const Status = architecture === 'i386' ? Prstatus32 : Prstatus;
  return { name: 'CORE', type: NT_PRSTATUS, desc: Status.encode({ pr_pid: pid, pr_reg }) };
}

function qemuState(index: number, cpu: Values<typeof QemuCpuState.fields>): CpuState {
  const view = new DataView(cpu.segments.buffer, cpu.segments.byteOffset);
  const selector = (name: (typeof qemuSegments)[number]): bigint =>
    BigInt(view.getUint32(qemuSegments.indexOf(name) * qemuSegmentSize, true));
  const base = (name: (typeof qemuSegments)[number]): bigint =>
    view.getBigUint64(qemuSegments.indexOf(name) * qemuSegmentSize + 16, true);
  return {
    source: 'QEMU',
    index,
    registers: {
      r15: cpu.r15, r14: cpu.r14, r13: cpu.r13, r12: cpu.r12, rbp: cpu.rbp, rbx: cpu.rbx,
      r11: cpu.r11, r10: cpu.r10, r9: cpu.r9, r8: cpu.r8, rax: cpu.rax, rcx: cpu.rcx,
      rdx: cpu.rdx, rsi: cpu.rsi, rdi: cpu.rdi, rip: cpu.rip, eflags: cpu.rflags, rsp: cpu.rsp,
      // Not a register of the CPU; -1 is the kernel's "no system call".
      orig_rax: 0xffff_ffff_ffff_ffffn,
      cs: selector('cs'), ds: selector('ds'), es: selector('es'), fs: selector('fs'),
      gs: selector('gs'), ss: selector('ss'), fs_base: base('fs'), gs_base: base('gs'),
    }, // biome-ignore format: one table
    control: { cr3: cpu.cr[3]!, cr4: cpu.cr[4]!, kernelGsBase: cpu.kernel_gs_base },
  };
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
