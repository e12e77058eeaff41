/**
 * Reads KDUMP files. Both bitmaps are held in memory (a bit a page each), descriptors and data are
 * read on demand.
 *
 * - The header's compression bits are informational: each descriptor says how its page is packed.
 * - A stored page's descriptor number is the number of bits of the second bitmap before it.
 * - A descriptor with offset 0 is a page that the writer lost. Without looking, every page of a cut
 *   file would seem to be there: `state` reads the descriptor.
 * - Zero pages share one raw page of zeros. That is only seen by reading it: they are `stored`.
 */

import { Bitmap } from '../../bytes/bitmap.ts';
import { DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source, windowed } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { cstring } from '../../bytes/text.ts';
import type { Codecs, CompressionName } from '../../codec/types.ts';
import { isZeroPage, zeroPageOf } from '../content.ts';
import type { DumpFacts, OpenContext, OpenedFile, PageReader } from '../format.ts';
import { cpuStatesOf, maxNotesSize, parseNotes, vmcoreinfoOf } from '../notes.ts';
import { joinRuns } from '../runs.ts';
import type { ElfNote, Page, PageRun, PageState } from '../types.ts';
import { NewUtsname, utsnameOf } from '../utsname.ts';
import {
  blockSizeOffset32,
  compressionBits,
  compressionFlags,
  DiskDumpHeader,
  DumpStatus,
  diskdumpSignature,
  KdumpSubHeader,
  newestVersion,
  PageDescriptor,
  subHeaderSizes,
} from './layout.ts';

type Header = Values<typeof DiskDumpHeader.fields>;
type SubHeader = Values<typeof KdumpSubHeader.fields>;

const maxVmcoreinfoSize = 1024 * 1024;
/** So many descriptors from the end tell whether the file was cut; zero pages say nothing. */
const descriptorsToProbe = 1024;

export async function openKdump(source: Source, context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const sub = readSubHeader(source, header);
  const geometry = geometryOf(source, header, sub);
  const { notes, vmcoreinfo, problem } = readNotes(source, header, sub);
  const pages = new KdumpPages(source, geometry, context.codecs, [
    (header.status & DumpStatus.incomplete) !== 0 ? 'the header says incomplete' : undefined,
    problem,
  ]);
  for (const name of namesOf(header.status | pages.firstFlags())) {
    await context.codecs.prepare(name);
  }
  const names = namesOf(header.status);
  const facts: DumpFacts = {
    format: 'kdump',
    description: `KDUMP v${header.header_version}, ${names.join(', ') || 'uncompressed'}`,
    architecture: 'x86_64',
    uts: utsnameOf(header.utsname),
    time: header.tv_sec === 0n ? undefined : Number(header.tv_sec),
    notes,
    cpus: cpuStatesOf(notes),
    vmcoreinfo,
    panic: undefined,
    level: header.header_version >= 1 ? sub.dump_level : undefined,
  };
  return { facts, pages };
}

const compressionOf = new Map([...compressionFlags].map(([name, bit]) => [bit, name]));

function namesOf(flags: number): CompressionName[] {
  return [...compressionFlags].filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
}

