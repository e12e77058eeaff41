/**
 * One run of one method on one machine: set-up, the instant, the stages, what is saved after the
 * reboot, the judge. A run can be saved between any two stages and resumed in another process.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import { jsonAddress } from '../bytes/text.ts';
import { selectPages } from '../capture/filter.ts';
import {
  type CaptureOptions,
  type CaptureTools,
  type DumpMethod,
  runStage,
  type Saved,
} from '../capture/method.ts';
import { methodOf } from '../capture/methods.ts';
import type { Codecs, CompressionName } from '../codec/types.ts';
import type { Progress } from '../dump/content.ts';
import { openDump } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { AddressSpace } from '../linux/memory.ts';
import { dumpLevelBits, pageLayout } from '../linux/pages.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { utsname } from '../linux/system.ts';
import { Machine, type MachineOptions, type SavedMachine } from '../machine/machine.ts';
import type { SavedSnapshot, Snapshot } from '../machine/snapshot.ts';
import { type Circumstances, type GroundTruth, judge, type Verdict } from './judge.ts';
import type { CaptureReport, OwnWriteReport, StageReport } from './report.ts';

/** Where the dump goes: written once, then read by the judge. */
export interface CaptureTarget {
  readonly sink: Sink;
  /** The file, after the sink was finished. */
  open(): Source | Promise<Source>;
}

export interface CaptureRequest {
  readonly dump: Dump;
  /** `mkdump` or `kexec`. */
  readonly method: string;
  /** makedumpfile's filter bits; 0, all pages, by default. */
  readonly level?: number;
  readonly compression?: CompressionName;
  readonly machine: MachineOptions;
  /** What else befalls the machine between set-up and instant: locks held, damage. */
  readonly scenario?: (machine: Machine) => void;
  readonly codecs: Codecs;
  readonly target: CaptureTarget;
  readonly progress?: Progress;
}

/** Runs a method to its end and judges what it left. DumpErrors are those of input and target. */
export async function runCapture(request: CaptureRequest): Promise<CaptureReport> {
  const { codecs, progress, target } = request;
  const run = CaptureRun.start(request);
  await codecs.prepare(run.options.compression);
  const tools: CaptureTools = progress === undefined ? { codecs } : { codecs, progress };
  while (!run.finished) run.step(tools);
  return run.conclude(target, tools);
}

/** Plain data (structured clone). The dump and the options are given again on resuming. */
export interface SavedRun {
  readonly method: string;
  readonly options: CaptureOptions;
  readonly state: unknown;
  readonly machine: SavedMachine;
  readonly instant: SavedSnapshot;
  readonly stages: readonly StageReport[];
  readonly lacking: string | undefined;
}

export type RunRequest = Pick<
  CaptureRequest,
  'dump' | 'method' | 'level' | 'compression' | 'machine' | 'scenario'
>;

export class CaptureRun {
  readonly method: DumpMethod<unknown>;
  readonly options: CaptureOptions;
  readonly machine: Machine;
  readonly stages: StageReport[];
  readonly #state: unknown;
  /** Memory at the first step of the method. */
  readonly #instant: Snapshot;
  #lacking: string | undefined;

  /** The machine brought to its instant, the method prepared. Throws DumpErrors. */
  static start(request: RunRequest): CaptureRun {
    const method = methodOf(request.method);
    const level = request.level ?? 0;
    if (!Number.isInteger(level) || level < 0 || level > 31) {
      throw new DumpError('usage', `a dump level is 0 to 31, not ${level}`);
    }
    const compression = request.compression ?? 'zlib';
    if (!method.compressions.includes(compression)) {
      throw new DumpError('usage', `${method.name} does not compress with ${compression}`, {
        hint: `it knows ${method.compressions.join(', ')}`,
      });
    }
    const machine = Machine.fromDump(request.dump, request.machine);
    const options: CaptureOptions = { level, compression };
    const prepared = prepare(method, machine, options);
    request.scenario?.(machine);
    const instant = machine.snapshot();
    if ('state' in prepared) {
      return new CaptureRun(method, options, machine, prepared.state, instant, []);
    }
    const run = new CaptureRun(method, options, machine, undefined, instant, [prepared.failed]);
    run.#lacking = `set-up: ${prepared.failed.cause}`;
    return run;
  }

  /** Goes on where `saved` was taken. `dump` and `machine` as they were given to `start`. */
  static resume(request: Pick<RunRequest, 'dump' | 'machine'>, saved: SavedRun): CaptureRun {
    const machine = Machine.restore(request.dump, request.machine, saved.machine);
    const instant = machine.snapshot(saved.instant);
    const method = methodOf(saved.method);
    const run = new CaptureRun(
      method, saved.options, machine, structuredClone(saved.state), instant, saved.stages,
    ); // biome-ignore format: one call
    run.#lacking = saved.lacking;
    return run;
  }

  private constructor(
    method: DumpMethod<unknown>,
    options: CaptureOptions,
    machine: Machine,
    state: unknown,
    instant: Snapshot,
    stages: readonly StageReport[],
  ) {
    this.method = method;
    this.options = options;
    this.machine = machine;
    this.#state = state;
    this.#instant = instant;
    this.stages = [...stages];
  }

  /** No stage is left, or one failed. */
  get finished(): boolean {
    return (
      this.stages.length === this.method.stages.length || this.stages.at(-1)?.result === 'failed'
    );
  }

