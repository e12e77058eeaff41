/**
 * What a fault is: plain data, a kind and its parameters. What a kind is: a description that
 * parsing, help and documents are made of, and what it does to a machine, either to its options
 * before it is made, or to its memory, devices and CPUs between set-up and instant.
 */

import type { CaptureTargets } from '../../capture/method.ts';
import type { Blueprint, MachineOptions } from '../../machine/blueprint.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Random } from './random.ts';

export type ParameterValue = string | number;
export type ParameterValues = Readonly<Record<string, ParameterValue>>;

export interface Fault {
  readonly kind: string;
  /** With the defaults filled in; what has none and was not given is not there. */
  readonly parameters: ParameterValues;
}

interface ParameterText {
  readonly name: string;
  readonly meaning: string;
  /** What it is where it is not given, where that is not one value. */
  readonly otherwise?: string;
}

export type Parameter = ParameterText &
  (
    | {
        readonly type: 'number';
        readonly min: number;
        readonly max: number;
        readonly default?: number;
      }
    | {
        readonly type: 'choice';
        readonly choices: readonly string[];
        /** Without a default and without `otherwise` it must be given. */
        readonly default?: string;
      }
    | {
        readonly type: 'text';
        /** How help shows a value: `ADDRESS`. */
        readonly form: string;
        /** What a value may be, in words. */
        readonly allowed: string;
        readonly pattern: RegExp;
      }
  );

/** What one write of a fault came to. Plain data, for the report. */
export interface WriteNote {
  /** `DMA of nic`, `CPU 1`, `memory error`. */
  readonly writer: string;
  /** The region that it was drawn from, or what the fault was aimed at. */
  readonly region: string;
  /** `0x...`; undefined where no page tables lead there. */
  readonly physical?: string;
  /** `0x...`, in the kernel's image, a module or the direct map, where it is known. */
  readonly virtual?: string;
  /** `jiffies_64+0x4`: the symbol that covers it. */
  readonly symbol?: string;
  /** Hexadecimal, byte by byte; long ones by their size. */
  readonly before?: string;
  readonly after: string;
  /** `read-only`: the fault was the writer's. `unchanged`: the bytes were there already. */
  readonly outcome: 'done' | 'unchanged' | 'scheduled' | 'read-only' | 'not mapped' | 'no memory';
  /** Virtual nanoseconds after the instant, where it is scheduled. */
  readonly atNs?: number;
}

export interface Effect {
  /** `prevented`: nothing was changed. */
  readonly effect: 'done' | 'prevented' | 'scheduled';
  readonly writes: readonly WriteNote[];
  /** What a reader should know: what was changed, what is synthetic in it. */
  readonly remarks: readonly string[];
}

/** What a fault strikes, with the chance that is its own. */
export interface Strike {
  readonly machine: Machine;
  /** What the method that will run consists of. */
  readonly targets: CaptureTargets;
  readonly random: Random;
}

export interface FaultKind {
  readonly name: string;
  readonly family: 'memory' | 'device' | 'cpu' | 'platform';
  /** One line, without a full stop. */
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly example: string;
  /** Parameters of which one only may be given. */
  readonly apart?: readonly (readonly [string, string])[];
  /** What it changes of the options that a machine is made by. */
  configure?(blueprint: Blueprint, parameters: ParameterValues): Partial<MachineOptions>;
  strike?(strike: Strike, parameters: ParameterValues): Effect;
}

/** A parameter that its kind says is a number. */
export function numberOf(parameters: ParameterValues, name: string): number {
  return Number(parameters[name]);
}

/** A parameter that its kind says is a word. */
export function wordOf(parameters: ParameterValues, name: string): string {
  return String(parameters[name]);
}

export function done(...remarks: readonly string[]): Effect {
  return { effect: 'done', writes: [], remarks };
}
