/**
 * One run of one method on one machine: set-up, the instant, the stages, what is saved after the
 * reboot, the judge. A run can be saved between any two stages and resumed in another process.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import { KeptFile } from '../bytes/kept-file.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import { jsonAddress } from '../bytes/text.ts';
import { methodWord, parseMethod } from '../capture/catalogue.ts';
import { selectPages } from '../capture/filter.ts';
import {
  type CaptureOptions,
  type CaptureTargets,
  type CaptureTools,
  type DumpMethod,
  runStage,
  type Saved,
  type Stage,
} from '../capture/method.ts';
import { methodOf } from '../capture/methods.ts';
import type { Codecs } from '../codec/types.ts';
import { openDump } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { AddressSpace } from '../linux/memory.ts';
import { pageLayout } from '../linux/page-layout.ts';
import { dumpLevelBits } from '../linux/pages.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import { utsname } from '../linux/system.ts';
import { blueprintOf, type MachineOptions } from '../machine/blueprint.ts';
import { second } from '../machine/clock.ts';
import type { Disk, Partition } from '../machine/disk.ts';
import { Machine, type SavedMachine } from '../machine/machine.ts';
import type { SavedSnapshot, Snapshot } from '../machine/snapshot.ts';
import { Questioner } from './answers.ts';
import type { FaultNote } from './faults/strike.ts';
import { type Circumstances, type GroundTruth, judge, type Verdict } from './judge.ts';
import type { OwnWriteReport, RunReport, StageReport } from './report.ts';

/** Where the dump goes: written once, then read by the judge. */
export interface CaptureTarget {
  readonly sink: Sink;
  /** Shown what the run left, before anything is saved of it. */
  readonly keep?: (after: Pick<Machine, 'disks' | 'files'>) => void;
  /** The file, after the sink was finished. */
  open(): Source | Promise<Source>;
}

/** What is known of a run between two stages. */
interface RunFacts {
  readonly options: CaptureOptions;
  readonly stages: readonly StageReport[];
  /** What befell the machine before the instant. */
  readonly faults: readonly FaultNote[];
  /** Where what the method consists of lies. */
  readonly targets: CaptureTargets;
  /** Why the outcome cannot be decided: a page that the input does not hold. */
  readonly lacking: string | undefined;
}

/** Plain data (structured clone). The dump and the options are given again on resuming. */
export interface SavedRun extends RunFacts {
  readonly method: string;
  readonly state: unknown;
  readonly machine: SavedMachine;
  readonly instant: SavedSnapshot;
}

/** As they were when the run began. */
export interface ResumeRequest {
  readonly dump: Dump;
  readonly machine: MachineOptions;
}

interface RunParts extends RunFacts {
  readonly method: DumpMethod<unknown>;
  readonly state: unknown;
  readonly machine: Machine;
  readonly instant: Snapshot;
}

export class CaptureRun {
  readonly method: DumpMethod<unknown>;
  readonly options: CaptureOptions;
  readonly machine: Machine;
  readonly stages: StageReport[];
  /** What befell the machine before the instant. */
  readonly faults: readonly FaultNote[];
  readonly #stages: readonly Stage<unknown>[];
  /** Where what the method consists of lies. */
  readonly targets: CaptureTargets;
  readonly #state: unknown;
  /** Memory at the first step of the method. */
  readonly #instant: Snapshot;
  #lacking: string | undefined;

  /** Goes on where `saved` was taken. `dump` and `machine` as they were given to `start`. */
  static resume(request: ResumeRequest, saved: SavedRun): CaptureRun {
    const machine = Machine.restore(blueprintOf(request.dump, request.machine), saved.machine);
    const instant = machine.snapshot(saved.instant);
    const method = methodOf(saved.method);
    const { options, stages, faults, targets, lacking } = saved;
    const state = structuredClone(saved.state);
    return new CaptureRun({
      method, options, machine, state, instant, stages, faults, targets, lacking,
    }); // biome-ignore format: one call
  }

  constructor(parts: RunParts) {
    this.method = parts.method;
    this.options = parts.options;
    this.machine = parts.machine;
    this.#state = parts.state;
    this.#instant = parts.instant;
    this.#stages = parts.method.stages(parts.options);
    this.stages = [...parts.stages];
    this.faults = parts.faults;
    this.targets = parts.targets;
    this.#lacking = parts.lacking;
  }

  /** No stage is left, or one failed. */
  get finished(): boolean {
    return this.stages.length === this.#stages.length || this.stages.at(-1)?.result === 'failed';
  }

  /** Runs what stages are left. */
  finish(tools: CaptureTools): void {
    while (!this.finished) this.step(tools);
  }

