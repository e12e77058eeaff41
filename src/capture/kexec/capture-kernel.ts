/** The second kernel: boot, disk, /proc/vmcore, the filtered and compressed file, reboot. */

import { DumpError, type ErrorCode } from '../../bytes/errors.ts';
import { FilteredImage } from '../../dump/filtered.ts';
import { maxNotesSize, parseNotes, vmcoreinfoOf } from '../../dump/notes.ts';
import type { ElfNote, Utsname } from '../../dump/types.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import { kernelPageTables } from '../../linux/core.ts';
import { AddressSpace } from '../../linux/memory.ts';
import { pageLayout } from '../../linux/page-layout.ts';
import { basePageSize } from '../../linux/paging.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import { Vmcoreinfo } from '../../linux/vmcoreinfo.ts';
import { captureMemory } from '../../machine/crash-kernel.ts';
import { decodeElfCore } from '../../machine/elfcore.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { selectPages, unknownRemarks } from '../filter.ts';
import { writeKdumpFile } from '../kdump-file.ts';
import { driverWrite, probeDevices } from '../linux-driver.ts';
import { type CaptureTools, done, failed, type Stage, type StageResult } from '../method.ts';
import { reboot } from '../second-kernel.ts';
import { oldMemory, overwriteLow } from './backup.ts';
import { finalName, incompleteName, type KexecState } from './state.ts';

export const bootStages: readonly Stage<KexecState>[] = [
  { name: 'boot of the capture kernel', run: boot },
  { name: 'device reset', run: probeDevices },
  { name: '/proc/vmcore', run: openVmcore },
  { name: 'filter, compress, write', run: writeDump },
  { name: 'rename', run: rename },
  { name: 'reboot', run: reboot },
];

/** It has the reserved region and nothing else. */
function boot(machine: Machine, state: KexecState): StageResult {
  if (machine.interrupts.line('timer').state === 'lost') {
    // check_timer(): "IO-APIC + timer doesn't work!"
    machine.clock.hang('the capture kernel gets no timer interrupt and panics', 'timer');
  }
  machine.spend(machine.hardware.boot.captureKernelNs, 'boot');
  if (state.backup !== undefined) overwriteLow(machine);
  const { region, segments } = state.crash;
  const loaded = segments.reduce((sum, segment) => sum + segment.size, 0);
  const free = region.end - region.start - loaded;
  const needed = captureMemory(machine);
  machine.ownWrites.add('memory of the capture kernel', region.start, region.end - region.start);
  if (free >= needed) return { ...done, bytes: free };
  const cause = `out of memory: ${free} bytes are free in the region, ${needed} needed`;
  return failed(cause, 'crashkernel region');
}

function openVmcore(machine: Machine, state: KexecState): StageResult {
  const memory = new PhysicalMemory(machine.memory);
  const { start, end } = state.crash.elfcore;
  const header = () => decodeElfCore(memory.read(BigInt(start), end - start));
  const core = refused(header, 'corrupt');
  if (typeof core === 'string') return failed(`no /proc/vmcore: ${core}`, 'elfcorehdr');
  const limit = machine.memory.endPfn * basePageSize;
  const isWild = ({ start, end }: PhysicalRange): boolean => end > limit || end < start;
  const isHuge = ({ start, end }: PhysicalRange): boolean => end - start > maxNotesSize;
  if ([...core.notes, ...core.ram].some(isWild) || core.notes.some(isHuge)) {
    return failed('no /proc/vmcore: a range of elfcorehdr is no memory', 'elfcorehdr');
  }
  const notes: ElfNote[] = [];
  const remarks: string[] = [];
  for (const range of core.notes) {
    const parsed = parseNotes(memory.read(BigInt(range.start), range.end - range.start));
    notes.push(...parsed.notes);
    const problem = parsed.problem ?? (parsed.notes.length === 0 ? 'empty' : undefined);
    if (problem !== undefined) remarks.push(`notes at 0x${range.start.toString(16)}: ${problem}`);
  }
  state.notes = notes;
  state.ram = core.ram;
  return { ...done, remarks };
}

/** The value, or the message of an error of this kind. */
function refused<T>(body: () => T, code: ErrorCode): T | string {
  try {
    return body();
  } catch (error) {
    if (error instanceof DumpError && error.code === code) return error.message;
    throw error;
  }
}

/** makedumpfile: all that it knows of the old kernel stands in that kernel's VMCOREINFO. */
function writeDump(machine: Machine, state: KexecState, tools: CaptureTools): StageResult {
  const { level } = state.options;
  const text = vmcoreinfoOf(state.notes);
  if (text === undefined) return failed('/proc/vmcore has no VMCOREINFO note', 'vmcoreinfo_note');
  const vmcoreinfo = new Vmcoreinfo(text);
  const root = kernelPageTables(vmcoreinfo);
  if (root === undefined) return failed('VMCOREINFO names no page tables', 'vmcoreinfo_note');
  const old = oldMemory(machine, state.ram);
  const memory = new AddressSpace(new PhysicalMemory(old), root);
  const { types, symbols } = machine.kernel;
  const layout = pageLayout({ memory, vmcoreinfo, types, symbols });
  const selection = selectPages(memory, layout, state.ram, level);
  machine.work(selection.ram.count, machine.hardware.cpu.filterPagesPerSecond, 'filter');
  const remarks = unknownRemarks(selection);
  const tries = { retries: 0 };
  const sink = machine.files.create(incompleteName, driverWrite(machine, tries));
  const content = {
    image: new FilteredImage(old, selection),
    uts: oldUtsname(memory, vmcoreinfo),
    time: machine.time,
    notes: state.notes,
    vmcoreinfo: text,
    physBase: vmcoreinfo.physBase ?? 0n,
    cpus: [],
  };
  const write = () => writeKdumpFile(machine, sink, content, state.options, tools);
  const written = refused(write, 'io');
  const retried = tries.retries === 0 ? {} : tries;
  if (typeof written === 'string') return { ...failed(written, 'disk'), remarks, ...retried };
  return { ...done, pages: written.pages, bytes: written.bytes, remarks, ...retried };
}

/** The crashed kernel's name, found as makedumpfile finds it. */
function oldUtsname(memory: AddressSpace, vmcoreinfo: Vmcoreinfo): Utsname {
  const start = vmcoreinfo.symbol('init_uts_ns') ?? 0n;
  const offset = vmcoreinfo.offset('uts_namespace.name') ?? 0;
  return NewUtsname.read(memory.read(start + BigInt(offset), NewUtsname.size));
}

/** As dracut's script: the name, then `sync`. */
function rename(machine: Machine): StageResult {
  machine.files.rename(incompleteName, finalName);
  machine.disk.synchronize();
  return done;
}
