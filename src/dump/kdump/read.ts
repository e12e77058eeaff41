/**
 * Reads KDUMP files. The header's compression bits are informational: each descriptor says how its
 * page is packed.
 */

import { attempt, DumpError, within } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct } from '../../bytes/struct.ts';
import { cstring } from '../../bytes/text.ts';
import type { CompressionName } from '../../codec/types.ts';
import { DescribedPages } from '../described-pages.ts';
import {
  compressionFlags,
  type DiskDumpHeader,
  DiskDumpHeaders,
  geometryOf,
  headerMachine,
  isBlockSize,
} from '../disk-dump.ts';
import type { DumpFacts, OpenContext, OpenedFile } from '../format.ts';
import { cpuStatesOf, eraseinfoName, maxNotesSize, parseNotes, vmcoreinfoOf } from '../notes.ts';
import type { Architecture, ElfNote, PfnRange } from '../types.ts';
import { utsnameOf } from '../utsname.ts';
import {
  DumpStatus,
  KdumpSubHeaders,
  newestVersion,
  type SubHeader,
  subHeaderSizes,
} from './layout.ts';

interface Header extends DiskDumpHeader {
  readonly architecture: Architecture;
}

const maxVmcoreinfoSize = 1024 * 1024;

export async function openKdump(source: Source, context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const { architecture } = header;
  const sub = readSubHeader(source, header);
  const endPfn = header.header_version >= 6 ? sub.max_mapnr_64 : header.max_mapnr;
  const geometry = geometryOf(source, header, {
    name: 'KDUMP',
    architecture,
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
  const hasLeftOut = (header.status & DumpStatus.excludedVmemmap) !== 0;
  const traits = [
    ...(names.length > 0 ? names : ['uncompressed']),
    ...(hasLeftOut ? ['unused vmemmap left out'] : []),
    ...(architecture === 'i386' ? ['i386'] : []),
  ];
  const facts: DumpFacts = {
    format: 'kdump',
    description: `KDUMP v${header.header_version}, ${traits.join(', ')}`,
    architecture,
    uts: utsnameOf(header.utsname),
    time: header.tv_sec === 0n ? undefined : Number(header.tv_sec),
    notes: [...notes, ...(erased ?? [])],
    cpus: cpuStatesOf(notes, architecture),
    vmcoreinfo,
    physBase: BigInt.asIntN(64, sub.phys_base),
    panic: undefined,
    level: header.header_version >= 1 ? sub.dump_level : undefined,
  };
  return { facts, pages, part: sub.split === 0 ? undefined : pages };
}

function namesOf(flags: number): CompressionName[] {
  return [...compressionFlags].filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
}

function readHeader(source: Source): Header {
  const architecture = headerMachine(source, 0);
  const layout = DiskDumpHeaders[architecture];
  const header = readStruct(source, 0, layout);
  if (!isBlockSize(header.block_size)) {
    throw new DumpError('corrupt', `KDUMP header: block size ${header.block_size}`, {
      where: { file: source.name, offset: layout.offsetOf('block_size') },
    });
  }
  const version = header.header_version;
  if (version < 0 || version > newestVersion) {
    throw new DumpError('unsupported', `KDUMP header version ${version}`, {
      where: { file: source.name, offset: layout.offsetOf('header_version') },
      hint: `versions up to ${newestVersion} are known`,
    });
  }
  return { ...header, architecture };
}

/** Members that the header's version does not have yet are 0. */
function readSubHeader(source: Source, header: Header): SubHeader {
  const offset = header.block_size;
  const known = subHeaderSizes[header.architecture][header.header_version]!;
  const layout = KdumpSubHeaders[header.architecture];
  const bytes = new Uint8Array(layout.size);
  bytes.set(readExactly(source, offset, known, layout.name));
  return within(layout.name, { file: source.name, offset }, () => layout.read(bytes));
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
    where: {
      file: source.name,
      offset: header.block_size + KdumpSubHeaders[header.architecture].offsetOf(field),
    },
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
    const offset = header.block_size + KdumpSubHeaders[header.architecture].offsetOf('offset_note');
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
