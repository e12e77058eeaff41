/**
 * The mini kernel: it reads the old memory, and writes what its RAM table says to the partition.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { attempt, type DumpError } from '../../bytes/errors.ts';
import type { Values } from '../../bytes/struct.ts';
import { cstring } from '../../bytes/text.ts';
import { isZeroPage, zeroPageOf } from '../../dump/content.ts';
import { dumpLevelBits } from '../../linux/pages.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import { MachineStop } from '../../machine/stop.ts';
import { CpuSlot, maxSlots } from '../cpu-slots.ts';
import { selectPages, unknownRemarks } from '../filter.ts';
import { orTripleFault, tablesAt } from '../jump.ts';
import { MappedPages } from '../mapped-pages.ts';
import { type CaptureTools, done, failed, type Stage, type StageResult } from '../method.ts';
import { reboot } from '../second-kernel.ts';
import {
  blockSize,
  ContainerHeader,
  ContainerStatus,
  containerMagic,
  containerVersion,
  planContainer,
  plannedFields,
  slotsPerBlock,
} from './container.ts';
import { polledWrite, takeDisk } from './driver.ts';
import { messageSize, Parameters } from './resident.ts';
import type { MkdumpState, PagesToWrite } from './state.ts';

export const miniKernelStages: readonly Stage<MkdumpState>[] = [
  { name: 'mini kernel', run: boot },
  { name: 'disk reset', run: takeDisk },
  { name: 'pages to dump', run: choosePages },
  { name: 'header', run: writeFront },
  { name: 'pages', run: writePages },
  { name: 'end', run: complete },
  { name: 'reboot', run: reboot },
];

/** More entries than this are a table that was overwritten. */
const maxRamEntries = 4096;
const pagesPerWrite = 64;
/** The header is brought up to date this often: what is on the disk by then can be saved. */
const pagesPerUpdate = 4096;

function boot(machine: Machine, state: MkdumpState): StageResult {
  const { region, entry } = state.resident;
  // Elsewhere in the region is its stack, its tables, or the middle of its code.
  if (state.entry !== entry) {
    const cause = `the entry 0x${state.entry.toString(16)} is not the mini kernel's`;
    throw new MachineStop('wild jump', cause, 'mkdump_control');
  }
  machine.panicCpu.execute('mini kernel');
  machine.ownWrites.add("the mini kernel's region", region.start, region.end - region.start);
  machine.spend(machine.hardware.boot.miniKernelNs, 'boot');
  return done;
}

function choosePages(machine: Machine, state: MkdumpState): StageResult {
  return orTripleFault(machine, () => chosenPages(machine, state));
}

function chosenPages(machine: Machine, state: MkdumpState): StageResult {
  const parameters = parametersOf(machine, state);
  const ranges = ramTable(machine, parameters);
  if (ranges === undefined) return failed('the table of RAM makes no sense', 'RAM table');
  const { level } = parameters;
  const root = Number(machine.kernel.memory.root.physical);
  const selection = selectPages(tablesAt(machine, root), state.layout, ranges, level);
  machine.work(selection.ram.count, machine.hardware.cpu.filterPagesPerSecond, 'filter');
  const memory = new MappedPages(machine, tablesAt(machine, state.pageTables), 0n);
  const stored = Bitmap.ofSize(selection.endPfn);
  const zero = Bitmap.ofSize(selection.endPfn);
  for (let pfn = selection.kept.next(0); pfn >= 0; pfn = selection.kept.next(pfn + 1)) {
    const { bytes } = memory.page(pfn);
    if (bytes === undefined) continue;
    if ((level & dumpLevelBits.zero) !== 0 && isZeroPage(bytes)) zero.add(pfn);
    else stored.add(pfn);
  }
  const pages = stored.count;
  state.selected = {
    endPfn: selection.endPfn,
    ram: selection.ram.bytes,
    stored: stored.bytes,
    zero: zero.bytes,
    pages,
  };
  state.time = machine.time;
  const remarks = unknownRemarks(selection);
  return { ...done, pages, remarks };
}

function parametersOf(machine: Machine, state: MkdumpState): Values<typeof Parameters.fields> {
  const memory = new PhysicalMemory(machine.memory);
  return Parameters.read(memory.read(BigInt(state.resident.parameters), Parameters.size));
}

