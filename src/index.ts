/**
 * The package as a library, bound to Node: files, zlib and SHA-256 are supplied. Everything here is
 * what the command line is made of. A script of `tsdump analyze FILE --script` imports the same.
 *
 * ```js
 * import { openDump, openKernel, taskState } from 'tsdump';
 *
 * const dump = await openDump('vmcore');
 * const kernel = openKernel(dump);
 * for (const task of kernel.tasks()) console.log(task.pid, taskState(task), task.comm);
 * dump.close();
 * ```
 */

import { KeptFile } from './bytes/kept-file.ts';
import type { Sink } from './bytes/sink.ts';
import type { Source } from './bytes/source.ts';
import type { CompressionName } from './codec/types.ts';
import type { DumpContent, WriteSummary } from './dump/content.ts';
import { openSplit as joinSources, type OpenOptions, openDump as openSource } from './dump/open.ts';
import type { PagePool } from './dump/packed-pages.ts';
import type { Dump } from './dump/types.ts';
import { type WriteOptions, writeDump as writeTo } from './dump/writers.ts';
import { fileSink } from './host/file-sink.ts';
import { fileSource } from './host/file-source.ts';
import type { PageInput } from './host/page-input.ts';
import { workerPool } from './host/page-pool.ts';
import { nodeWorld } from './host/world.ts';
import { blueprintOf, type MachineOptions } from './machine/blueprint.ts';
import { Machine as AnyMachine, type SavedMachine } from './machine/machine.ts';
import { runCapture } from './trial/capture.ts';
import { parseFault } from './trial/faults/fault.ts';
import type { CaptureReport } from './trial/report.ts';
import type { Trigger } from './trial/trials.ts';

export { answer } from './analyze/answer.ts';
export type { Answer, Json, Missing } from './analyze/command.ts';
export type { Script, ScriptContext, ScriptResult } from './analyze/script.ts';
export { attempt, DumpError, type ErrorCode, type Where } from './bytes/errors.ts';
export type { Pipe, Sink } from './bytes/sink.ts';
export { memorySource, type Source } from './bytes/source.ts';
export { hex16, printable } from './bytes/text.ts';
export { costsOf, type Forecast, type ForecastOptions, forecast } from './convert/forecast.ts';
export type { DumpContent, WriteSummary } from './dump/content.ts';
export { flattened } from './dump/flattened/write.ts';
export type { PagePool } from './dump/packed-pages.ts';
export { iomemText, parseIomem } from './dump/raw/layout.ts';
export type {
  Architecture,
  CpuState,
  Dump,
  ElfNote,
  MemoryImage,
  MemoryRange,
  Page,
  PageRun,
  PageState,
  Registers,
  Utsname,
} from './dump/types.ts';
export { type Fact, type Writer, writers } from './dump/writers.ts';
export type { PageInput } from './host/page-input.ts';
export {
  type Backtrace,
  type BacktraceOptions,
  type BacktraceTarget,
  backtrace,
  type Frame,
} from './linux/backtrace.ts';
export { type CpuContext, cpuContexts } from './linux/cpus.ts';
export { evaluateAddress, evaluateValue as evaluate } from './linux/expression.ts';
export { filePath, type OpenFile, type OpenFiles, openFiles, taskRoots } from './linux/files.ts';
export { type Kernel, openKernel } from './linux/kernel.ts';
// With a star, as what --emit-types writes must find the interfaces that it adds to.
export type * from './linux/kernel-types.ts';
export { type ListWalk, walkList } from './linux/lists.ts';
export { logLine, readLog as log } from './linux/log.ts';
export type { KernelLog, LogRecord } from './linux/log-record.ts';
export type { AddressSpace } from './linux/memory.ts';
export type { KernelModule } from './linux/modules.ts';
export {
  addressOf,
  hasMember,
  isKernelObject,
  type KernelObject,
  type MemberValue,
  memberAddress,
  typeOf,
} from './linux/objects.ts';
export { countByClass, type Filtered, filtered } from './linux/page-filter.ts';
export { type PanicContext, panicMessage, panicTask } from './linux/panic.ts';
export { memoryUse, processArguments, userMemory } from './linux/processes.ts';
export type { KernelSymbol, SymbolAt } from './linux/symbols.ts';
export { type SystemInfo, systemInfo } from './linux/system.ts';
export { currentTask, isKernelThread, taskCpu, taskState } from './linux/tasks.ts';
export { findVma, type VmaWalk, vmasOf } from './linux/vma.ts';
export type { MachineOptions } from './machine/blueprint.ts';
export type { SavedMachine } from './machine/machine.ts';
export type { CaptureReport } from './trial/report.ts';

