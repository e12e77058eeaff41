/** A thread that runs trials, one after another, on the images that it was given at its start. */

import Tinypool from 'tinypool';
import type { TrialJob } from '../compare/campaign.ts';
import type { TrialRunner } from '../compare/run-trial.ts';
import type { TrialLine } from '../compare/trial-line.ts';
import type { TrialWorld } from './trial-pool.ts';
import { runnerOf } from './trial-runner.ts';

let runner: TrialRunner | undefined;

export default function lineOf(job: TrialJob): Promise<TrialLine> {
  runner ??= runnerOf(Tinypool.workerData as TrialWorld);
  return runner.run(job);
}
