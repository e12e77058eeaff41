/** The capture report: what a run did, as plain data (JSON). Times are virtual nanoseconds. */

import type { CompressionName } from '../codec/types.ts';
import type { EditNote } from '../machine/edit.ts';
import type { StopKind } from '../machine/stop.ts';
import type { Verdict } from './judge.ts';

export interface StageReport {
  readonly name: string;
  readonly startNs: number;
  readonly endNs: number;
  readonly result: 'ok' | 'failed';
  /** Failed stages: which way, why, and at what. */
  readonly kind?: 'refused' | StopKind;
  readonly cause?: string;
  readonly object?: string;
  readonly pages?: number;
  readonly bytes?: number;
  readonly remarks: readonly string[];
}

/** A run of writes that the method made by design; physical bytes, end exclusive. */
export interface OwnWriteReport {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

export interface CaptureReport {
  readonly method: string;
  /** Folder name of the file's format under src/dump. */
  readonly format: string;
  readonly level: number;
  readonly compression: CompressionName;
  readonly machine: {
    readonly name: string;
    readonly release: string | undefined;
    readonly cpus: number;
    /** Bytes of System RAM. */
    readonly ramBytes: number;
    /** Filter bits of the input: what it left out is not due. Undefined where it does not say. */
    readonly inputLevel: number | undefined;
    readonly hardware: string;
  };
  readonly panic: {
    readonly cpu: number;
    /** `0x...`, the task_struct. */
    readonly task: string;
    readonly message: string;
    readonly evidence: string;
  };
  /** Everything that was changed in the input to get to the instant of the panic. */
  readonly setup: readonly EditNote[];
  readonly stages: readonly StageReport[];
  /** The stage that the run ended in, where it did not reach its end. */
  readonly failed: StageReport | undefined;
  readonly ownWrites: readonly OwnWriteReport[];
  /** What had reached the disk when the run ended. */
  readonly disk: { readonly commands: number; readonly bytes: number };
  /** The file; undefined where there was nothing to save. */
  readonly saved: { readonly bytes: number; readonly remarks: readonly string[] } | undefined;
  readonly verdict: Verdict;
}
