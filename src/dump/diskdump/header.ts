/** Diskdump's two headers, of either machine and in either form. */

import { DumpError } from '../../bytes/errors.ts';
import type { Source } from '../../bytes/source.ts';
import { readStruct } from '../../bytes/struct.ts';
import { namedRegisters, readWords, userRegs, wordSize } from '../architecture.ts';
import { type DiskDumpHeader, DiskDumpHeaders, headerMachine, isBlockSize } from '../disk-dump.ts';
import type { DumpFacts } from '../format.ts';
import { readOwnBlock } from '../own-block.ts';
import type { Architecture, CpuState } from '../types.ts';
import { utsnameOf } from '../utsname.ts';
import { DumpStatus } from './layout.ts';

export interface Headers {
  readonly architecture: Architecture;
  /** Where the main header stands: 0, or block 1 of a partition. */
  readonly offset: number;
  readonly main: DiskDumpHeader;
}

const newestVersion = 1;
/** Far more than any kernel writes: one. */
const maxSubHeaderBlocks = 256;

export function readHeaders(source: Source, offset: number): Headers {
  const architecture = headerMachine(source, offset);
  const layout = DiskDumpHeaders[architecture];
  const main = readStruct(source, offset, layout);
  const refuse = (field: Parameters<typeof layout.offsetOf>[0]): DumpError =>
    new DumpError('corrupt', `diskdump header: ${field} is ${main[field]}`, {
      where: { file: source.name, offset: offset + layout.offsetOf(field) },
    });
  if (main.header_version < 0 || main.header_version > newestVersion) {
    throw new DumpError('unsupported', `diskdump header version ${main.header_version}`, {
      where: { file: source.name, offset: offset + layout.offsetOf('header_version') },
      hint: `versions up to ${newestVersion} are known`,
    });
  }
  if (!isBlockSize(main.block_size)) throw refuse('block_size');
  if (main.sub_hdr_size < 1 || main.sub_hdr_size > maxSubHeaderBlocks) throw refuse('sub_hdr_size');
  if (main.max_mapnr === 0) throw refuse('max_mapnr');
  return { architecture, offset, main };
}

/** `form`: what the description calls it. The sub header follows the main header's block. */
export function factsOf(source: Source, form: string, headers: Headers): DumpFacts {
  const { architecture, main } = headers;
  const packing = (main.status & DumpStatus.compressed) === 0 ? 'uncompressed' : 'zlib';
  const machine = architecture === 'i386' ? ', i386' : '';
  const task = dumpingTask(source, headers);
  const subHeader = source
    .read(headers.offset + main.block_size, main.sub_hdr_size * main.block_size)
    .slice();
  return {
    format: 'diskdump',
    description: `diskdump ${form}, ${packing}${machine}`,
    architecture,
    uts: utsnameOf(main.utsname),
    time: main.tv_sec === 0n ? undefined : Number(main.tv_sec),
    notes: [],
    cpus: cpusOf(subHeader, headers, task),
    panic: task === 0n ? undefined : { message: '', task },
    ...readOwnBlock(subHeader),
  };
}

/** Of the CPUs by number, as many as the header's block holds. */
export function tasksOf(source: Source, { architecture, offset, main }: Headers): bigint[] {
  const { size } = DiskDumpHeaders[architecture];
  const room = Math.floor((main.block_size - size) / wordSize[architecture]);
  const count = Math.max(0, Math.min(main.nr_cpus, room));
  return readWords(source.read(offset + size, count * wordSize[architecture]), architecture);
}

/** tasks[current_cpu], where that is in the header's block; else 0. */
function dumpingTask(source: Source, { architecture, offset, main }: Headers): bigint {
  const size = wordSize[architecture];
  const at = DiskDumpHeaders[architecture].size + main.current_cpu * size;
  if (at + size > main.block_size) return 0n;
  const bytes = source.read(offset + at, size);
  return bytes.length < size ? 0n : readWords(bytes, architecture)[0]!;
}

function cpusOf(subHeader: Uint8Array, headers: Headers, task: bigint): CpuState[] {
  const { architecture, main } = headers;
  const names = userRegs[architecture];
  const words = readWords(
    subHeader.subarray(0, names.length * wordSize[architecture]),
    architecture,
  );
  if (words.length < names.length || words.every((word) => word === 0n)) return [];
  const registers = namedRegisters(names, words);
  const named = task === 0n ? {} : { task };
  return [{ source: 'DISKDUMP', index: main.current_cpu, registers, ...named }];
}

/** Why the header says that the dump is not whole. */
export function statusProblem({ main }: Headers): string | undefined {
  switch (main.status & ~DumpStatus.compressed) {
    case DumpStatus.completed:
      return undefined;
    case DumpStatus.incompleted:
      return 'the header says incomplete: the dump was started, or did not fit its partition';
    case DumpStatus.inProgress:
      return 'the header says in progress: the dump was interrupted';
    case DumpStatus.shortArea:
      return 'the header says that the partition was too small';
    default:
      return `the header has status ${main.status}`;
  }
}