function ramTable(
  machine: Machine,
  { ram_table, ram_entries }: Values<typeof Parameters.fields>,
): PhysicalRange[] | undefined {
  if (ram_entries > maxRamEntries) return undefined;
  const bytes = new PhysicalMemory(machine.memory).read(BigInt(ram_table), ram_entries * 16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ranges = Array.from({ length: ram_entries }, (_, index) => ({
    start: Number(view.getBigUint64(index * 16, true)),
    end: Number(view.getBigUint64(index * 16 + 8, true)),
  }));
  const top = machine.memory.endPfn * machine.memory.pageSize;
  return ranges.every(({ start, end }) => start <= end && end <= top) ? ranges : undefined;
}

/** Header, VMCOREINFO, CPU slots and bitmaps, marked incomplete. */
function writeFront(machine: Machine, state: MkdumpState): StageResult {
  const parameters = parametersOf(machine, state);
  if (parameters.slots > maxSlots)
    return failed('the number of CPU slots makes no sense', 'parameters');
  const { selected, plan } = planned(state, parameters);
  const at = parameters.partition_start;
  if (plan.dataBlock * blockSize > parameters.partition_size) {
    return failed('the partition is too small for the bitmaps', 'dump partition');
  }
  const memory = new PhysicalMemory(machine.memory);
  const slots = memory.read(BigInt(parameters.registers), parameters.slots * CpuSlot.size);
  const slotBlocks = new Uint8Array((plan.ramBlock - plan.cpuBlock) * blockSize);
  for (let index = 0; index < parameters.slots; index++) {
    const block = Math.floor(index / slotsPerBlock);
    const place = block * blockSize + (index % slotsPerBlock) * CpuSlot.size;
    slotBlocks.set(slots.subarray(index * CpuSlot.size, (index + 1) * CpuSlot.size), place);
  }
  writeHeader(machine, state, ContainerStatus.incomplete);
  const text = memory.read(BigInt(parameters.vmcoreinfo), blockSize);
  polledWrite(machine, at + plan.vmcoreinfoBlock * blockSize, text.slice());
  polledWrite(machine, at + plan.cpuBlock * blockSize, slotBlocks);
  polledWrite(machine, at + plan.ramBlock * blockSize, padded(selected.ram));
  polledWrite(machine, at + plan.storedBlock * blockSize, padded(selected.stored));
  polledWrite(machine, at + plan.zeroBlock * blockSize, padded(selected.zero));
  return { ...done, bytes: plan.dataBlock * blockSize };
}

function padded(bytes: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(bytes.length / blockSize) * blockSize);
  blocks.set(bytes);
  return blocks;
}

function planned(state: MkdumpState, { slots }: Values<typeof Parameters.fields>) {
  const { selected } = state;
  if (selected === undefined) throw new TypeError('the stage that chooses pages comes first');
  return { selected, plan: planContainer(slots, selected.endPfn) };
}

function writeHeader(machine: Machine, state: MkdumpState, status: number): void {
  const parameters = parametersOf(machine, state);
  const { selected, plan } = planned(state, parameters);
  const memory = new PhysicalMemory(machine.memory);
  const block = new Uint8Array(blockSize);
  ContainerHeader.write(block, 0, {
    ...plannedFields(plan),
    magic: containerMagic,
    version: containerVersion,
    block_size: blockSize,
    status,
    level: parameters.level | (machine.input.level ?? 0),
    end_pfn: selected.endPfn,
    pages: selected.pages,
    pages_written: state.pagesWritten,
    time: state.time,
    phys_base: parameters.phys_base,
    panic_task: machine.panic.task,
    panic_cpu: machine.panic.cpu,
    cpu_slots: parameters.slots,
    vmcoreinfo_size: parameters.vmcoreinfo_size,
    uts: parameters.uts,
    panic_message: cstring(memory.read(BigInt(parameters.message), messageSize)),
  });
  polledWrite(machine, parameters.partition_start, block);
}

function writePages(machine: Machine, state: MkdumpState, tools: CaptureTools): StageResult {
  return orTripleFault(machine, () => writtenPages(machine, state, tools));
}

function writtenPages(machine: Machine, state: MkdumpState, tools: CaptureTools): StageResult {
  const memory = new MappedPages(machine, tablesAt(machine, state.pageTables), 0n);
  const parameters = parametersOf(machine, state);
  const { selected, plan } = planned(state, parameters);
  const first = plan.dataBlock * blockSize;
  const room = Math.floor((parameters.partition_size - first) / blockSize);
  const due = Math.min(selected.pages, room);
  for (const pfns of batches(selected, due)) {
    const pages = pfns.map((pfn) => memory.page(pfn).bytes ?? zeroPageOf(blockSize));
    machine.work(pages.length * blockSize, machine.hardware.cpu.copyBytesPerSecond, 'copy');
    const offset = parameters.partition_start + first + state.pagesWritten * blockSize;
    const problem = ioProblem(() => polledWrite(machine, offset, pages));
    if (problem !== undefined) {
      writeHeader(machine, state, ContainerStatus.incomplete);
      return failed(`${problem.message}, after ${state.pagesWritten} of ${due} pages`, 'disk');
    }
    state.pagesWritten += pfns.length;
    if (state.pagesWritten % pagesPerUpdate === 0) {
      writeHeader(machine, state, ContainerStatus.incomplete);
      tools.progress?.(state.pagesWritten, selected.pages);
    }
  }
  tools.progress?.(state.pagesWritten, selected.pages);
  if (due === selected.pages) return { ...done, pages: due, bytes: due * blockSize };
  writeHeader(machine, state, ContainerStatus.incomplete);
  const cause = `the partition is full after ${due} of ${selected.pages} pages`;
  return failed(cause, 'dump partition');
}

function ioProblem(write: () => void): DumpError | undefined {
  let problem: DumpError | undefined;
  attempt(write, (error) => {
    problem = error;
  });
  if (problem !== undefined && problem.code !== 'io') throw problem;
  return problem;
}

function* batches(selected: PagesToWrite, due: number): Generator<number[]> {
  const stored = new Bitmap(selected.stored);
  let batch: number[] = [];
  let count = 0;
  for (let pfn = stored.next(0); pfn >= 0 && count < due; pfn = stored.next(pfn + 1)) {
    batch.push(pfn);
    count++;
    if (batch.length === pagesPerWrite) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function complete(machine: Machine, state: MkdumpState): StageResult {
  writeHeader(machine, state, ContainerStatus.complete);
  return { ...done, pages: state.pagesWritten };
}
