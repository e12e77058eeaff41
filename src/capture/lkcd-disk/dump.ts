/**
 * Writing the dump to its device: header, passes over memory, end, header again. All through one
 * buffer. The first 64 KB of the device stay as they are, because a swap header may stand there;
 * nothing else of the device is looked at. Source: LKCD's dump_execute.c, dump_scheme.c,
 * dump_blockdev.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { CompressionName } from '../../codec/types.ts';
import { isZeroPage, zeroPageOf } from '../../dump/content.ts';
import { PageFlags } from '../../dump/lkcd/layout.ts';
import { headerArea, recordEncoder } from '../../dump/lkcd/write.ts';
import type { Machine } from '../../machine/machine.ts';
import { contentOf } from '../_lkcd/content.ts';
import { inDump } from '../_lkcd/panic.ts';
import { type Pass, pagesOfPass, passesTo } from '../_lkcd/passes.ts';
import { execute } from '../_lkcd/resident.ts';
import { MappedPages } from '../mapped-pages.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  done,
  failed,
  type Stage,
  type StageResult,
} from '../method.ts';
import { blockLayer } from './block-layer.ts';
import type { LkcdDiskState } from './state.ts';

/** DUMP_HEADER_OFFSET's place on the device. */
export const deviceOffset = 64 * 1024;
/** DUMP_BUFFER_SIZE. */
const bufferSize = 64 * 1024;
const pagesPerProgress = 1024;

export function dumpStages({ level }: CaptureOptions): readonly Stage<LkcdDiskState>[] {
  return [
    inDump('header', writeHeader),
    ...passesTo(level).map((pass) =>
      inDump<LkcdDiskState>(pass.name, (machine, state, tools) =>
        writePass(machine, state, tools, pass),
      ),
    ),
    inDump('end', end),
  ];
}

/** A file that grows on the device, a buffer at a time. Throws `io`. */
class DeviceFile {
  readonly #machine: Machine;
  readonly #state: LkcdDiskState;
  readonly #write: ReturnType<typeof blockLayer>;
  /** Bytes that are compressed in a second. */
  readonly #speed: number;
  #parts: Uint8Array[] = [];
  #length = 0;
  #packed = 0;

  constructor(machine: Machine, state: LkcdDiskState) {
    const { compression } = state.options;
    this.#speed = machine.hardware.cpu.compressBytesPerSecond[compression];
    this.#machine = machine;
    this.#state = state;
    this.#write = blockLayer(machine, state);
  }

  /** A record and its page. `packed`: the bytes that were compressed for it. */
  append(record: Uint8Array, data: Uint8Array, packed: number): void {
    const length = record.length + data.length;
    if (this.#length + length > bufferSize) this.flush();
    this.#parts.push(record, data);
    this.#length += length;
    this.#packed += packed;
  }

  flush(): void {
    if (this.#length === 0) return;
    const [parts, length, packed] = [this.#parts, this.#length, this.#packed];
    this.#parts = [];
    this.#length = 0;
    this.#packed = 0;
    this.#machine.work(packed, this.#speed, 'compress');
    this.writeAt(this.#state.offset, parts, length);
    this.#state.offset += length;
  }

  writeAt(offset: number, parts: readonly Uint8Array[], length: number): void {
    const { start, size, name } = this.#machine.disk.partition('dump');
    if (deviceOffset + offset + length > size) {
      throw new DumpError('io', `ENOSPC: ${name} has no room for what comes after ${offset} bytes`);
    }
    this.#write(start + deviceOffset + offset, parts);
  }
}

/** What `body` has on the device before it fails by `io` stays there. */
function orEnd(state: LkcdDiskState, body: () => StageResult): StageResult {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== 'io') throw error;
    return failed(`${error.message}, after ${state.pages} pages`, 'dump device');
  }
}

function writeHeader(machine: Machine, state: LkcdDiskState): StageResult {
  return orEnd(state, () => {
    state.time = machine.time;
    const area = headerOf(machine, state);
    machine.panicCpu.memory.translate(state.buffer);
    new DeviceFile(machine, state).writeAt(0, [area], area.length);
    state.offset = area.length;
    return { ...done, bytes: area.length };
  });
}

function headerOf(machine: Machine, state: LkcdDiskState): Uint8Array {
  const { level } = state.options;
  const options = { level, compression: compressionOf(state.options.compression) };
  return headerArea(contentOf(machine, state), options, state.pages);
}

function writePass(
  machine: Machine,
  state: LkcdDiskState,
  tools: CaptureTools,
  pass: Pass,
): StageResult {
  execute(machine, 'dump_page');
  const { pages, unknown } = pagesOfPass(machine, state, pass, state.written);
  const compress = compressor(state, tools, machine.memory.pageSize);
  const encode = recordEncoder();
  const pageSize = machine.memory.pageSize;
  const file = new DeviceFile(machine, state);
  const first = { pages: state.pages, offset: state.offset };
  const result = orEnd(state, () => {
    for (const [pfn, bytes] of pagesOf(machine, pages)) {
      const [flags, data] = compress(bytes);
      file.append(encode(pfn * pageSize, data.length, flags), data, bytes.length);
      state.written[pfn >> 3]! |= 1 << (pfn & 7);
      state.pages++;
      if (state.pages % pagesPerProgress === 0)
        tools.progress?.(state.pages, machine.memory.endPfn);
    }
    file.flush();
    return done;
  });
  const remarks = unknown > 0 ? [`${unknown} page frames without a readable struct page`] : [];
  const counts = { pages: state.pages - first.pages, bytes: state.offset - first.offset };
  return { ...result, ...counts, remarks };
}

/** Through the crashed kernel's direct map. A page that the machine does not have is left out. */
function* pagesOf(
  machine: Machine,
  pages: { next(from: number): number },
): Generator<readonly [pfn: number, bytes: Uint8Array]> {
  const { panicCpu } = machine;
  const memory = new MappedPages(machine, panicCpu.memory, panicCpu.pageOffset);
  for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) {
    const { bytes } = memory.page(pfn);
    if (bytes !== undefined) yield [pfn, bytes];
  }
}

type Packed = readonly [flags: number, data: Uint8Array];

function compressor(
  { options: { compression } }: LkcdDiskState,
  { codecs }: CaptureTools,
  pageSize: number,
): (bytes: Uint8Array) => Packed {
  const codec = codecs.get(compression);
  const zeros = zeroPageOf(pageSize);
  return (bytes) => {
    const page = isZeroPage(bytes) ? zeros : bytes;
    const packed = codec.compress(page);
    return packed === undefined ? [PageFlags.raw, page] : [PageFlags.compressed, packed];
  };
}

function end(machine: Machine, state: LkcdDiskState): StageResult {
  execute(machine, 'dump_end');
  return orEnd(state, () => {
    const file = new DeviceFile(machine, state);
    file.append(recordEncoder()(0, 0, PageFlags.end), new Uint8Array(0), 0);
    file.flush();
    const area = headerOf(machine, state);
    file.writeAt(0, [area], area.length);
    return { ...done, pages: state.pages };
  });
}

function compressionOf(name: CompressionName): 'none' | 'rle' | 'zlib' {
  return name === 'rle' || name === 'zlib' ? name : 'none';
}
