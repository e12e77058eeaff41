/**
 * What is written to a partition: the header as incomplete, the registers, the bitmaps, the pages
 * by four, the header as it came to be. Block 0 is the partition's own and never written to.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { assert } from '../../bytes/errors.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import type { Codec } from '../../codec/types.ts';
import { type DumpContent, zeroPageOf } from '../../dump/content.ts';
import { encodeMainHeader, encodeSubHeader } from '../../dump/diskdump/encode.ts';
import {
  DumpStatus,
  partitionHeaderBlock,
  StreamFlags,
  StreamPage,
  streamPadding,
} from '../../dump/diskdump/layout.ts';
import { placesOf } from '../../dump/diskdump/partition-write.ts';
import { FilteredImage } from '../../dump/filtered.ts';
import { registersOf } from '../../dump/notes.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import type { Machine } from '../../machine/machine.ts';
import { type CaptureTools, done, failed, type StageResult } from '../method.ts';
import type { Target } from './driver.ts';
import { DirectMap } from './pages.ts';
import { factsOf } from './panic.ts';
import { scratchPages, tasksOffset } from './resident.ts';
import type { DiskdumpState, PagesToWrite } from './state.ts';

const blockSize = 4096;
/** A block of the second bitmap: so often the header is brought up to date. */
const pagesPerUpdate = blockSize * 8;

interface Plan {
  readonly selected: PagesToWrite;
  readonly subHeader: Uint8Array;
  readonly subHeaderBlocks: number;
  readonly bitmapBlocks: number;
  /** Some pages of RAM are left out, or pages are packed: there are two bitmaps. */
  readonly isPartial: boolean;
  readonly dataBlock: number;
  readonly blocks: number;
  readonly content: DumpContent;
}

function planFor(machine: Machine, state: DiskdumpState, { size }: Target): Plan {
  const { selected } = state;
  assert(selected !== undefined, 'pages were chosen');
  const content = contentOf(machine, state, selected);
  const subHeader = encodeSubHeader(content, levelOf(machine, state));
  const subHeaderBlocks = Math.ceil(subHeader.length / blockSize);
  const isPartial = state.options.compression === 'zlib' || selected.pages < selected.ramPages;
  const bitmapBlocks = Math.ceil(selected.ram.length / blockSize) * (isPartial ? 2 : 1);
  const dataBlock = partitionHeaderBlock + 1 + subHeaderBlocks + bitmapBlocks;
  const blocks = Math.floor(size / blockSize);
  return {
    selected, subHeader, subHeaderBlocks, bitmapBlocks, isPartial, dataBlock, blocks, content,
  }; // biome-ignore format: a list
}

/** What the input left out is left out of this dump as well. */
function levelOf({ input }: Machine, { options }: DiskdumpState): number {
  return options.level | (input.level ?? 0);
}

/** What the headers say, from the crashed kernel's memory. */
function contentOf(machine: Machine, state: DiskdumpState, selected: PagesToWrite): DumpContent {
  const { panicCpu, cpus, panic, kernel } = machine;
  const { memory } = panicCpu;
  const { data, vmcoreinfo, vmcoreinfo_size } = factsOf(machine, state.resident.diskdump);
  const text = memory.read(vmcoreinfo, Math.min(vmcoreinfo_size, blockSize));
  const slots = Math.max(...cpus.map(({ number }) => number)) + 1;
  const none = registersOf([]);
  return {
    image: new FilteredImage(machine.memory, {
      kept: new Bitmap(selected.stored),
      endPfn: selected.endPfn,
    }),
    uts: NewUtsname.read(memory.read(state.resident.uts, NewUtsname.size)),
    time: state.time,
    notes: [],
    vmcoreinfo: text.length === 0 ? undefined : decodeUtf8(text),
    physBase: kernel.vmcoreinfo.physBase ?? 0n,
    panic: { message: '', task: panicCpu.task, cpu: panic.cpu },
    cpus: Array.from({ length: slots }, (_, number) => {
      const index = cpus.findIndex((cpu) => cpu.number === number);
      const task = index < 0 ? 0n : memory.u64(data + BigInt(tasksOffset + index * 8));
      const registers = number === panic.cpu ? panicCpu.registers : undefined;
      return { task, registers: registers ?? none, stack: 0n };
    }),
  };
}

function writeHeader(
  machine: Machine,
  state: DiskdumpState,
  { disk, start }: Target,
  plan: Plan,
  status: number,
): void {
  const { compression } = state.options;
  const header = encodeMainHeader(
    plan.content,
    { compression: compression === 'zlib' ? 'zlib' : 'none', level: levelOf(machine, state) },
    {
      status,
      subHeaderBlocks: plan.subHeaderBlocks,
      bitmapBlocks: plan.bitmapBlocks,
      ramPages: plan.selected.ramPages,
      deviceBlocks: plan.blocks,
      writtenBlocks: state.nextBlock,
    },
  );
  disk.write(start + partitionHeaderBlock * blockSize, [header]);
}

export function writeHeaders(machine: Machine, state: DiskdumpState, target: Target): StageResult {
  const plan = planFor(machine, state, target);
  if (plan.dataBlock > plan.blocks) {
    return failed('it is too small for the headers', target.registered.name);
  }
  target.disk.execute();
  state.nextBlock = plan.dataBlock;
  state.pagesWritten = 0;
  writeHeader(machine, state, target, plan, DumpStatus.incompleted);
  const blocks = new Uint8Array(plan.subHeaderBlocks * blockSize);
  blocks.set(plan.subHeader);
  target.disk.write(target.start + (partitionHeaderBlock + 1) * blockSize, [blocks]);
  return { ...done, bytes: blockSize + blocks.length };
}

