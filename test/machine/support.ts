/** Machines of the tests: the default one, and whatever is done to it between two stages. */

import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump } from '../../src/dump/types.ts';
import { nodeWorld } from '../../src/host/world.ts';
import { blueprintOf, type MachineOptions } from '../../src/machine/blueprint.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { type CaptureChoice, PreparedCapture } from '../../src/trial/prepared.ts';
import type { RunReport } from '../../src/trial/report.ts';
import type { CaptureRun } from '../../src/trial/run.ts';

export const world = nodeWorld();

export interface RunRequest extends CaptureChoice {
  readonly dump: Dump;
  readonly machine: MachineOptions;
  /** What befalls the machine between set-up and instant. */
  readonly strike?: (machine: Machine) => void;
}

/** The machine brought to its instant, the method prepared. */
export function startRun(request: RunRequest): CaptureRun {
  const prepared = new PreparedCapture(blueprintOf(request.dump, request.machine), request);
  return prepared.begin((machine) => {
    request.strike?.(machine);
    return [];
  });
}

export interface Outcome {
  readonly run: CaptureRun;
  readonly report: RunReport;
  readonly bytes: Uint8Array;
}

export type Damage = Readonly<Record<string, (machine: Machine, run: CaptureRun) => void>>;

/** Runs to the end; `damage` is done right before the stage that it is named for. */
export async function capture(
  request: Omit<RunRequest, 'machine'> & Partial<Pick<RunRequest, 'machine'>>,
  damage: Damage = {},
): Promise<Outcome> {
  const run = startRun({ machine: world, ...request });
  return await finish(run, damage);
}

export async function finish(run: CaptureRun, damage: Damage = {}): Promise<Outcome> {
  await world.codecs.prepare(run.options.compression);
  while (!run.finished) {
    const next = run.method.stages(run.options)[run.stages.length]!.name;
    damage[next]?.(run.machine, run);
    run.step(world);
  }
  const sink = new MemorySink();
  const target = { sink, open: () => memorySource('dump', sink.bytes()) };
  const report = await run.conclude(target, world);
  return { run, report, bytes: sink.bytes() };
}

export async function openBytes(bytes: Uint8Array): Promise<Dump> {
  return await openDump(memorySource('dump', bytes), world);
}

/** Flips one bit behind a kernel address, as a stray DMA would: no record, no page tables asked. */
export function flip(machine: Machine, address: bigint): void {
  const byte = machine.virtual.u8(address);
  machine.memory.write(machine.virtual.translate(address).physical, Uint8Array.of(byte ^ 1));
}

export function flipPhysical(machine: Machine, physical: number): void {
  const size = machine.memory.pageSize;
  const page = machine.memory.readPage(Math.floor(physical / size));
  machine.memory.write(BigInt(physical), Uint8Array.of(page.bytes![physical % size]! ^ 1));
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function u64(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}
