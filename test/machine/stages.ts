/** Methods run stage by stage on forks of one machine: no file is made, nothing is judged. */

import { diskdump } from '../../src/capture/diskdump/method.ts';
import { kexec } from '../../src/capture/kexec/method.ts';
import {
  type CaptureOptions,
  type DumpMethod,
  runStage,
  type StageResult,
} from '../../src/capture/method.ts';
import { mkdump } from '../../src/capture/mkdump/method.ts';
import {
  type Blueprint,
  blueprintOf,
  type MachineOptions,
  withOptions,
} from '../../src/machine/blueprint.ts';
import { Machine } from '../../src/machine/machine.ts';
import { openFixture } from '../support/fixture.ts';
import { world } from './support.ts';

export const blueprint = blueprintOf(await openFixture(), world);

const methods = { diskdump, kexec, mkdump } as const;
export type MethodName = keyof typeof methods;

export interface Prepared {
  readonly method: DumpMethod<unknown>;
  readonly machine: Machine;
  readonly state: unknown;
}

const ready = new Map<string, Prepared>();

/** A machine right before its instant, the method set up on it. */
export function prepared(
  name: MethodName,
  options: Partial<MachineOptions> = {},
  of: Blueprint = blueprint,
): Prepared {
  const method = methods[name] as DumpMethod<unknown>;
  const isPlain = Object.keys(options).length === 0 && of === blueprint;
  let made = isPlain ? ready.get(name) : undefined;
  if (made === undefined) {
    const machine = Machine.of(withOptions(of, options));
    const state = method.prepare(machine, optionsOf(method));
    made = { method, machine, state };
    if (isPlain) ready.set(name, made);
  }
  return { method, machine: made.machine.fork(), state: structuredClone(made.state) };
}

export interface Ending {
  readonly stages: readonly ({ readonly name: string } & StageResult)[];
  /** The last one. */
  readonly last: { readonly name: string } & StageResult;
  /** Virtual seconds. */
  readonly seconds: number;
}

/** Runs to the end, or to the first stage that fails; `before` is called before each. */
export function finish(
  { method, machine, state }: Prepared,
  before: (stage: string) => void = () => {},
): Ending {
  const stages: ({ name: string } & StageResult)[] = [];
  for (const stage of method.stages(optionsOf(method))) {
    before(stage.name);
    stages.push({ name: stage.name, ...runStage(stage, machine, state, world) });
    if (stages.at(-1)!.result === 'failed') break;
  }
  return { stages, last: stages.at(-1)!, seconds: machine.clock.now / 1e9 };
}

function optionsOf({ generations }: DumpMethod<unknown>): CaptureOptions {
  return { level: 31, compression: 'none', generation: generations[0].name };
}
