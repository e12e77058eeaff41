/**
 * Any number of runs on one image. What does not change from run to run is done once: the kernel's
 * tables, the method's set-up, the encoding of each page, the analyzer's answers. A run then costs
 * what its faults and its own writes touch.
 */

import { assert } from '../bytes/errors.ts';
import { KeptFile } from '../bytes/kept-file.ts';
import { memorySource, type Source } from '../bytes/source.ts';
import type { CaptureTools, Transport } from '../capture/method.ts';
import { rememberingCodecs } from '../codec/remember.ts';
import type { Codecs } from '../codec/types.ts';
import type { Progress } from '../dump/content.ts';
import type { Dump } from '../dump/types.ts';
import { type Blueprint, blueprintOf, type MachineOptions } from '../machine/blueprint.ts';
import { heldDump } from '../machine/held-image.ts';
import { noPanic } from '../machine/rewind.ts';
import type { TraceEvent } from '../machine/trace.ts';
import { Questioner, type RememberedTables, rememberedTables } from './answers.ts';
import type { Fault } from './faults/kind.ts';
import { configure, type NumberedFault, strike } from './faults/strike.ts';
import { type CaptureChoice, PreparedCapture } from './prepared.ts';
import type { CaptureReport, RunReport } from './report.ts';
import type { CaptureRun, CaptureTarget } from './run.ts';

/**
 * `nmi-watchdog`: the CPU that hangs with its interrupts off is made to panic by an NMI. `nobody`:
 * it hangs on.
 */
export const triggers = ['nmi-watchdog', 'nobody'] as const;
export type Trigger = (typeof triggers)[number];

export interface Trial extends CaptureChoice {
  readonly faults?: readonly NumberedFault[];
  /** 0 to 2^32 - 1; decides where and when the faults strike. */
  readonly seed?: number;
  /** Who ends a hang; an input that panicked needs nobody. By default its CPU is made to panic. */
  readonly trigger?: Trigger;
}

/** For a run that somebody looks at. */
export interface Watched {
  /** Where the dump goes; without it, it is judged in memory and forgotten. */
  readonly target?: CaptureTarget;
  /** To a dump server of the real world. */
  readonly transport?: Transport;
  readonly progress?: Progress;
  readonly trace?: (event: TraceEvent) => void;
}

/** What runs on several images of one kernel have in common; give the same one to all of them. */
export class Common {
  readonly codecs: Codecs;
  /** For pages that never change. */
  readonly remembering: Codecs;
  readonly tables: RememberedTables = rememberedTables();
  #judged = 0;

  constructor(codecs: Codecs) {
    this.codecs = codecs;
    this.remembering = rememberingCodecs(codecs);
  }

  /** By number, the first one included: by seed it would be each trial of a campaign's seed 0. */
  isToBeCheckedInFull(): boolean {
    return this.#judged++ % judgedInFull === 0;
  }
}

/** How many set-ups are kept: every method and some hardware take turns in a campaign. */
const maxPrepared = 24;
/** One run in so many is judged from the bytes of its file too, with nothing remembered. */
const judgedInFull = 100;

export class Trials {
  readonly #blueprint: Blueprint;
  readonly #common: Common;
  readonly #questioner: Questioner;
  /** Least recently used first. */
  readonly #prepared = new Map<string, PreparedCapture>();

  /** Throws DumpErrors of the dump's kernel. Closing the dump is the caller's. */
  constructor(dump: Dump, options: MachineOptions, common: Common) {
    const input = heldDump(dump, options.heldBytes);
    this.#blueprint = blueprintOf(input, options, common.tables.of(input));
    this.#common = common;
    this.#questioner = new Questioner(common.tables);
  }

  /** One run, judged from its file: `target`, or one in memory that refers to the pages. */
  async run(
    trial: Trial,
    { target, transport, progress, trace }: Watched = {},
  ): Promise<CaptureReport> {
    const { faults = [], seed = 0 } = trial;
    const run = this.#preparedFor(trial, faults).begin((machine, targets) =>
      strike(machine, targets, faults, seed),
    );
    // Only a panic calls a method that works after one: others are called by people.
    const isCalled = trial.trigger !== 'nobody' || run.method.moment !== 'after the panic';
    if (!isCalled && run.machine.panic.evidence === noPanic) {
      return { ...run.neverCalled(), seed };
    }
    run.machine.trace = trace;
    const codecs = this.#common.remembering;
    await codecs.prepare(run.options.compression);
    const tools: CaptureTools = {
      codecs,
      ...(transport === undefined ? {} : { transport }),
      ...(progress === undefined ? {} : { progress }),
    };
    run.finish(tools);
    const file = new KeptFile();
    const inMemory: CaptureTarget = { sink: file, open: () => file.source() };
    const report = await run.conclude(target ?? inMemory, tools, this.#questioner);
    const isJudged = target === undefined && report.saved !== undefined;
    if (isJudged && this.#common.isToBeCheckedInFull()) {
      await this.#check(run, report, file.source());
    }
    return { ...report, seed };
  }

  /** The same file as bytes, by codecs and an analyzer without a past. */
  async #check(run: CaptureRun, report: RunReport, file: Source): Promise<void> {
    const whole = memorySource(file.name, file.read(0, file.size));
    const verdict = await run.judged(() => whole, this.#common.codecs, new Questioner());
    const isSame = JSON.stringify(verdict) === JSON.stringify(report.verdict);
    assert(isSame, 'a dump judged in full is judged as by what is remembered');
  }

  #preparedFor(choice: CaptureChoice, faults: readonly Fault[]): PreparedCapture {
    const blueprint = configure(this.#blueprint, faults);
    const { method, level, compression } = choice;
    const {
      hardware,
      watchdogSeconds,
      dumpPartitionBytes,
      filesPartitionBytes,
      dumpPartitionHolds,
    } = blueprint.options;
    const key = JSON.stringify([
      method, level, compression, hardware?.name, watchdogSeconds, dumpPartitionBytes,
      filesPartitionBytes, dumpPartitionHolds,
    ]); // biome-ignore format: one list
    const prepared = this.#prepared.get(key) ?? new PreparedCapture(blueprint, choice);
    this.#prepared.delete(key);
    this.#prepared.set(key, prepared);
    if (this.#prepared.size > maxPrepared) {
      const [oldest] = this.#prepared.keys();
      this.#prepared.delete(oldest!);
    }
    return prepared;
  }
}
