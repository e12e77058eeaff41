/** The file of a live dump, written by the driver of the kernel that runs on. */

import { attempt, DumpError } from '../../bytes/errors.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import type { DumpContent, WriteSummary } from '../../dump/content.ts';
import { prstatusNote } from '../../dump/notes.ts';
import type { ElfNote, MemoryImage } from '../../dump/types.ts';
import { second } from '../../machine/clock.ts';
import type { Machine } from '../../machine/machine.ts';
import { writeKdumpFile } from '../kdump-file.ts';
import { driverWrite } from '../linux-driver.ts';
import { type CaptureTools, done, failed, type StageResult } from '../method.ts';
import { incompleteName, type LiveState } from './state.ts';

/** The block layer of a running kernel: how long what is in flight may take. */
const drainLimit = 30 * second;

/** Registers as they are while the CPUs stand still, or as a running kernel shows them. */
function registerNotes(machine: Machine): ElfNote[] {
  const { types } = machine.kernel;
  return machine.cpus.flatMap((cpu) => {
    if (cpu.registers === undefined) return [];
    const address = cpu.task + BigInt(types.offsetOf('struct task_struct', 'pid'));
    const pid = attempt(() => machine.panicCpu.memory.i32(address)) ?? 0;
    return [prstatusNote(cpu.registers, pid)];
  });
}

/** Writes the pages of `image`, of which a reader may throw `io` to give up. */
export function writeLive(
  machine: Machine,
  state: LiveState,
  image: MemoryImage,
  tools: CaptureTools,
): StageResult {
  const tries = { retries: 0 };
  const content: DumpContent = {
    image,
    uts: state.uts,
    time: machine.time,
    notes: [
      ...registerNotes(machine),
      { name: 'VMCOREINFO', type: 0, desc: encodeUtf8(state.vmcoreinfo) },
    ],
    vmcoreinfo: state.vmcoreinfo,
    physBase: state.physBase,
    cpus: [],
  };
  const write = (): WriteSummary => {
    machine.disk.useQueues();
    machine.disk.drain(drainLimit);
    const sink = machine.files.create(incompleteName, driverWrite(machine, tries, 'interrupt'));
    return writeKdumpFile(machine, sink, content, state.options, tools);
  };
  const retried = (): object => (tries.retries === 0 ? {} : tries);
  try {
    const { pages, bytes } = write();
    return { ...done, pages, bytes, ...retried() };
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== 'io') throw error;
    // Without its index there is nothing in it to read.
    machine.files.remove(incompleteName);
    return { ...failed(error.message, error.where.file ?? 'disk'), ...retried() };
  }
}
