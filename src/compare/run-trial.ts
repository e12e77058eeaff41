/** Runs the trials of a campaign in this thread, on images that were opened for it. */

import { DumpError } from '../bytes/errors.ts';
import type { Codecs } from '../codec/types.ts';
import type { Dump } from '../dump/types.ts';
import type { MachineOptions } from '../machine/blueprint.ts';
import { hardwareProfile } from '../machine/hardware.ts';
import { parseFault } from '../trial/faults/fault.ts';
import { numbered } from '../trial/faults/strike.ts';
import { Common, Trials } from '../trial/trials.ts';
import type { CampaignScenario, TrialJob } from './campaign.ts';
import { impossibleLine, type TrialLine, trialLine } from './trial-line.ts';

/** A machine that trials are run on. Its dump's pages must be the same arrays each time. */
export interface TrialImage {
  readonly dump: Dump;
  readonly options: MachineOptions;
}

/** Trials come image by image; what is set up for one is not kept for long. */
const maxTrials = 2;

export class TrialRunner {
  readonly #imageOf: (name: string) => TrialImage;
  readonly #common: Common;
  readonly #machine: string | null;
  /** Least recently used first. */
  readonly #trials = new Map<string, Trials>();

  /** `machine`: what a dump of the user's is called that `imageOf` always gives. */
  constructor(imageOf: (name: string) => TrialImage, codecs: Codecs, machine: string | null) {
    this.#imageOf = imageOf;
    this.#common = new Common(codecs);
    this.#machine = machine;
  }

  /** A method that cannot be set up on a machine is no failure of it: nothing can be decided. */
  async run(job: TrialJob): Promise<TrialLine> {
    const { method, level, seed, scenario } = job;
    try {
      const report = await this.#trialsOf(scenario).run({
        ...{ method, level, seed },
        faults: numbered(scenario.faults.map(parseFault)),
        ...triggerOf(scenario, this.#machine),
      });
      return trialLine(job, report, this.#machine);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return impossibleLine(job, error, this.#machine);
    }
  }

  #trialsOf({ image, hardware }: CampaignScenario): Trials {
    const key = `${image} ${hardware ?? ''}`;
    const trials = this.#trials.get(key) ?? this.#make(image, hardware);
    this.#trials.delete(key);
    this.#trials.set(key, trials);
    if (this.#trials.size > maxTrials) {
      const [oldest] = this.#trials.keys();
      this.#trials.delete(oldest!);
    }
    return trials;
  }

  #make(image: string, hardware: string | null): Trials {
    const { dump, options } = this.#imageOf(image);
    const profile = hardware === null ? {} : { hardware: hardwareProfile(hardware) };
    return new Trials(dump, { ...options, ...profile }, this.#common);
  }
}

/** As `tsdump capture` has it: nobody ends a hang of our images unless the scenario says so. */
function triggerOf({ trigger }: CampaignScenario, machine: string | null): object {
  if (trigger !== null) return { trigger };
  return machine === null ? { trigger: 'nobody' } : {};
}
