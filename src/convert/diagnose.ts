/** What is wrong with a dump that can be opened, and what is to be said in its place. */

import { attempt } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';
import { encodeUtf8, jsonAddress } from '../bytes/text.ts';
import { DumpOver } from '../dump/dump-over.ts';
import { Elf64Header, PT_LOAD, PT_NOTE } from '../dump/elf/layout.ts';
import { type ProgramHeader, readProgramHeaders } from '../dump/elf/program-headers.ts';
import { classOf, readHeader } from '../dump/elf/read.ts';
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
      const [header, kernel] = [jsonAddress(dump.physBase), jsonAddress(info.physBase)];
      findings.push({
        kind: 'phys-base',
        problem: `the header says phys_base ${header}, the kernel ${kernel}`,
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
  const kind = classOf(file);
  if (kind.bits === 32) return [];
  const header = readHeader(file, kind);
  const { headers, doubts } = readProgramHeaders(file, kind, header);
  const loads = headers.filter(({ type }) => type === PT_LOAD);
  const note = headers.find(({ type }) => type === PT_NOTE);
  const data = loads.reduce((least, { offset }) => Math.min(least, offset), Infinity);
  return [
    ...doubts.map(({ message }) => message),
    ...(header.phoff === Elf64Header.size
      ? []
      : [`the program headers are at ${header.phoff}, not at 64`]),
    ...(headers[0]?.type === PT_NOTE || note === undefined
      ? []
      : ['the notes are not the first program header']),
    ...(note === undefined ? ['there is no segment of notes'] : []),
    ...(note !== undefined && note.offset > data ? ['the notes stand behind the memory'] : []),
    ...(loads.length > 0 && loads.every(({ virtual }) => virtual === 0n)
      ? ['no segment has a virtual address']
      : []),
    ...(isInOrder(loads) ? [] : ['the segments are not in order']),
  ];
}

/** The kernel's image comes first in what the kernel itself makes, and is no RAM of its own. */
function isInOrder(loads: readonly ProgramHeader[]): boolean {
  const ram = loads.filter(({ virtual }) => virtual < kernelMap);
  return ram.every(({ physical }, index) => index === 0 || physical >= ram[index - 1]!.physical);
}
