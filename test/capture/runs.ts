/** Runs of one method that are stopped, struck and resumed between their stages. */

import { expect } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { runStage } from '../../src/capture/method.ts';
import { headerAreaSize, PageFlags, PageRecord } from '../../src/dump/lkcd/layout.ts';
import { nodeWorld } from '../../src/host/world.ts';
import type { Blueprint } from '../../src/machine/blueprint.ts';
import { Machine } from '../../src/machine/machine.ts';
import type { PreparedCapture } from '../../src/trial/prepared.ts';
import type { RunReport } from '../../src/trial/report.ts';
import type { CaptureRun } from '../../src/trial/run.ts';

export const world = nodeWorld();

/** Where a run ended, as one line: stage, object, cause. */
export function ended({ failed }: RunReport): string {
  return failed === undefined ? 'at its end' : `${failed.name}: ${failed.object}: ${failed.cause}`;
}

export async function concluded(run: CaptureRun) {
  const sink = new MemorySink();
  const target = { sink, open: () => memorySource('dump', sink.bytes()) };
  const report = await run.conclude(target, world);
  return { report, bytes: sink.bytes() };
}

/** A run that is saved and resumed after each stage is the same, and leaves the same file. */
export function expectResumable(prepared: PreparedCapture, blueprint: Blueprint): void {
  const { method, options } = prepared;
  const whole = prepared.begin();
  // Apart: what the state and the machine share is two things afterwards.
  let saved = structuredClone(whole.save().machine);
  let state = structuredClone(whole.save().state);
  whole.finish(world);
  for (const [index, stage] of method.stages(options).entries()) {
    const machine = Machine.restore(blueprint, saved);
    const startNs = machine.clock.now;
    const result = runStage(stage, machine, state, world);
    const report = { name: stage.name, startNs, endNs: machine.clock.now, remarks: [], ...result };
    expect(report).toEqual(whole.stages[index]);
    saved = structuredClone(machine.save());
    state = structuredClone(state);
  }
  const [file, expected] = [Machine.restore(blueprint, saved), whole.machine].map((machine) => {
    const sink = new MemorySink();
    method.save(machine, sink, options, world);
    return sink.bytes();
  });
  expect(expected!.length).toBeGreaterThan(0);
  expect(Buffer.compare(file!, expected!)).toBe(0);
}

/** The page frames of an LKCD file, in its order. */
export function recordPfns(bytes: Uint8Array): number[] {
  const pfns: number[] = [];
  for (let at = headerAreaSize; ; ) {
    const { dp_address, dp_size, dp_flags } = PageRecord.read(bytes.subarray(at));
    if ((dp_flags & PageFlags.end) !== 0) return pfns;
    pfns.push(Number(dp_address) / 4096);
    at += PageRecord.size + dp_size;
  }
}
