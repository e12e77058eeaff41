/** The faults of a run: what they change of a machine before it is made, and before its instant. */

import { within } from '../../bytes/errors.ts';
import type { CaptureTargets } from '../../capture/method.ts';
import { type Blueprint, withOptions } from '../../machine/blueprint.ts';
import type { Machine } from '../../machine/machine.ts';
import { faultText, kindOf } from './fault.ts';
import { done, type Effect, type Fault } from './kind.ts';
import { Random } from './random.ts';
import { findLoaded } from './regions.ts';

/** A fault of a run. Its number decides its draws, and stays when others are left out. */
export interface NumberedFault extends Fault {
  readonly index: number;
}

/** What one fault did. Plain data, for the report. */
export interface FaultNote extends Effect {
  /** As `--fault` takes it. */
  readonly fault: string;
  readonly index: number;
}

export function numbered(faults: readonly Fault[]): NumberedFault[] {
  return faults.map((fault, index) => ({ ...fault, index }));
}

/** The blueprint of the machine that has these faults: partitions, watchdog. */
export function configure(blueprint: Blueprint, faults: readonly Fault[]): Blueprint {
  return faults.reduce((changed, fault) => {
    const changes = kindOf(fault).configure?.(changed, fault.parameters);
    return changes === undefined ? changed : withOptions(changed, changes);
  }, blueprint);
}

/**
 * Strikes a machine that is set up, right before its instant. Same machine, faults and seed: same
 * notes. Throws `usage` and `unsupported` for a fault that this machine cannot have.
 */
export function strike(
  machine: Machine,
  targets: CaptureTargets,
  faults: readonly NumberedFault[],
  seed: number,
): FaultNote[] {
  findLoaded(machine, targets);
  return faults.map((fault) => {
    const { index, kind, parameters } = fault;
    const random = new Random(seed, index, kind);
    const words = faultText(fault);
    const effect = within(words, {}, () =>
      kindOf(fault).strike?.({ machine, targets, random }, parameters),
    );
    return { fault: words, index, ...(effect ?? done('set when the machine was made')) };
  });
}
