/**
 * A dump by the machine's host, as QEMU's dump-guest-memory makes one: the guest is stopped and all
 * its memory is read from outside. Nothing of the crashed kernel is needed, so that it is what the
 * other methods are measured by. The one thing that the guest may give is where its VMCOREINFO note
 * lies, which it told the host when it was well (QEMU's vmcoreinfo device); a note that is damaged
 * by now is left out, as QEMU does. Source: QEMU docs/specs/vmcoreinfo.rst, dump/dump.c.
 */

import { attempt } from '../../bytes/errors.ts';
import type { DumpContent } from '../../dump/content.ts';
import { NoteHeader, parseNotes, prstatusNote, vmcoreinfoOf } from '../../dump/notes.ts';
import type { ElfNote } from '../../dump/types.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import { utsname } from '../../linux/system.ts';
import type { Machine } from '../../machine/machine.ts';
import { pauseGuest } from '../../machine/pause.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { descriptions } from '../catalogue.ts';
import { ramImage } from '../filter.ts';
import { writeKdumpFile } from '../kdump-file.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  type DumpMethod,
  done,
  type Stage,
  type StageResult,
} from '../method.ts';
import { saveFrom } from '../save-file.ts';
import { finalName, type HypervisorState, incompleteName } from './state.ts';

export const hypervisor: DumpMethod<HypervisorState> = {
  ...descriptions.hypervisor,
  partition: undefined,
  prepare,
  stages: () => stages,
  // The host's own memory: no fault of the machine reaches it.
  targets: () => ({ code: [], structures: [], reserved: [] }),
  save: ({ outside }, sink) => saveFrom(outside, [finalName, incompleteName], sink),
};

const stages: readonly Stage<HypervisorState>[] = [
  { name: 'pause', run: pause },
  { name: 'memory', run: readMemory },
  { name: 'rename', run: rename },
];

function prepare(machine: Machine, options: CaptureOptions): HypervisorState {
  const { kernel } = machine;
  return {
    options,
    note: attempt(() => noteOf(machine)),
    uts: utsname(kernel),
    physBase: kernel.vmcoreinfo.physBase ?? 0n,
  };
}

/** paddr_vmcoreinfo_note(), as the guest's driver tells it: the whole page of the note. */
function noteOf({ kernel, virtual }: Machine): PhysicalRange {
  const note = virtual.u64(kernel.symbol('vmcoreinfo_note').address);
  const start = Number(virtual.translate(note).physical);
  const { n_namesz, n_descsz } = NoteHeader.read(virtual.read(note, NoteHeader.size));
  const align4 = (size: number): number => Math.ceil(size / 4) * 4;
  return { start, end: start + NoteHeader.size + align4(n_namesz) + align4(n_descsz) };
}

function pause(machine: Machine): StageResult {
  pauseGuest(machine);
  return done;
}

function readMemory(machine: Machine, state: HypervisorState, tools: CaptureTools): StageResult {
  const { notes, remarks } = notesOf(machine, state);
  const content: DumpContent = {
    image: ramImage(machine.memory),
    uts: state.uts,
    time: machine.time,
    notes,
    vmcoreinfo: vmcoreinfoOf(notes),
    physBase: state.physBase,
    cpus: [],
  };
  const sink = machine.outside.create(incompleteName);
  const written = writeKdumpFile(machine, sink, content, state.options, tools);
  return { ...done, pages: written.pages, bytes: written.bytes, remarks };
}

/** The registers are the host's to know; of the guest's note it takes what is one. */
function notesOf(
  machine: Machine,
  { note }: HypervisorState,
): { readonly notes: readonly ElfNote[]; readonly remarks: readonly string[] } {
  const registers = machine.cpus.flatMap((cpu) =>
    // QEMU does not know tasks: it counts.
    cpu.registers === undefined ? [] : [prstatusNote(cpu.registers, cpu.number + 1)],
  );
  const unknown = machine.cpus.filter((cpu) => cpu.registers === undefined);
  const remarks = unknown.map(
    ({ number }) => `the registers of CPU ${number} are not in the input`,
  );
  if (note === undefined) {
    return { notes: registers, remarks: [...remarks, 'the guest told of no VMCOREINFO note'] };
  }
  const found = attempt(() => {
    const bytes = new PhysicalMemory(machine.memory).read(
      BigInt(note.start),
      note.end - note.start,
    );
    const { notes, problem } = parseNotes(bytes.slice(), 1);
    return problem === undefined && vmcoreinfoOf(notes) !== undefined ? notes : undefined;
  });
  if (found !== undefined) return { notes: [...registers, ...found], remarks };
  return { notes: registers, remarks: [...remarks, "the guest's VMCOREINFO note is damaged"] };
}

function rename(machine: Machine): StageResult {
  machine.outside.rename(incompleteName, finalName);
  return done;
}
