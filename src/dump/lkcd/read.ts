/**
 * Reads LKCD dumps, versions 5 to 10. Versions 1 to 3 are known by their headers and refused.
 *
 * The arch header is optional, as in crash: a bad one loses the registers, not the memory. crash
 * ignores it before version 8, and so does this.
 */

import { DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source, windowed } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { cstring, latin1 } from '../../bytes/text.ts';
import type { Codec, Codecs, CompressionName } from '../../codec/types.ts';
import { zeroPageOf } from '../content.ts';
import type { OpenContext, OpenedFile, PageReader } from '../format.ts';
import { registersOf } from '../notes.ts';
import { joinRuns } from '../runs.ts';
import type { CpuState, Page, PageRun, PageState } from '../types.ts';
import { utsnameOf } from '../utsname.ts';
import {
  ArchHeader,
  archMagic,
  compressionIds,
  cpuRegisters,
  dumpMagic,
  HeaderV5,
  HeaderV8,
  HeaderV9Tail,
  headerAreaSize,
  liveMagic,
  PageFlags,
  PageRecord,
  registersSize,
  slotSize,
  VmcoreinfoBlock,
  versionMask,
  vmcoreinfoAlign,
  vmcoreinfoMagic,
} from './layout.ts';
import { PageIndex, recordFlaw } from './page-index.ts';

type Header = Values<typeof HeaderV8.fields>;

/** LKCD sized the area for its largest machines well below this. */
const maxHeaderArea = 64 * 1024 * 1024;

export async function openLkcd(source: Source, context: OpenContext): Promise<OpenedFile> {
  const { version, header } = readHeader(source);
  const pageSize = header.dh_page_size;
  const compression = compressionOf(source, header.dh_dump_compress);
  await context.codecs.prepare(compression);
  const firstRecord = firstRecordOffset(source, version, pageSize);
  const message = header.dh_panic_string;
  const task = header.dh_current_task;
  return {
    facts: {
      format: 'lkcd',
      description: `LKCD v${version}, ${compression === 'none' ? 'uncompressed' : compression}`,
      uts: utsnameOf(header.utsname),
      time: header.tv_sec === 0n ? undefined : Number(header.tv_sec),
      notes: [],
      cpus: version >= 8 ? readCpus(source, header.dh_header_size, firstRecord) : [],
      panic: message === '' && task === 0n ? undefined : { message, task },
      ...readOwnBlock(source, firstRecord),
    },
    pages: new LkcdPages(source, firstRecord, pageSize, context.codecs, compression),
  };
}

function readHeader(source: Source): { version: number; header: Header } {
  const start = readStruct(source, 0, HeaderV8);
  const refuse = (message: string, hint: string): DumpError =>
    new DumpError('unsupported', message, {
      where: { file: source.name, offset: HeaderV8.offsetOf('dh_version') },
      hint,
    });
  if (start.dh_magic !== dumpMagic && start.dh_magic !== liveMagic) {
    throw refuse('an LKCD dump of a big-endian machine', 'only x86_64 dumps are read');
  }
  const version = start.dh_version & versionMask;
  if (start.dh_version !== version) {
    throw refuse('an LKCD dump of the MCLX variant', 'crash reads it');
  }
  if (version < 5 || version > 10) {
    throw refuse(`LKCD version ${version}`, 'versions 5 to 10 are read');
  }
  const header: Header = version < 8 ? readStruct(source, 0, HeaderV5) : start;
  const page = header.dh_page_size;
  if (page < 4096 || page > 65536 || (page & (page - 1)) !== 0) {
    throw new DumpError('corrupt', `LKCD header: page size ${page}`, {
      where: { file: source.name, offset: HeaderV8.offsetOf('dh_page_size') },
    });
  }
  if (version < 8 && utsnameOf(header.utsname)?.sysname !== 'Linux') {
    throw refuse(`LKCD version ${version} of a 32-bit kernel`, 'only x86_64 dumps are read');
  }
  return { version, header };
}

function compressionOf(source: Source, id: number): CompressionName {
  for (const [name, known] of compressionIds) {
    if (known === id) return name;
  }
  throw new DumpError('unsupported', `LKCD compression ${id}`, {
    where: { file: source.name, offset: HeaderV8.offsetOf('dh_dump_compress') },
  });
}

/**
 * 64 KiB, or what version 9 says. Of version 10 files crash takes 64 KiB and libkdumpfile the
 * member: the place with a sound record is right.
 */
function firstRecordOffset(source: Source, version: number, pageSize: number): number {
  if (version < 9) return headerAreaSize;
  const offset = HeaderV8.size;
  const { dh_dump_buffer_size } = readStruct(source, offset, HeaderV9Tail);
  const plausible = dh_dump_buffer_size >= offset && dh_dump_buffer_size <= maxHeaderArea;
  if (plausible && (version === 9 || isRecord(source, dh_dump_buffer_size, pageSize))) {
    return dh_dump_buffer_size;
  }
  if (version === 10) return headerAreaSize;
  throw new DumpError('corrupt', `LKCD header: header area of ${dh_dump_buffer_size} bytes`, {
    where: { file: source.name, offset },
  });
}

