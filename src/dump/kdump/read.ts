/**
 * Reads KDUMP files. The header's compression bits are informational: each descriptor says how its
 * page is packed.
 */

import { attempt, DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { cstring } from '../../bytes/text.ts';
import type { CompressionName } from '../../codec/types.ts';
import { DescribedPages } from '../described-pages.ts';
import {
  compressionFlags,
  type DiskDumpHeader,
  DiskDumpHeaders,
  geometryOf,
  isBlockSize,
  type PfnRange,
} from '../disk-dump.ts';
import type { DumpFacts, OpenContext, OpenedFile } from '../format.ts';
import { cpuStatesOf, eraseinfoName, maxNotesSize, parseNotes, vmcoreinfoOf } from '../notes.ts';
import type { ElfNote } from '../types.ts';
import { NewUtsname, utsnameOf } from '../utsname.ts';
import { DumpStatus, KdumpSubHeader, newestVersion, subHeaderSizes } from './layout.ts';

const HeaderLayout = DiskDumpHeaders.x86_64;
type Header = DiskDumpHeader;
type SubHeader = Values<typeof KdumpSubHeader.fields>;

const maxVmcoreinfoSize = 1024 * 1024;

export async function openKdump(source: Source, context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const sub = readSubHeader(source, header);
  const endPfn = header.header_version >= 6 ? sub.max_mapnr_64 : header.max_mapnr;
  const geometry = geometryOf(source, header, {
    name: 'KDUMP',
    architecture: 'x86_64',
    endPfn,
    packingFlags: 0xffffffff,
  });
  const { notes, vmcoreinfo, problem } = readNotes(source, header, sub);
  let eraseProblem: string | undefined;
  const erased = attempt(
    () => eraseinfoOf(source, sub),
    ({ message }) => {
      eraseProblem = `list of what was erased: ${message}`;
    },
  );
  const held = partOf(source, header, sub, endPfn);
  const pages = new DescribedPages(source, { ...geometry, held }, context.codecs, [
    (header.status & DumpStatus.incomplete) !== 0 ? 'the header says incomplete' : undefined,
    problem,
    eraseProblem,
  ]);
  for (const name of namesOf(header.status | pages.firstFlags())) {
    await context.codecs.prepare(name);
  }
  const names = namesOf(header.status);
  const packed = names.length > 0 ? names : ['uncompressed'];
  const hasLeftOut = (header.status & DumpStatus.excludedVmemmap) !== 0;
  const leftOut = hasLeftOut ? ['unused vmemmap left out'] : [];
  const facts: DumpFacts = {
    format: 'kdump',
    description: `KDUMP v${header.header_version}, ${[...packed, ...leftOut].join(', ')}`,
    architecture: 'x86_64',
    uts: utsnameOf(header.utsname),
    time: header.tv_sec === 0n ? undefined : Number(header.tv_sec),
    notes: [...notes, ...(erased ?? [])],
    cpus: cpuStatesOf(notes),
    vmcoreinfo,
    panic: undefined,
    level: header.header_version >= 1 ? sub.dump_level : undefined,
  };
  return { facts, pages, part: sub.split === 0 ? undefined : pages };
}

function namesOf(flags: number): CompressionName[] {
  return [...compressionFlags].filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
}

function readHeader(source: Source): Header {
  const header = readStruct(source, 0, HeaderLayout);
  const where = { file: source.name, offset: HeaderLayout.offsetOf('block_size') };
  if (!isBlockSize(header.block_size)) {
    const start = readExactly(source, 0, HeaderLayout.size, HeaderLayout.name);
    const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
    if (isBlockSize(view.getInt32(DiskDumpHeaders.i386.offsetOf('block_size'), true))) {
      throw new DumpError('unsupported', 'a KDUMP file of a 32-bit kernel', { where });
    }
    if (isBlockSize(view.getInt32(HeaderLayout.offsetOf('block_size'), false))) {
      throw new DumpError('unsupported', 'a KDUMP file of a big-endian machine', { where });
    }
    throw new DumpError('corrupt', `KDUMP header: block size ${header.block_size}`, { where });
  }
  const version = header.header_version;
  if (version < 0 || version > newestVersion) {
    throw new DumpError('unsupported', `KDUMP header version ${version}`, {
      where: { file: source.name, offset: HeaderLayout.offsetOf('header_version') },
      hint: `versions up to ${newestVersion} are known`,
    });
  }
  const { machine } = NewUtsname.read(header.utsname);
  if (machine !== '' && machine !== 'x86_64') {
    throw new DumpError('unsupported', `a dump of machine type ${machine}`, {
      where: { file: source.name, offset: HeaderLayout.offsetOf('utsname') },
      hint: 'only x86_64 dumps are read',
    });
  }
  return header;
}

/** Members that the header's version does not have yet are 0. */
function readSubHeader(source: Source, header: Header): SubHeader {
  const offset = header.block_size;
  const known = subHeaderSizes[header.header_version]!;
  const bytes = new Uint8Array(KdumpSubHeader.size);
  bytes.set(readExactly(source, offset, known, KdumpSubHeader.name));
  return within(KdumpSubHeader.name, { file: source.name, offset }, () =>
    KdumpSubHeader.read(bytes),
  );
}

/** The pages that a part of a split dump holds; all, where it is none. */
function partOf(source: Source, header: Header, sub: SubHeader, endPfn: number): PfnRange {
  if (sub.split === 0) return { first: 0, end: endPfn };
  const isNew = header.header_version >= newestVersion;
  const first = Number(isNew ? sub.start_pfn_64 : sub.start_pfn);
  const end = Number(isNew ? sub.end_pfn_64 : sub.end_pfn);
  if (first <= end && end <= endPfn) return { first, end };
  const field = isNew ? 'start_pfn_64' : 'start_pfn';
  const message = `a part with pages ${first} to ${end} of a dump with ${endPfn}`;
  throw new DumpError('corrupt', message, {
    where: { file: source.name, offset: header.block_size + KdumpSubHeader.offsetOf(field) },
  });
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

/** What makedumpfile erased, as the note that it writes into an ELF file. */
function eraseinfoOf(source: Source, sub: SubHeader): ElfNote[] {
  const { offset_eraseinfo, size_eraseinfo } = sub;
  if (size_eraseinfo === 0) return [];
  const desc = blobAt(source, offset_eraseinfo, size_eraseinfo, maxVmcoreinfoSize).slice();
  return [{ name: eraseinfoName, type: 0, desc }];
}

function blobAt(source: Source, offset: number, size: number, limit: number): Uint8Array {
  if (size > limit) throw new DumpError('corrupt', `${size} bytes are more than any kernel writes`);
  return readExactly(source, offset, size, 'the note blob');
}