export function writeBitmaps(machine: Machine, state: DiskdumpState, target: Target): StageResult {
  const { selected, subHeaderBlocks, bitmapBlocks, isPartial } = planFor(machine, state, target);
  target.disk.execute();
  const size = (bitmapBlocks / (isPartial ? 2 : 1)) * blockSize;
  const padded = (bytes: Uint8Array): Uint8Array => {
    const map = new Uint8Array(size);
    map.set(bytes);
    return map;
  };
  const maps = [padded(selected.ram)];
  if (isPartial) {
    const places = placesOf(new Bitmap(selected.ram), new Bitmap(selected.stored));
    maps.push(padded(places.bytes));
  }
  const at = target.start + (partitionHeaderBlock + 1 + subHeaderBlocks) * blockSize;
  target.disk.write(at, maps);
  return { ...done, bytes: maps.length * size };
}

export function writePages(
  machine: Machine,
  state: DiskdumpState,
  target: Target,
  tools: CaptureTools,
): StageResult {
  const plan = planFor(machine, state, target);
  target.disk.execute();
  const writing = new PagesOnPartition(machine, state, target, plan, tools);
  const memory = new DirectMap(machine);
  const stored = new Bitmap(plan.selected.stored);
  for (let pfn = stored.next(0); pfn >= 0; pfn = stored.next(pfn + 1)) {
    if (!writing.add(memory.page(pfn) ?? zeroPageOf(blockSize))) break;
  }
  writing.finish();
  const { pagesWritten: pages } = state;
  tools.progress?.(pages, plan.selected.pages);
  const bytes = (state.nextBlock - plan.dataBlock) * blockSize;
  if (pages === plan.selected.pages) return { ...done, pages, bytes };
  const remark = `${target.registered.name} is full after ${pages} of ${plan.selected.pages} pages`;
  return { ...done, pages, bytes, remarks: [remark] };
}

/** Pages on their way to the disk, four blocks at a time. */
class PagesOnPartition {
  readonly #machine: Machine;
  readonly #state: DiskdumpState;
  readonly #target: Target;
  readonly #plan: Plan;
  readonly #tools: CaptureTools;
  readonly #isPacked: boolean;
  readonly #codec: Codec;
  /** No page is begun that might not fit. */
  readonly #lastStart: number;
  #parts: Uint8Array[] = [];
  #pages = 0;
  #length = 0;
  /** Byte of the partition. */
  #at: number;

  constructor(
    machine: Machine,
    state: DiskdumpState,
    target: Target,
    plan: Plan,
    tools: CaptureTools,
  ) {
    this.#machine = machine;
    this.#state = state;
    this.#target = target;
    this.#plan = plan;
    this.#tools = tools;
    const { compression } = state.options;
    this.#isPacked = compression === 'zlib';
    this.#codec = tools.codecs.get(compression);
    const largest = blockSize + (this.#isPacked ? StreamPage.size : 0);
    this.#lastStart = plan.blocks * blockSize - largest;
    this.#at = state.nextBlock * blockSize;
  }

  /** False: the partition is full. */
  add(page: Uint8Array): boolean {
    if (this.#at + this.#length > this.#lastStart) return false;
    const packed = this.#codec.compress(page);
    const bytes = packed ?? page;
    if (this.#isPacked) {
      const flags = packed === undefined ? 0 : StreamFlags.zlib;
      this.#push(StreamPage.encode({ size: bytes.length, flags }));
    }
    this.#push(bytes);
    this.#pages++;
    // Packed pages are written as they end, not cut at a block: then they are kept as they are.
    if (this.#length >= scratchPages * blockSize) this.#flush();
    return true;
  }

  /** Fills up the last block. */
  finish(): void {
    const rest = (this.#at + this.#length) % blockSize;
    if (rest > 0) this.#push(new Uint8Array(blockSize - rest).fill(streamPadding));
    this.#flush();
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  #flush(): void {
    if (this.#length === 0) return;
    const { cpu } = this.#machine.hardware;
    const { compression } = this.#state.options;
    const copied = this.#pages * blockSize;
    const rate = this.#isPacked ? cpu.compressBytesPerSecond[compression] : cpu.copyBytesPerSecond;
    this.#machine.work(copied, rate, this.#isPacked ? 'compression' : 'copy');
    this.#target.disk.write(this.#target.start + this.#at, this.#parts);
    this.#at += this.#length;
    const before = this.#state.pagesWritten;
    this.#state.pagesWritten += this.#pages;
    this.#state.nextBlock = Math.ceil(this.#at / blockSize);
    this.#parts = [];
    this.#length = 0;
    this.#pages = 0;
    const updates = (pages: number): number => Math.floor(pages / pagesPerUpdate);
    if (updates(this.#state.pagesWritten) === updates(before)) return;
    writeHeader(this.#machine, this.#state, this.#target, this.#plan, DumpStatus.incompleted);
    this.#tools.progress?.(this.#state.pagesWritten, this.#plan.selected.pages);
  }
}

/** What the header says in the end, and the cache on the medium. */
export function writeEnd(machine: Machine, state: DiskdumpState, target: Target): StageResult {
  const plan = planFor(machine, state, target);
  target.disk.execute();
  const isWhole = state.pagesWritten === plan.selected.pages;
  const short = plan.isPartial ? DumpStatus.shortArea : DumpStatus.incompleted;
  writeHeader(machine, state, target, plan, isWhole ? DumpStatus.completed : short);
  target.disk.synchronize();
  return { ...done, pages: state.pagesWritten };
}
