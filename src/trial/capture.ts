/** One run from a dump to a report, with the reason where it failed. */

import type { Transport } from '../capture/method.ts';
import type { Codecs } from '../codec/types.ts';
import type { Progress } from '../dump/content.ts';
import type { Dump } from '../dump/types.ts';
import type { MachineOptions } from '../machine/blueprint.ts';
import type { TraceEvent } from '../machine/trace.ts';
import { faultText } from './faults/fault.ts';
import type { Fault } from './faults/kind.ts';
import { numbered } from './faults/strike.ts';
import type { CaptureChoice } from './prepared.ts';
import type { CaptureReport } from './report.ts';
import type { CaptureTarget } from './run.ts';
import { Common, Trials, type Trigger, type Watched } from './trials.ts';
import { whyItFailed } from './why.ts';

export interface CaptureRequest extends CaptureChoice {
  readonly dump: Dump;
  readonly machine: MachineOptions;
  readonly codecs: Codecs;
  readonly faults?: readonly Fault[];
  /** 0 to 2^32 - 1; decides where and when the faults strike. 0. */
  readonly seed?: number;
  readonly trigger?: Trigger;
  readonly target: CaptureTarget;
  /** To a dump server of the real world; judged by what that acknowledged. */
  readonly transport?: Transport;
  readonly progress?: Progress;
  /** Of this run; not of those by which the reason is found. */
  readonly trace?: (event: TraceEvent) => void;
}

/** Runs a method to its end and judges what it left. DumpErrors are those of input and target. */
export async function runCapture(request: CaptureRequest): Promise<CaptureReport> {
  const { dump, machine, codecs, target, transport, progress, trace, ...choice } = request;
  const trials = new Trials(dump, machine, new Common(codecs));
  const faults = numbered(request.faults ?? []);
  const watched: Watched = {
    target,
    ...(transport === undefined ? {} : { transport }),
    ...(progress === undefined ? {} : { progress }),
    ...(trace === undefined ? {} : { trace }),
  };
  const report = await trials.run({ ...choice, faults }, watched);
  const isFailure = report.verdict.class !== 'complete' && report.stages.length > 0;
  const isRepeatable = transport === undefined && faults.length > 0;
  if (!isFailure || !isRepeatable) return report;
  const why = await whyItFailed(faults, faultText, (left) =>
    trials.run({ ...choice, faults: left }),
  );
  return { ...report, why };
}
