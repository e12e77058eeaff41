/** LKCD's main header, whatever its version and machine, made into one form. */

import { DumpError } from '../../bytes/errors.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct, type Struct } from '../../bytes/struct.ts';
import type { CompressionName } from '../../codec/types.ts';
import { architectureOf } from '../architecture.ts';
import type { Architecture, CpuState, Utsname } from '../types.ts';
import { NewUtsname, utsnameOf } from '../utsname.ts';
import { cpuState, readArchHeader } from './arch-header.ts';
import {
  compressionIds,
  dumpMagic,
  HeaderStart,
  HeaderV8,
  HeaderV9Tail,
  headerAreaSize,
  linearMapping386,
  liveMagic,
  oldHeadersOf,
  PageRecord,
  versionMask,
} from './layout.ts';
import { recordFlaw } from './page-index.ts';

export interface LkcdHeader {
  readonly version: number;
  readonly architecture: Architecture;
  readonly pageSize: number;
  readonly compression: CompressionName;
  readonly panicMessage: string;
  readonly currentTask: bigint;
  readonly uts: Utsname | undefined;
  /** Seconds since 1970; 0 if unknown. */
  readonly time: bigint;
  readonly cpus: readonly CpuState[];
  /** Where the first page record is. */
  readonly firstRecord: number;
  /** What every dp_address is too high by. */
  readonly addressBase: number;
}

/** LKCD sized the area for its largest machines well below this. */
const maxHeaderArea = 64 * 1024 * 1024;
const readVersions = new Set([1, 2, 3, 5, 6, 7, 8, 9, 10]);
const versionsRead = 'versions 1 to 3 and 5 to 10 are read';

export function readHeader(source: Source): LkcdHeader {
  const start = readStruct(source, 0, HeaderStart);
  const refuse = (message: string, hint: string): DumpError =>
    new DumpError('unsupported', message, {
      where: { file: source.name, offset: HeaderStart.offsetOf('dh_version') },
      hint,
    });
  if (start.dh_magic !== dumpMagic && start.dh_magic !== liveMagic) {
    throw refuse('an LKCD dump of a big-endian machine', 'x86_64 and i386 dumps are read');
  }
  const version = start.dh_version & versionMask;
  if (start.dh_version !== version) {
    throw refuse('an LKCD dump of the MCLX variant', 'crash reads it');
  }
  if (!readVersions.has(version)) throw refuse(`LKCD version ${version}`, versionsRead);
  const page = start.dh_page_size;
  if (page < 4096 || page > 65536 || (page & (page - 1)) !== 0) {
    throw new DumpError('corrupt', `LKCD header: page size ${page}`, {
      where: { file: source.name, offset: HeaderStart.offsetOf('dh_page_size') },
    });
  }
  const fields = version < 8 ? readOld(source, version) : readNew(source);
  const { architecture, currentTask } = fields;
  const firstRecord = firstRecordOffset(source, version, page);
  const place = { version, architecture, offset: start.dh_header_size, end: firstRecord };
  return {
    version,
    ...fields,
    cpus: [...fields.cpus, ...readArchHeader(source, place, currentTask)],
    pageSize: page,
    firstRecord,
    addressBase: addressBaseOf(source, version, architecture, firstRecord),
  };
}

type Fields = Omit<LkcdHeader, 'version' | 'pageSize' | 'firstRecord' | 'addressBase'>;

function readNew(source: Source): Fields {
  const header = readStruct(source, 0, HeaderV8);
  const { machine } = NewUtsname.read(header.utsname);
  return {
    architecture: machine === '' ? 'x86_64' : knownMachine(source, HeaderV8, machine),
    compression: compressionOf(source, HeaderV8, header.dh_dump_compress),
    panicMessage: header.dh_panic_string,
    currentTask: header.dh_current_task,
    uts: utsnameOf(header.utsname),
    time: header.tv_sec,
    cpus: [],
  };
}

/**
 * Nothing in the header says whether pointers have 4 bytes or 8. The utsname stands at another
 * place: where one is, the other layout has the middle of a text.
 */
function readOld(source: Source, version: number): Fields {
  for (const architecture of ['x86_64', 'i386'] as const) {
    const { v1, v2, v5 } = oldHeadersOf[architecture];
    const layout = version === 1 ? v1 : version < 5 ? v2 : v5;
    const bytes = source.read(0, layout.size);
    if (bytes.length < layout.size) continue;
    const { utsname } = layout.read(bytes);
    if (NewUtsname.read(utsname).sysname !== 'Linux') continue;
    const { machine } = NewUtsname.read(utsname);
    if (machine !== '' && knownMachine(source, layout, machine) !== architecture) continue;
    const header = layout.read(bytes);
    const compress = version < 5 ? undefined : v5.read(bytes).dh_dump_compress;
    const task = header.dh_current_task;
    return {
      architecture,
      compression: compress === undefined ? 'rle' : compressionOf(source, v5, compress),
      panicMessage: header.dh_panic_string,
      currentTask: task,
      uts: utsnameOf(utsname),
      time: header.tv_sec,
      cpus: version === 1 ? cpuState(architecture, 0, v1.read(bytes).dh_regs, task) : [],
    };
  }
  readExactly(source, 0, oldHeadersOf.x86_64.v5.size, `LKCD version ${version} header`);
  throw new DumpError('corrupt', `LKCD version ${version} header without the name of a system`, {
    where: { file: source.name, offset: oldHeadersOf.i386.v5.offsetOf('utsname') },
  });
}

type WithUtsname = Pick<Struct<{ utsname: typeof HeaderV8.fields.utsname }>, 'offsetOf'>;

function knownMachine(source: Source, layout: WithUtsname, machine: string): Architecture {
  const architecture = architectureOf(machine);
  if (architecture !== undefined) return architecture;
  const offset = layout.offsetOf('utsname') + NewUtsname.offsetOf('machine');
  throw new DumpError('unsupported', `a dump of machine type ${machine}`, {
    where: { file: source.name, offset },
    hint: 'x86_64 and i386 dumps are read',
  });
}

type WithCompress = Pick<typeof HeaderV8 | typeof oldHeadersOf.i386.v5, 'offsetOf'>;

function compressionOf(source: Source, layout: WithCompress, id: number): CompressionName {
  for (const [name, known] of compressionIds) {
    if (known === id) return name;
  }
  throw new DumpError('unsupported', `LKCD compression ${id}`, {
    where: { file: source.name, offset: layout.offsetOf('dh_dump_compress') },
    hint: 'LKCD packs with RLE (1) and zlib (2)',
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

function addressBaseOf(
  source: Source,
  version: number,
  architecture: Architecture,
  firstRecord: number,
): number {
  if (version !== 1 || architecture !== 'i386') return 0;
  const bytes = source.read(firstRecord, PageRecord.size);
  if (bytes.length < PageRecord.size) return 0;
  const isVirtual = PageRecord.read(bytes).dp_address === BigInt(linearMapping386);
  return isVirtual ? linearMapping386 : 0;
}