function readHeader(source: Source): Header {
  const header = readStruct(source, 0, DiskDumpHeader);
  const where = { file: source.name, offset: DiskDumpHeader.offsetOf('block_size') };
  if (header.signature === diskdumpSignature) {
    throw new DumpError('unsupported', 'classic diskdump files are not read', {
      where: { file: source.name, offset: 0 },
      hint: 'diskdump files of RHEL 3 and 4: open them with crash',
    });
  }
  if (!isBlockSize(header.block_size)) {
    const start = readExactly(source, 0, DiskDumpHeader.size, DiskDumpHeader.name);
    const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
    if (isBlockSize(view.getInt32(blockSizeOffset32, true))) {
      throw new DumpError('unsupported', 'a KDUMP file of a 32-bit kernel', { where });
    }
    if (isBlockSize(view.getInt32(DiskDumpHeader.offsetOf('block_size'), false))) {
      throw new DumpError('unsupported', 'a KDUMP file of a big-endian machine', { where });
    }
    throw new DumpError('corrupt', `KDUMP header: block size ${header.block_size}`, { where });
  }
  const version = header.header_version;
  if (version < 0 || version > newestVersion) {
    throw new DumpError('unsupported', `KDUMP header version ${version}`, {
      where: { file: source.name, offset: DiskDumpHeader.offsetOf('header_version') },
      hint: `versions up to ${newestVersion} are known`,
    });
  }
  const { machine } = NewUtsname.read(header.utsname);
  if (machine !== '' && machine !== 'x86_64') {
    throw new DumpError('unsupported', `a dump of machine type ${machine}`, {
      where: { file: source.name, offset: DiskDumpHeader.offsetOf('utsname') },
      hint: 'only x86_64 dumps are read',
    });
  }
  return header;
}

function isBlockSize(size: number): boolean {
  return size >= 4096 && size <= 65536 && (size & (size - 1)) === 0;
}

/** Members that the header's version does not have yet are 0. */
function readSubHeader(source: Source, header: Header): SubHeader {
  const offset = header.block_size;
  const known = subHeaderSizes[header.header_version]!;
  const bytes = new Uint8Array(KdumpSubHeader.size);
  bytes.set(readExactly(source, offset, known, KdumpSubHeader.name));
  const sub = within(KdumpSubHeader.name, { file: source.name, offset }, () =>
    KdumpSubHeader.read(bytes),
  );
  if (sub.split !== 0) {
    throw new DumpError('unsupported', 'one part of a split dump', {
      where: { file: source.name, offset: offset + KdumpSubHeader.offsetOf('split') },
      hint: 'join the parts first: makedumpfile --reassemble PART1 PART2 ... WHOLE',
    });
  }
  return sub;
}

interface Geometry {
  readonly pageSize: number;
  readonly endPfn: number;
  /** Pages that are RAM, and pages that have a descriptor: the same where the file has but one. */
  readonly ram: Bitmap;
  readonly stored: Bitmap;
  readonly descriptorsAt: number;
}

function geometryOf(source: Source, header: Header, sub: SubHeader): Geometry {
  const pageSize = header.block_size;
  const endPfn = header.header_version >= 6 ? sub.max_mapnr_64 : header.max_mapnr;
  const where = { file: source.name, offset: DiskDumpHeader.offsetOf('sub_hdr_size') };
  if (header.sub_hdr_size < 1) {
    throw new DumpError('corrupt', `KDUMP header: sub header of ${header.sub_hdr_size} blocks`, {
      where,
    });
  }
  const bitmapsAt = (1 + header.sub_hdr_size) * pageSize;
  const bitmapsSize = header.bitmap_blocks * pageSize;
  const blocksOfOne = Math.ceil(Math.ceil(endPfn / 8) / pageSize);
  if (header.bitmap_blocks < blocksOfOne || endPfn === 0) {
    const message = `KDUMP header: ${header.bitmap_blocks} bitmap blocks for ${endPfn} pages`;
    throw new DumpError('corrupt', message, { where });
  }
  const two = header.bitmap_blocks >= 2 * blocksOfOne;
  const halfSize = two ? Math.floor(bitmapsSize / 2) : bitmapsSize;
  const bitmapAt = (offset: number): Bitmap =>
    new Bitmap(readExactly(source, offset, Math.ceil(endPfn / 8), 'page bitmap').slice());
  const ram = bitmapAt(bitmapsAt);
  const stored = two ? bitmapAt(bitmapsAt + halfSize) : ram;
  return { pageSize, endPfn, ram, stored, descriptorsAt: bitmapsAt + bitmapsSize };
}

interface NotesOfFile {
  readonly notes: readonly ElfNote[];
  readonly vmcoreinfo: string | undefined;
  readonly problem: string | undefined;
}

