/** After the reboot: the container on the raw partition becomes an LKCD dump. */

import { Bitmap } from '../../bytes/bitmap.ts';
import { DumpError } from '../../bytes/errors.ts';
import type { Sink } from '../../bytes/sink.ts';
import type { Values } from '../../bytes/struct.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import { type DumpContent, zeroPageOf } from '../../dump/content.ts';
import { writeLkcd } from '../../dump/lkcd/write.ts';
import { registersOf } from '../../dump/notes.ts';
import { joinRuns } from '../../dump/runs.ts';
import type { MemoryImage, Page, PageRun, PageState } from '../../dump/types.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import { CpuSlot, maxSlots } from '../cpu-slots.ts';
import type { AfterReboot, CaptureOptions, CaptureTools, Saved } from '../method.ts';
import {
  blockSize,
  ContainerHeader,
  ContainerMagic,
  ContainerStatus,
  containerMagic,
  containerVersion,
  slotsPerBlock,
} from './container.ts';

type Header = Values<typeof ContainerHeader.fields>;
/** Bytes of the partition, by offset in it. */
type Read = (offset: number, length: number) => Uint8Array;

/** Undefined where the partition holds no container. */
export function saveMkdump(
  { disk }: AfterReboot,
  sink: Sink,
  options: CaptureOptions,
  tools: CaptureTools,
): Saved | undefined {
  const partition = disk.partition('dump');
  const read: Read = (offset, length) => {
    if (offset + length > partition.size) {
      throw new DumpError('corrupt', 'the mkdump container ends behind its partition', {
        where: { file: partition.name, offset },
      });
    }
    return disk.peek(partition.start + offset, length);
  };
  const front = read(0, blockSize);
  // Without the magic these are somebody else's bytes, and no header.
  if (ContainerMagic.read(front).magic !== containerMagic) return undefined;
  const header = ContainerHeader.read(front);
  if (header.version !== containerVersion) {
    throw new DumpError('unsupported', `mkdump container of version ${header.version}`, {
      where: { file: partition.name },
    });
  }
  const image = new ContainerImage(partition.name, header, read);
  const { compression } = options;
  const isWhole = header.status === ContainerStatus.complete;
  // Cut before its bitmaps were on the disk, a container seems to have no page at all.
  const content = { ...contentOf(header, image, read), isIncomplete: () => !isWhole };
  const written = writeLkcd(sink, content, {
    compression: compression === 'rle' || compression === 'zlib' ? compression : 'none',
    level: header.level,
    codecs: tools.codecs,
    ...(tools.progress === undefined ? {} : { progress: tools.progress }),
  });
  const lost = `only ${header.pages_written} of ${header.pages} pages are on the partition`;
  return { bytes: written.bytes, remarks: isWhole ? [] : [lost] };
}

function contentOf(header: Header, image: MemoryImage, read: Read): DumpContent {
  const text = read(
    header.vmcoreinfo_block * blockSize,
    Math.min(header.vmcoreinfo_size, blockSize),
  );
  const slots = Array.from({ length: Math.min(header.cpu_slots, maxSlots) }, (_, index) => {
    const block = header.cpu_block + Math.floor(index / slotsPerBlock);
    const at = block * blockSize + (index % slotsPerBlock) * CpuSlot.size;
    return CpuSlot.read(read(at, CpuSlot.size));
  });
  return {
    image,
    uts: NewUtsname.read(header.uts),
    time: header.time,
    notes: [],
    vmcoreinfo: text.length === 0 ? undefined : decodeUtf8(text),
    physBase: header.phys_base,
    panic: {
      message: header.panic_message,
      task: header.panic_task,
      cpu: slots.findIndex(({ valid, number }) => valid === 1 && number === header.panic_cpu),
    },
    cpus: slots.map(({ registers, task, stack }) => ({
      registers: registersOf(registers),
      task,
      stack,
    })),
  };
}

/** The container's pages. One that was chosen and not written is promised and unreadable. */
class ContainerImage implements MemoryImage {
  readonly name: string;
  readonly pageSize = blockSize;
  readonly endPfn: number;
  readonly #header: Header;
  readonly #read: Read;
  readonly #ram: Bitmap;
  readonly #stored: Bitmap;
  readonly #zero: Bitmap;

  constructor(name: string, header: Header, read: Read) {
    this.name = name;
    this.#header = header;
    this.#read = read;
    const length = Math.ceil(header.end_pfn / 8);
    const bitmap = (block: number): Bitmap => new Bitmap(read(block * blockSize, length));
    this.endPfn = header.end_pfn;
    this.#ram = bitmap(header.ram_block);
    this.#stored = bitmap(header.stored_block);
    this.#zero = bitmap(header.zero_block);
  }

  state(pfn: number): PageState {
    if (this.#stored.has(pfn)) return 'stored';
    if (this.#zero.has(pfn)) return 'zero';
    return this.#ram.has(pfn) ? 'excluded' : 'missing';
  }

  readPage(pfn: number): Page {
    const state = this.state(pfn);
    if (state === 'zero') return { state, bytes: zeroPageOf(blockSize) };
    if (state !== 'stored') return { state, bytes: undefined };
    const index = this.#stored.rank(pfn);
    if (index >= this.#header.pages_written) return { state: 'missing', bytes: undefined };
    const offset = (this.#header.data_block + index) * blockSize;
    return { state, bytes: this.#read(offset, blockSize) };
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  *#pages(): Generator<PageRun> {
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      yield { first: pfn, end: pfn + 1, state: this.state(pfn) };
    }
  }
}