  /** Runs the next stage. */
  step(tools: CaptureTools): StageReport {
    const stage = this.#stages[this.stages.length];
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
      faults: this.faults,
      targets: this.targets,
      lacking: this.#lacking,
    };
  }

  /** After the reboot: brings the dump out, has it judged, and reports. */
  async conclude(
    target: CaptureTarget,
    tools: CaptureTools,
    questioner = new Questioner(),
  ): Promise<RunReport> {
    if (tools.transport !== undefined) return this.#concludeMirrored(target, tools, questioner);
    const { saved, problem } = this.#bringOut(target, tools);
    const circumstances = this.#circumstances(problem);
    const judged = async (): Promise<Verdict> => {
      if (saved !== undefined) return this.judged(() => target.open(), tools.codecs, questioner);
      return judge(undefined, () => this.groundTruth(), circumstances, questioner);
    };
    return this.#report(saved, await judged());
  }

  /** Of a dump that a real server took: what is known of its file is what was acknowledged. */
  async #concludeMirrored(
    target: CaptureTarget,
    tools: CaptureTools,
    questioner: Questioner,
  ): Promise<RunReport> {
    target.sink.abort();
    const mirrored = new KeptFile();
    const inMemory = { ...target, sink: mirrored, open: () => mirrored.source() };
    const { transport: _, ...others } = tools;
    const report = await this.conclude(inMemory, others, questioner);
    if (report.saved === undefined) return report;
    const { verdict } = report;
    return { ...report, verdict: { ...verdict, reasons: [...verdict.reasons, asAcknowledged] } };
  }

  /** The report of a machine that hangs, and nobody ends it. */
  neverCalled(): RunReport {
    const { watchdogNs } = this.machine.clock.limits;
    const hang = 'the machine hangs and does not panic: nothing called the method';
    const reset = `${hang}; the hardware watchdog resets it after ${(watchdogNs ?? 0) / second} s`;
    const reasons = [watchdogNs === undefined ? hang : reset];
    const nothing = { pages: undefined, places: undefined, answers: undefined };
    return this.#report(undefined, { class: 'not-triggered', reasons, ...nothing });
  }

  /** The verdict on the file that was brought out. */
  judged(
    open: () => Source | Promise<Source>,
    codecs: Codecs,
    questioner: Questioner,
  ): Promise<Verdict> {
    const opened = async (): Promise<Dump> => openDump(await open(), { codecs });
    return judge(opened, () => this.groundTruth(), this.#circumstances(''), questioner);
  }

  /** The memory at the instant, and which of its pages are due. */
  groundTruth(): GroundTruth {
    const { kernel, ram } = this.machine;
    // Read as a dump will be read: by registers that the dying kernel noted.
    const dump = this.machine.asDump(this.#instant, 'NT_PRSTATUS');
    const memory = new AddressSpace(new PhysicalMemory(dump), kernel.memory.root);
    const { level } = this.options;
    const { kept } = selectPages(memory, pageLayout(kernel), ram, level);
    const zeroAllowed = (level & dumpLevelBits.zero) !== 0;
    return {
      dump,
      kept,
      withoutZeroPages: zeroAllowed ? 'allowed' : 'not allowed',
      ownWrites: this.machine.ownWrites,
    };
  }

  #bringOut(
    { sink, keep }: CaptureTarget,
    tools: CaptureTools,
  ): { saved?: Saved; problem: string } {
    const { partition } = this.method;
    this.machine.settleDisks();
    keep?.(this.machine);
    try {
      const saved = this.method.save(this.machine, sink, this.options, tools);
      if (saved === undefined) {
        sink.abort();
        return { problem: `no dump ${partition === undefined ? 'was left' : 'on the disk'}` };
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
    const bytesOutside = this.machine.disks.reduce(
      (sum, disk) => sum + writtenOutside(disk, this.method.partition),
      0,
    );
    return { bytesOutside, lacking: this.#lacking, noFile };
  }

  #report(saved: Saved | undefined, verdict: Verdict): RunReport {
    const { machine, method, options, stages } = this;
    const { cpu, task, message, evidence } = machine.panic;
    return {
      method: method.name,
      format: parseMethod(methodWord(method.name, options.generation)).method.format,
      ...options,
      machine: {
        name: machine.name,
        release: utsname(machine.kernel).release,
        cpus: machine.cpus.length,
        ramBytes: machine.ram.reduce((sum, range) => sum + range.end - range.start, 0),
        inputLevel: machine.input.level,
        hardware: machine.hardware.name,
        devices: machine.deviceOrigin,
      },
      panic: { cpu, task: jsonAddress(task), message, evidence },
      setup: [...machine.edits],
      faults: this.faults,
      stages: [...stages],
      failed: stages.find((stage) => stage.result === 'failed'),
      ownWrites: merged(machine.ownWrites.list),
      activity: [...machine.activity],
      memory: {
        pageSize: machine.memory.pageSize,
        endPfn: machine.memory.endPfn,
        ram: machine.ram,
        targets: this.targets,
      },
      disk: {
        commands: machine.disks.reduce((sum, { commands }) => sum + commands, 0),
        bytes: machine.disks
          .flatMap(({ writes }) => writes)
          .reduce((sum, [start, end]) => sum + end - start, 0),
        lost: machine.disks.reduce((sum, { lostBytes }) => sum + lostBytes, 0),
      },
      saved,
      verdict,
    };
  }
}

/** How the judge knows what a real server has. */
const asAcknowledged =
  'judged by what was sent and its server acknowledged: the file of the server was not looked at';

/** Bytes that were written where nobody meant a dump to be. */
function writtenOutside(disk: Disk, use: Partition['use'] | undefined): number {
  // A dump device that is somebody's file system was mistyped.
  const own = disk.partitions.filter(
    (partition) => partition.use === use && disk.holding(partition) !== 'file system',
  );
  const outside = disk.writes.map(([start, end]) =>
    own.reduce((left, partition) => {
      const inside =
        Math.min(end, partition.start + partition.size) - Math.max(start, partition.start);
      return left - Math.max(0, inside);
    }, end - start),
  );
  return outside.reduce((sum, bytes) => sum + bytes, 0);
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
