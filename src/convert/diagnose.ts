/** What is wrong with a dump that can be opened, and what is to be said in its place. */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { readStruct, type Values } from '../bytes/struct.ts';
import { encodeUtf8 } from '../bytes/text.ts';
import { DumpOver } from '../dump/dump-over.ts';
import {
  ELFCLASS64,
  Elf64Header,
  Elf64Phdr,
  ElfIdent,
  PT_LOAD,
  PT_NOTE,
} from '../dump/elf/layout.ts';
import type { Dump, ElfNote } from '../dump/types.ts';
import { kernelMap } from '../linux/kernel-image.ts';
import { Vmcoreinfo } from '../linux/vmcoreinfo.ts';
import { amended, disproof, infoInMemory } from './proof.ts';

export interface Finding {
  /** A name for programs. */
  readonly kind: 'vmcoreinfo' | 'phys-base' | 'program-headers' | 'incomplete' | 'joined';
  readonly problem: string;
  /** What is done about it; undefined where nothing can be. */
  readonly mend: string | undefined;
}

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** The dump with what is true in place of what is not. Closing it does not close the dump. */
  readonly mended: Dump;
}

export function diagnose(dump: Dump): Diagnosis {
  const findings: Finding[] = [];
  const mended = dump.architecture === 'x86_64' ? mendInfo(dump, findings) : dump;
  const info = new Vmcoreinfo(mended.vmcoreinfo ?? '');
  if (dump.physBase !== undefined && info.physBase !== undefined) {
    if (dump.physBase !== info.physBase) {
      findings.push({
        kind: 'phys-base',
        problem: `the header says phys_base ${dump.physBase}, the kernel ${info.physBase}`,
        mend: 'the header gets the right one',
      });
    }
  }
  if (dump.format === 'elf' && dump.file !== undefined) findings.push(...elfFindings(dump.file));
  // Last: readers find out while they read.
  const { incomplete } = dump;
  if (incomplete !== undefined) {
    findings.push({
      kind: 'incomplete',
      problem: `the dump is not whole: ${incomplete}`,
      mend: 'what is left becomes a sound file whose header says incomplete',
    });
  }
  return { findings, mended };
}

function mendInfo(dump: Dump, findings: Finding[]): Dump {
  const told = dump.vmcoreinfo;
  const why = told === undefined ? undefined : disproof(dump, told);
  if (told !== undefined && why === undefined) return dump;
  const problem = told === undefined ? 'the file has no VMCOREINFO' : `VMCOREINFO is false: ${why}`;
  let reason = '';
  const found = attempt(
    () => infoInMemory(dump),
    ({ message }) => {
      reason = message;
    },
  );
  // What would prove it is perhaps what is cut off.
  if (found === undefined && told !== undefined && dump.incomplete !== undefined) return dump;
  if (found === undefined) {
    findings.push({ kind: 'vmcoreinfo', problem: `${problem}; ${reason}`, mend: undefined });
    return dump;
  }
  const isSame = told !== undefined && new Vmcoreinfo(told).release === found.release;
  const isPartial = found.origin === 'rebuilt';
  const text = isPartial && isSame ? amended(told, found.text) : found.text;
  const how = isPartial
    ? 'rebuilt from page tables and symbols'
    : "the kernel's own from the memory";
  findings.push({
    kind: 'vmcoreinfo',
    problem,
    mend: `${how}, of release ${found.release ?? 'unknown'}, takes its place`,
  });
  const isInfo = ({ name }: ElfNote): boolean => name === 'VMCOREINFO';
  const note = { name: 'VMCOREINFO', type: 0, desc: encodeUtf8(text) };
  const notes = dump.notes.length === 0 ? [] : [...dump.notes.filter((one) => !isInfo(one)), note];
  return new DumpOver(dump, { vmcoreinfo: text, notes });
}

/** More than any dump has; their order is looked at, not their number. */
const headersRead = 4096;

/** Where makedumpfile and crash look for the headers of an ELF file, and how. */
function elfFindings(file: Source): Finding[] {
  const problems = attempt(() => elfProblems(file)) ?? [];
  return problems.map((problem) => ({
    kind: 'program-headers',
    problem,
    mend: 'the file is written anew: headers at 64, notes first, virtual addresses',
  }));
}

function elfProblems(file: Source): string[] {
  if (readStruct(file, 0, ElfIdent).ei_class !== ELFCLASS64) return [];
  const header = readStruct(file, 0, Elf64Header);
  const count = Math.min(header.e_phnum, headersRead);
  const at = Number(header.e_phoff);
  if (at > Number.MAX_SAFE_INTEGER) throw new DumpError('corrupt', `program headers at ${at}`);
  const table = file.read(at, count * Elf64Phdr.size);
  const headers = Array.from({ length: Math.floor(table.length / Elf64Phdr.size) }, (_, index) =>
    Elf64Phdr.read(table, index * Elf64Phdr.size),
  );
  const loads = headers.filter(({ p_type }) => p_type === PT_LOAD);
  const note = headers.find(({ p_type }) => p_type === PT_NOTE);
  const data = loads.reduce(
    (least, { p_offset }) => (p_offset < least ? p_offset : least),
    1n << 63n,
  );
  return [
    ...(at === Elf64Header.size ? [] : [`the program headers are at ${at}, not at 64`]),
    ...(headers[0]?.p_type === PT_NOTE || note === undefined
      ? []
      : ['the notes are not the first program header']),
    ...(note === undefined ? ['there is no segment of notes'] : []),
    ...(note !== undefined && note.p_offset > data ? ['the notes stand behind the memory'] : []),
    ...(loads.length > 0 && loads.every(({ p_vaddr }) => p_vaddr === 0n)
      ? ['no segment has a virtual address']
      : []),
    ...(isInOrder(loads) ? [] : ['the segments are not in order']),
  ];
}

/** The kernel's image comes first in what the kernel itself makes, and is no RAM of its own. */
function isInOrder(loads: readonly Values<typeof Elf64Phdr.fields>[]): boolean {
  const ram = loads.filter(({ p_vaddr }) => p_vaddr < kernelMap);
  return ram.every(({ p_paddr }, index) => index === 0 || p_paddr >= ram[index - 1]!.p_paddr);
}