const world = nodeWorld();

/**
 * Opens a dump of any known format: headers, notes and page bitmaps are read, page contents are
 * not. Throws DumpErrors: `io`, `unsupported`, `corrupt`, `truncated`. Close the dump after use.
 */
export async function openDump(
  pathOrSource: string | Source,
  options: Omit<OpenOptions, 'codecs'> = {},
): Promise<Dump> {
  const source = typeof pathOrSource === 'string' ? fileSource(pathOrSource) : pathOrSource;
  return openSource(source, { ...options, codecs: world.codecs });
}

/**
 * The parts of a split dump, by paths or sources in any order, as one. A part that is missing
 * leaves its pages missing. DumpErrors: those of openDump, `mismatch` for files that do not belong
 * together.
 */
export async function openSplit(parts: readonly (string | Source)[]): Promise<Dump> {
  const sources = parts.map((part) => (typeof part === 'string' ? fileSource(part) : part));
  return joinSources(sources, world);
}

/**
 * Writes a dump in a format of `writers`; finishing or aborting the sink is the caller's.
 * DumpErrors: `usage`, `unsupported` where the format cannot hold it, those of the sink.
 */
export async function writeDump(
  format: string,
  sink: Sink,
  content: DumpContent,
  options: Omit<WriteOptions, 'codecs'>,
): Promise<WriteSummary> {
  return writeTo(format, sink, content, { ...options, codecs: world.codecs });
}

/**
 * Threads that read and pack the pages of a dump, as `pool` of writeDump. They open the files of
 * the dump by themselves, as the caller opened it. Close the pool after use.
 */
export function pagePool(input: PageInput, jobs: number): PagePool {
  return workerPool(input, jobs);
}

/** A crashed machine brought back to life. */
export type Machine = AnyMachine;

type NodeMachineOptions = Partial<MachineOptions>;

export const Machine = {
  /** The machine of any vmcore, rewound to its panic. Throws DumpErrors of the dump's kernel. */
  fromDump(dump: Dump, options: NodeMachineOptions = {}): Machine {
    return AnyMachine.fromDump(dump, { sha256: world.sha256, ...options });
  },
  /** A machine as `save()` left it, from the same dump and options. */
  restore(dump: Dump, options: NodeMachineOptions, saved: SavedMachine): Machine {
    return AnyMachine.restore(blueprintOf(dump, { sha256: world.sha256, ...options }), saved);
  },
} as const;

export interface CaptureOptions {
  /** `mkdump` or `kexec`. */
  readonly method: string;
  /** makedumpfile's filter bits; 0, all pages, by default. */
  readonly level?: number;
  readonly compression?: CompressionName;
  /** As `--fault` takes them: `memory:by=dma,region=slab`. */
  readonly faults?: readonly string[];
  /** 0 to 2^32 - 1; decides where and when the faults strike. 0. */
  readonly seed?: number;
  readonly trigger?: Trigger;
  readonly machine?: NodeMachineOptions;
  /** Where the dump goes; without it, it is judged in memory and forgotten. Never overwritten. */
  readonly output?: string;
}

/**
 * Brings the machine of a vmcore back to life, runs a dump method on it under faults, and has the
 * dump judged. DumpErrors: `usage`, `unsupported`, those of the input, `io`.
 */
export async function capture(dump: Dump, options: CaptureOptions): Promise<CaptureReport> {
  const { machine, faults = [], output, ...choice } = options;
  const sink = output === undefined ? new KeptFile() : fileSink(output, { overwrite: false });
  const open = (): Source => (sink instanceof KeptFile ? sink.source() : fileSource(sink.name));
  try {
    return await runCapture({
      ...choice,
      dump,
      codecs: world.codecs,
      faults: faults.map(parseFault),
      machine: { sha256: world.sha256, ...machine },
      target: { sink, open },
    });
  } finally {
    sink.abort();
  }
}
