/**
 * What a dump method is: named stages that run one after the other on a machine, from the first
 * step after the panic to the reboot, and what brings the dump out after it. A stage sees the
 * machine and the method's own plain state, nothing else, so a run can be saved and resumed between
 * any two.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import type { Progress } from '../dump/content.ts';
import type { DiskContent, Partition } from '../machine/disk.ts';
import type { FileArea } from '../machine/files.ts';
import type { Machine } from '../machine/machine.ts';
import type { OutsideFiles } from '../machine/outside.ts';
import type { PhysicalRange } from '../machine/ram.ts';
import { MachineStop, type StopKind } from '../machine/stop.ts';
import type { MethodDescription } from './catalogue.ts';

export interface CaptureOptions {
  /** makedumpfile's filter bits: 1 zero, 2 cache, 4 private cache, 8 user, 16 free. */
  readonly level: number;
  readonly compression: CompressionName;
  /** Name of one of the method's generations. */
  readonly generation: string;
}

/** A dump server on a real network, as a synchronous method talks to it. */
export interface Transport {
  /** One packet. */
  send(packet: Uint8Array): void;
  /** The next packet, and how long it was waited for; undefined: none came in that time. */
  receive(limitMs: number): { readonly packet: Uint8Array | undefined; readonly waitedMs: number };
}

/** What is lent to a method besides the machine. */
export interface CaptureTools {
  /** Ready for the compression asked for. */
  readonly codecs: Codecs;
  /** Undefined: the machine's network is emulated, with the server at its end. */
  readonly transport?: Transport;
  readonly progress?: Progress;
}

/** What a stage did, for the report. */
export interface StageDone {
  readonly result: 'ok';
  readonly pages?: number;
  readonly bytes?: number;
  /** What had to be tried again, how often. */
  readonly retries?: number;
  /** `CPU 1 did not take the NMI`: what a reader should know although the stage went on. */
  readonly remarks?: readonly string[];
}

export interface StageFailed {
  readonly result: 'failed';
  /** Which way it failed: the method's own check, or what the machine did to it. */
  readonly kind: 'refused' | StopKind;
  readonly cause: string;
  /** The object or device: `__kexec_lock`, `sda1`. */
  readonly object: string;
  readonly retries?: number;
  readonly remarks?: readonly string[];
}

export type StageResult = StageDone | StageFailed;

export interface Stage<State> {
  readonly name: string;
  run(machine: Machine, state: State, tools: CaptureTools): StageResult;
}

/** What a run of a method consists of in memory; physical bytes. What faults can be aimed at. */
export interface CaptureTargets {
  /** The method's own code outside of the reserved region: resident part, control page. */
  readonly code: readonly PhysicalRange[];
  /** What leads to it, in ordinary memory: kimage, transition tables, control structure. */
  readonly structures: readonly PhysicalRange[];
  /** The reserved region, purgatory and second kernel in it. */
  readonly reserved: readonly PhysicalRange[];
}

/** What is left after the reboot: all that `save` may look at. */
export interface AfterReboot {
  /** The first one has the file system. */
  readonly disks: readonly DiskContent[];
  readonly disk: DiskContent;
  readonly files: Pick<FileArea, 'names' | 'has' | 'open'>;
  /** What others than the machine keep for it: its host, a dump server. */
  readonly outside: OutsideFiles;
}

/** The dump as it was brought out; undefined where there was none to bring. */
export interface Saved {
  readonly bytes: number;
  readonly remarks: readonly string[];
}

/** `State` is plain data (structured clone). */
export interface DumpMethod<State> extends MethodDescription {
  /**
   * The part of the disk that is the method's to write; a write elsewhere is destructive.
   * Undefined: none.
   */
  readonly partition: Partition['use'] | undefined;
  /** What was loaded and configured while the machine was well. Before the instant. */
  prepare(machine: Machine, options: CaptureOptions): State;
  stages(options: CaptureOptions): readonly Stage<State>[];
  /** Where it lies in memory, before the instant. Throws DumpErrors where the input lacks it. */
  targets(machine: Machine, state: State): CaptureTargets;
  /** Runs after the reboot, whatever became of the run. Throws DumpErrors. */
  save(
    after: AfterReboot,
    sink: Sink,
    options: CaptureOptions,
    tools: CaptureTools,
  ): Saved | undefined;
}

export const done: StageDone = { result: 'ok' };

export function failed(cause: string, object: string): StageFailed {
  return { result: 'failed', kind: 'refused', cause, object };
}

/**
 * Runs one stage; what the machine does to it becomes its result. Throws DumpErrors only where the
 * kernel lacks a symbol or type that the method was written for.
 */
export function runStage<State>(
  stage: Stage<State>,
  machine: Machine,
  state: State,
  tools: CaptureTools,
): StageResult {
  machine.tell({ what: 'stage', name: stage.name });
  const result = resultOf(stage, machine, state, tools);
  if (result.result === 'failed') {
    machine.tell({ what: 'stop', name: result.object, detail: `${result.kind}: ${result.cause}` });
  }
  return result;
}

function resultOf<State>(
  stage: Stage<State>,
  machine: Machine,
  state: State,
  tools: CaptureTools,
): StageResult {
  try {
    return stage.run(machine, state, tools);
  } catch (error) {
    if (error instanceof DumpError && error.code === 'io') return failed(error.message, 'disk');
    if (error instanceof DumpError && isOfKernel(error)) throw error;
    const stop = error instanceof DumpError ? machine.stopOf(error) : error;
    if (!(stop instanceof MachineStop)) throw error;
    return { result: 'failed', kind: stop.kind, cause: stop.message, object: stop.object };
  }
}

/** A symbol or type that this kernel does not have: no fault of a CPU, a kernel unknown to us. */
export function isOfKernel({ code, where }: DumpError): boolean {
  const isInMemory = where.virtual !== undefined || where.physical !== undefined;
  return code === 'unsupported' || code === 'usage' || (code === 'absent' && !isInMemory);
}
