/** The capture report: what a run did, as plain data (JSON). Times are virtual nanoseconds. */

import type { CaptureTargets } from '../capture/method.ts';
import type { CompressionName } from '../codec/types.ts';
import type { DeviceOrigin } from '../machine/devices.ts';
import type { EditNote } from '../machine/edit.ts';
import type { PhysicalRange } from '../machine/ram.ts';
import type { StopKind } from '../machine/stop.ts';
import type { FaultNote } from './faults/strike.ts';
import type { Verdict } from './judge.ts';
import type { VerdictClass } from './verdict-classes.ts';

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
  readonly retries?: number;
  readonly remarks: readonly string[];
}

/** A run of writes that the method made by design; physical bytes, end exclusive. */
export interface OwnWriteReport {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

/** What one run leaves behind. */
export interface RunReport {
  readonly method: string;
  /** One of the method's. */
  readonly generation: string;
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
    /** Whether what memory does not hold of its devices is theirs, or made up. */
    readonly devices: DeviceOrigin;
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
  /** What befell the machine between set-up and instant. */
  readonly faults: readonly FaultNote[];
  readonly stages: readonly StageReport[];
  /** The stage that the run ended in, where it did not reach its end. */
  readonly failed: StageReport | undefined;
  readonly ownWrites: readonly OwnWriteReport[];
  /** Who was busy when: `method`, `CPU 1`, `disk`, `nic`. */
  readonly activity: readonly ActivityReport[];
  readonly memory: MemoryReport;
  /** What the disks had taken when the run ended; lost of it: what a cache held without power. */
  readonly disk: { readonly commands: number; readonly bytes: number; readonly lost: number };
  /** The file; undefined where there was nothing to save. */
  readonly saved: { readonly bytes: number; readonly remarks: readonly string[] } | undefined;
  readonly verdict: Verdict;
}

/** A span of virtual time that a CPU or a device was busy with one thing. */
export interface ActivityReport {
  readonly lane: string;
  readonly what: string;
  readonly startNs: number;
  readonly endNs: number;
}

/** Where what lay at the instant; physical bytes, end exclusive. */
export interface MemoryReport {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly ram: readonly PhysicalRange[];
  /** What the method consists of. */
  readonly targets: CaptureTargets;
}

export interface Removal {
  /** As on the command line. */
  readonly fault: string;
  /** The verdict without this one alone. */
  readonly verdict: VerdictClass;
}

export interface Why {
  readonly removals: readonly Removal[];
  /**
   * The fewest faults found without which the run succeeds. Empty: no fault is to blame, the run
   * fails without any.
   */
  readonly smallest: readonly string[];
}

export interface CaptureReport extends RunReport {
  /** Decides where and when the faults strike. */
  readonly seed: number;
  /** Of a run that failed under faults. */
  readonly why?: Why;
}