/** Damaged notes do not lose the memory: what can be read of them is returned with the problem. */
function readNotes(source: Source, header: Header, sub: SubHeader): NotesOfFile {
  const { offset_note, size_note, offset_vmcoreinfo, size_vmcoreinfo } = sub;
  try {
    const blob = size_note > 0 ? blobAt(source, offset_note, size_note, maxNotesSize) : undefined;
    const parsed = parseNotes(blob ?? new Uint8Array(0));
    const problem = parsed.problem === undefined ? undefined : `ELF notes: ${parsed.problem}`;
    let vmcoreinfo = vmcoreinfoOf(parsed.notes);
    if (vmcoreinfo === undefined && size_vmcoreinfo > 0) {
      const bytes = blobAt(source, offset_vmcoreinfo, size_vmcoreinfo, maxVmcoreinfoSize);
      vmcoreinfo = cstring(bytes);
    }
    return { notes: parsed.notes, vmcoreinfo, problem };
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    const offset = header.block_size + KdumpSubHeader.offsetOf('offset_note');
    const problem = `ELF notes (named at offset ${offset}): ${error.message}`;
    return { notes: [], vmcoreinfo: undefined, problem };
  }
}

function blobAt(source: Source, offset: number, size: number, limit: number): Uint8Array {
  if (size > limit) throw new DumpError('corrupt', `${size} bytes are more than any kernel writes`);
  return readExactly(source, offset, size, 'the note blob');
}

interface Descriptor {
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
}

class KdumpPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly #source: Source;
  readonly #descriptors: Source;
  readonly #data: Source;
  readonly #geometry: Geometry;
  readonly #codecs: Codecs;
  readonly #problems: string[];
  /** The page that was stored as it is and read last. */
  #raw: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  #last: { readonly index: number; readonly descriptor: Descriptor } | undefined;
  #cut = false;
  #lost = false;

  constructor(
    source: Source,
    geometry: Geometry,
    codecs: Codecs,
    problems: readonly (string | undefined)[],
  ) {
    this.pageSize = geometry.pageSize;
    this.endPfn = geometry.endPfn;
    this.#source = source;
    this.#descriptors = windowed(source);
    // Small windows: the kernel's structures are followed all over the file.
    this.#data = source.inMemory === true ? source : windowed(source, 32 * 1024, 32);
    this.#geometry = geometry;
    this.#codecs = codecs;
    this.#problems = problems.filter((problem) => problem !== undefined);
    this.#probeEnd();
  }

  get incomplete(): string | undefined {
    const cut = this.#cut ? [`the file is cut at ${this.#source.size} bytes`] : [];
    const lost = this.#lost ? ['pages were lost when it was written'] : [];
    const problems = [...this.#problems, ...lost, ...cut];
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  /** Compression flags of the first descriptors: the header's may be wrong. */
  firstFlags(): number {
    let flags = 0;
    const count = Math.min(this.#geometry.stored.count, descriptorsToProbe);
    for (let index = 0; index < count; index++) flags |= this.#descriptor(index)?.flags ?? 0;
    return flags & compressionBits;
  }

  state(pfn: number): PageState {
    const { ram, stored } = this.#geometry;
    if (!this.#isPfn(pfn)) return 'missing';
    if (!stored.has(pfn)) return ram.has(pfn) ? 'excluded' : 'missing';
    return this.#storedState(stored.rank(pfn));
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  *#pages(): Generator<PageRun> {
    const { ram, stored } = this.#geometry;
    let index = 0;
    for (let pfn = 0; pfn < this.endPfn; pfn++) {
      let state: PageState;
      if (stored.has(pfn)) state = this.#storedState(index++);
      else state = ram.has(pfn) ? 'excluded' : 'missing';
      yield { first: pfn, end: pfn + 1, state };
    }
  }

  load(pfn: number): Page {
    const { ram, stored } = this.#geometry;
    if (!this.#isPfn(pfn)) return { state: 'missing', bytes: undefined };
    if (!stored.has(pfn)) {
      return { state: ram.has(pfn) ? 'excluded' : 'missing', bytes: undefined };
    }
    const index = stored.rank(pfn);
    const offset = this.#descriptorOffset(index);
    try {
      const descriptor = this.#descriptor(index);
      if (descriptor === undefined) throw this.#cutError(`page descriptor ${index}`);
      if (descriptor.offset === 0) {
        throw new DumpError('absent', `page descriptor ${index} says that the page was lost`);
      }
      return { state: 'stored', bytes: this.#decode(descriptor, index) };
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const problem = new DumpError(error.code, error.message, {
        where: { file: this.#source.name, offset, pfn, ...error.where },
        hint: error.hint,
        cause: error.cause,
      });
      const lost = error.code === 'truncated' || error.code === 'absent';
      return { state: lost ? 'missing' : 'damaged', bytes: undefined, problem };
    }
  }

  #decode({ offset, size, flags }: Descriptor, index: number): Uint8Array {
    if (size === 0 || size > this.pageSize) {
      const message = `page descriptor ${index} says ${size} bytes, the page has ${this.pageSize}`;
      throw new DumpError('corrupt', message);
    }
    const name = compressionOf.get(flags);
    if (name === undefined) {
      throw new DumpError('corrupt', `page descriptor ${index} has flags 0x${flags.toString(16)}`);
    }
    if (offset + size > this.#source.size) throw this.#cutError(`page data of ${size} bytes`);
    // All zero pages share one.
    if (this.#raw?.offset === offset && flags === 0) return this.#raw.bytes;
    const data = readExactly(this.#data, offset, size, 'page data');
    const bytes = within('page data', { offset }, () =>
      this.#codecs.get(name).decompress(data, this.pageSize),
    );
    if (flags !== 0) return bytes;
    const page = isZeroPage(bytes) ? zeroPageOf(this.pageSize) : bytes;
    this.#raw = { offset, bytes: page };
    return page;
  }

  #isPfn(pfn: number): boolean {
    return pfn >= 0 && pfn < this.endPfn;
  }

  #storedState(index: number): PageState {
    const descriptor = this.#descriptor(index);
    if (descriptor === undefined) return 'missing';
    const { offset, size } = descriptor;
    if (offset === 0) {
      this.#lost = true;
      return 'missing';
    }
    // A size that cannot be is damage, no cut: reading the page will say so.
    if (size > this.pageSize) return 'stored';
    if (offset + size > this.#source.size) {
      this.#cut = true;
      return 'missing';
    }
    return this.#source.lost?.(offset, size) === true ? 'missing' : 'stored';
  }

  #descriptorOffset(index: number): number {
    return this.#geometry.descriptorsAt + index * PageDescriptor.size;
  }

  /** Undefined past the end of a cut file. */
  #descriptor(index: number): Descriptor | undefined {
    // `state`, then `load`, of the same page.
    if (this.#last?.index === index) return this.#last.descriptor;
    const bytes = this.#descriptors.read(this.#descriptorOffset(index), PageDescriptor.size);
    if (bytes.length < PageDescriptor.size) {
      this.#cut = true;
      return undefined;
    }
    // Not by PageDescriptor.read: this is the inner loop of `runs`, and a big offset is no error.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const offset = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const descriptor = { offset, size: view.getUint32(8, true), flags: view.getUint32(12, true) };
    this.#last = { index, descriptor };
    return descriptor;
  }

  #cutError(what: string): DumpError {
    this.#cut = true;
    return new DumpError('truncated', `${what} lies past the end of the file`, {
      hint: 'the pages before the cut can be read',
    });
  }

  /** Makes `incomplete` right from the start for a file that was cut. */
  #probeEnd(): void {
    const count = this.#geometry.stored.count;
    for (let index = Math.max(0, count - descriptorsToProbe); index < count; index++) {
      this.#storedState(index);
    }
  }
}
