/** Runs of one method that are stopped, struck and resumed between their stages. */

import { expect } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { headerAreaSize, PageFlags, PageRecord } from '../../src/dump/lkcd/layout.ts';
import { nodeWorld } from '../../src/host/world.ts';
import type { PreparedCapture } from '../../src/trial/prepared.ts';
import type { RunReport } from '../../src/trial/report.ts';
import { CaptureRun, type ResumeRequest } from '../../src/trial/run.ts';

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

/** Saved and resumed after each of its stages, a run is the same and leaves the same file. */
export function expectResumable(prepared: PreparedCapture, request: ResumeRequest): void {
  const whole = prepared.begin();
  whole.finish(world);
  const expected = fileOf(whole);
  for (let stop = 1; stop < whole.stages.length; stop++) {
    const first = prepared.begin();
    for (let stage = 0; stage < stop; stage++) first.step(world);
    const resumed = CaptureRun.resume(request, structuredClone(first.save()));
    resumed.finish(world);
    expect(resumed.stages, `after ${stop} stages`).toEqual(whole.stages);
    expect(Buffer.compare(fileOf(resumed), expected), `after ${stop} stages`).toBe(0);
  }
}

function fileOf({ method, machine, options }: CaptureRun): Uint8Array {
  const sink = new MemorySink();
  method.save(machine, sink, options, world);
  return sink.bytes();
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