  /** Runs the next stage. */
  step(tools: CaptureTools): StageReport {
    const stage = this.method.stages[this.stages.length];
    assert(stage !== undefined && !this.finished, 'a stage is left');
    const startNs = this.machine.clock.now;
    const { result, ...rest } = runStage(stage, this.machine, this.#state, tools);
    const times = { startNs, endNs: this.machine.clock.now };
    const report: StageReport = { name: stage.name, ...times, result, remarks: [], ...rest };
    if (report.kind === 'lacking') this.#lacking = `${stage.name}: ${report.cause}`;
    this.stages.push(report);
    return report;
  }

  save(): SavedRun {
    return {
      method: this.method.name,
      options: this.options,
      state: structuredClone(this.#state),
      machine: this.machine.save(),
      instant: this.#instant.save(),
      stages: [...this.stages],
      lacking: this.#lacking,
    };
  }

  /** After the reboot: brings the dump out, has it judged, and reports. */
  async conclude(target: CaptureTarget, tools: CaptureTools): Promise<CaptureReport> {
    const { saved, problem } = this.#bringOut(target, tools);
    const open = saved === undefined ? undefined : async () => openDump(await target.open(), tools);
    const circumstances = this.#circumstances(problem);
    return this.#report(saved, await judge(open, () => this.groundTruth(), circumstances));
  }

  /** The memory at the instant, and which of its pages are due. */
  groundTruth(): GroundTruth {
    const { kernel, ram } = this.machine;
    // Read as a dump will be read: by registers that the dying kernel noted.
    const dump = this.machine.asDump(this.#instant, 'NT_PRSTATUS');
    const memory = new AddressSpace(new PhysicalMemory(dump), kernel.memory.root);
    const { level } = this.options;
    const { chosen } = selectPages(memory, pageLayout(kernel), ram, level);
    const zeroAllowed = (level & dumpLevelBits.zero) !== 0;
    return {
      dump,
      chosen,
      withoutZeroPages: zeroAllowed ? 'allowed' : 'not allowed',
      ownWrites: this.machine.ownWrites,
    };
  }

  #bringOut({ sink }: CaptureTarget, tools: CaptureTools): { saved?: Saved; problem: string } {
    try {
      const saved = this.method.save(this.machine, sink, this.options, tools);
      if (saved === undefined) {
        sink.abort();
        return { problem: 'no dump on the disk' };
      }
      sink.finish();
      return { saved, problem: '' };
    } catch (error) {
      sink.abort();
      // What the disk of the machine holds can be damaged; what the host refuses is not its fault.
      if (!(error instanceof DumpError) || error.code === 'io') throw error;
      return { problem: `what is on the disk cannot be saved: ${error.message}` };
    }
  }

  #circumstances(noFile: string): Circumstances {
    const { disk } = this.machine;
    const own = disk.partition(this.method.partition);
    const outside = disk.writes.map(([start, end]) => {
      const inside = Math.min(end, own.start + own.size) - Math.max(start, own.start);
      return end - start - Math.max(0, inside);
    });
    const bytesOutside = outside.reduce((sum, bytes) => sum + bytes, 0);
    return { bytesOutside, lacking: this.#lacking, noFile };
  }

  #report(saved: Saved | undefined, verdict: Verdict): CaptureReport {
    const { machine, method, options, stages } = this;
    const { cpu, task, message, evidence } = machine.panic;
    return {
      method: method.name,
      format: method.format,
      ...options,
      machine: {
        name: machine.name,
        release: utsname(machine.kernel).release,
        cpus: machine.cpus.length,
        ramBytes: machine.ram.reduce((sum, range) => sum + range.end - range.start, 0),
        inputLevel: machine.input.level,
        hardware: machine.hardware.name,
      },
      panic: { cpu, task: jsonAddress(task), message, evidence },
      setup: [...machine.edits],
      stages: [...stages],
      failed: stages.find((stage) => stage.result === 'failed'),
      ownWrites: merged(machine.ownWrites.list),
      disk: {
        commands: machine.disk.commands,
        bytes: machine.disk.writes.reduce((sum, [start, end]) => sum + end - start, 0),
      },
      saved,
      verdict,
    };
  }
}

/** What the method loads while the machine is well; a hole of the input may not allow it. */
function prepare(
  method: DumpMethod<unknown>,
  machine: Machine,
  options: CaptureOptions,
): { readonly state: unknown } | { readonly failed: StageReport } {
  try {
    return { state: method.prepare(machine, options) };
  } catch (error) {
    const stop = error instanceof DumpError ? machine.stopOf(error) : undefined;
    if (stop?.kind !== 'lacking') throw error;
    const { kind, object, message: cause } = stop;
    const times = { startNs: 0, endNs: 0 };
    return {
      failed: { name: 'set-up', ...times, result: 'failed', kind, cause, object, remarks: [] },
    };
  }
}

/** Neighbouring writes of one purpose as one. */
function merged(writes: readonly OwnWriteReport[]): OwnWriteReport[] {
  const result: OwnWriteReport[] = [];
  for (const write of writes) {
    const last = result.at(-1);
    if (last !== undefined && last.what === write.what && last.end === write.start) {
      result[result.length - 1] = { ...last, end: write.end };
    } else {
      result.push({ ...write });
    }
  }
  return result;
}