function isRecord(source: Source, offset: number, pageSize: number): boolean {
  const bytes = source.read(offset, PageRecord.size);
  if (bytes.length < PageRecord.size) return false;
  const { dp_address, dp_size, dp_flags } = PageRecord.read(bytes);
  const pfn = Number(dp_address) / pageSize;
  return recordFlaw({ pfn, size: dp_size, flags: dp_flags }, pageSize) === undefined;
}

/** A slot without registers belongs to no CPU. Segment bases and selectors are not in the file. */
function readCpus(source: Source, offset: number, areaEnd: number): CpuState[] {
  const start = source.read(offset, ArchHeader.size);
  if (start.length < ArchHeader.size) return [];
  const arch = ArchHeader.read(start);
  const slots = (arch.dha_header_size - ArchHeader.size) / slotSize;
  const fits = offset + arch.dha_header_size <= Math.min(areaEnd, source.size);
  if (arch.dha_magic !== archMagic || !Number.isInteger(slots) || slots < 0 || !fits) return [];
  const size = slots * slotSize;
  const bytes = readExactly(source, offset + ArchHeader.size, size, 'LKCD CPU slots');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cpus: CpuState[] = [];
  for (let index = 0; index < slots; index++) {
    let values = Array.from({ length: cpuRegisters }, (_, register) =>
      view.getBigUint64(index * registersSize + register * 8, true),
    );
    if (values.every((value) => value === 0n) && index === arch.dha_dumping_cpu) {
      values = arch.dha_regs;
    }
    if (values.every((value) => value === 0n)) continue;
    const task = view.getBigUint64(slots * registersSize + index * 8, true);
    const registers = registersOf(values);
    cpus.push({ source: 'LKCD', index, registers, ...(task === 0n ? {} : { task }) });
  }
  return cpus;
}

/** What our own writer adds; nothing for files of others. */
function readOwnBlock(
  source: Source,
  areaEnd: number,
): { vmcoreinfo: string | undefined; level: number | undefined } {
  const area = source.read(0, Math.min(areaEnd, headerAreaSize));
  for (let at = 0; at + VmcoreinfoBlock.size <= area.length; at += vmcoreinfoAlign) {
    if (area[at] !== vmcoreinfoMagic.charCodeAt(0)) continue;
    const { magic, size, level } = VmcoreinfoBlock.read(area, at);
    const textAt = at + VmcoreinfoBlock.size;
    if (latin1(magic) !== vmcoreinfoMagic || textAt + size > area.length) continue;
    const text = cstring(area.subarray(textAt, textAt + size));
    return { vmcoreinfo: size === 0 ? undefined : text, level };
  }
  return { vmcoreinfo: undefined, level: undefined };
}

class LkcdPages implements PageReader {
  readonly pageSize: number;
  readonly #source: Source;
  readonly #data: Source;
  readonly #codec: Codec;
  readonly #raw: Codec;
  readonly #index: PageIndex;

  constructor(
    source: Source,
    firstRecord: number,
    pageSize: number,
    codecs: Codecs,
    compression: CompressionName,
  ) {
    this.pageSize = pageSize;
    this.#source = source;
    // Small windows: the kernel's structures are followed all over the file.
    this.#data = source.inMemory === true ? source : windowed(source, 32 * 1024, 32);
    this.#codec = codecs.get(compression);
    this.#raw = codecs.get('none');
    this.#index = new PageIndex(source, firstRecord, pageSize);
  }

  get endPfn(): number {
    return this.#index.endPfn;
  }

  /** Without a scan only where the last bytes are the end record. */
  get incomplete(): string | undefined {
    if (!this.#endsWell()) this.#index.complete();
    return this.#index.problem;
  }

  #endsWell(): boolean {
    const bytes = this.#source.read(this.#source.size - PageRecord.size, PageRecord.size);
    if (bytes.length < PageRecord.size) return false;
    const { dp_address, dp_size, dp_flags } = PageRecord.read(bytes);
    return dp_address === 0n && dp_size === 0 && dp_flags === PageFlags.end;
  }

  state(pfn: number): PageState {
    const entry = this.#index.find(pfn);
    if (entry === undefined) return 'missing';
    return entry.zero ? 'zero' : 'stored';
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pages());
  }

  *#pages(): Generator<PageRun> {
    let end = 0;
    for (const { pfn, zero } of this.#index.entries()) {
      yield { first: end, end: pfn, state: 'missing' };
      end = pfn + 1;
      yield { first: pfn, end, state: zero ? 'zero' : 'stored' };
    }
  }

  load(pfn: number): Page {
    const entry = this.#index.find(pfn);
    if (entry === undefined) return { state: 'missing', bytes: undefined };
    if (entry.zero) return { state: 'zero', bytes: zeroPageOf(this.pageSize) };
    const { offset } = entry;
    try {
      const bytes = within('page record', { file: this.#source.name, offset, pfn }, () => {
        // Not by PageRecord.read: this is the inner loop.
        const record = readExactly(this.#data, offset, PageRecord.size, 'page record');
        const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
        const size = view.getUint32(8, true);
        const codec = (view.getUint32(12, true) & PageFlags.raw) === 0 ? this.#codec : this.#raw;
        const data = readExactly(this.#data, offset + PageRecord.size, size, 'page data');
        return codec.decompress(data, this.pageSize);
      });
      return { state: 'stored', bytes };
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return { state: 'damaged', bytes: undefined, problem: error };
    }
  }
}
