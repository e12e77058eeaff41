/**
 * A machine at its panic with a method loaded: where any number of runs begin, each on a copy that
 * is struck by its own faults.
 */

import { DumpError } from '../bytes/errors.ts';
import { type MethodDescription, parseMethod } from '../capture/catalogue.ts';
import type { CaptureOptions, CaptureTargets, DumpMethod } from '../capture/method.ts';
import { methodOf } from '../capture/methods.ts';
import type { CompressionName } from '../codec/types.ts';
import type { Blueprint } from '../machine/blueprint.ts';
import { Machine } from '../machine/machine.ts';
import type { FaultNote } from './faults/strike.ts';
import type { StageReport } from './report.ts';
import { CaptureRun } from './run.ts';

/** What is captured how. */
export interface CaptureChoice {
  /** `kexec`, or with a generation: `lkcd-disk:2003`. */
  readonly method: string;
  /** makedumpfile's filter bits; 0, all pages, by default. */
  readonly level?: number;
  /** The method's first one by default. */
  readonly compression?: CompressionName;
}

/** What befalls the machine between set-up and instant; gives what it came to. */
export type Blow = (machine: Machine, targets: CaptureTargets) => readonly FaultNote[];

const noTargets: CaptureTargets = { code: [], structures: [], reserved: [] };

export class PreparedCapture {
  readonly method: DumpMethod<unknown>;
  readonly options: CaptureOptions;
  readonly #machine: Machine;
  readonly #state: unknown;
  /** What the method met while it was loaded: a hole of the input. */
  readonly #failed: StageReport | undefined;

  /** Throws DumpErrors: a choice that the method does not know, a kernel that is none for it. */
  constructor(blueprint: Blueprint, choice: CaptureChoice) {
    const { method, generation } = parseMethod(choice.method);
    this.method = methodOf(method.name);
    this.options = optionsOf(method, generation, choice);
    this.#machine = Machine.of(blueprint);
    try {
      this.#state = this.method.prepare(this.#machine, this.options);
    } catch (error) {
      const stop = error instanceof DumpError ? this.#machine.stopOf(error) : undefined;
      if (stop?.kind !== 'lacking') throw error;
      const { kind, object, message: cause } = stop;
      const times = { startNs: 0, endNs: 0 };
      this.#failed = {
        name: 'set-up', ...times, result: 'failed', kind, cause, object, remarks: [],
      }; // biome-ignore format: one object
    }
  }

  /** A copy of the machine, struck, at its instant. */
  begin(blow: Blow = () => []): CaptureRun {
    const { method, options } = this;
    const machine = this.#machine.fork();
    const state = structuredClone(this.#state);
    const isReady = this.#failed === undefined;
    const targets = isReady ? method.targets(machine, state) : noTargets;
    const faults = blow(machine, targets);
    const instant = machine.snapshot();
    const stages = this.#failed === undefined ? [] : [this.#failed];
    const lacking = this.#failed && `set-up: ${this.#failed.cause}`;
    return new CaptureRun({
      method, options, machine, state, instant, stages, faults, targets, lacking,
    }); // biome-ignore format: one call
  }
}

function optionsOf(
  method: MethodDescription,
  generation: string,
  { level = 0, compression = method.compressions[0] }: CaptureChoice,
): CaptureOptions {
  if (!Number.isInteger(level) || level < 0 || level > 31) {
    throw new DumpError('usage', `a dump level is 0 to 31, not ${level}`);
  }
  if (method.levels !== undefined && !method.levels.includes(level)) {
    throw new DumpError('usage', `${method.name} cannot leave out what level ${level} says`, {
      hint: `levels that it knows: ${method.levels.join(', ')}`,
    });
  }
  if (!method.compressions.includes(compression)) {
    throw new DumpError('usage', `${method.name} does not compress with ${compression}`, {
      hint: `it knows ${method.compressions.join(', ')}`,
    });
  }
  return { level, compression, generation };
}
