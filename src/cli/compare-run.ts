/** Runs the trials of a campaign that are not known yet, and keeps a line for each. */

import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { DumpError } from '../bytes/errors.ts';
import { type Campaign, jobsOf, type Shard, type TrialJob } from '../compare/campaign.ts';
import { parseResults, type Results } from '../compare/results.ts';
import { sequentialOf } from '../compare/sequential.ts';
import { TrialSet } from '../compare/trial-set.ts';
import { type LineFile, lineFile } from '../host/line-file.ts';
import { sharedImages, type TrialPool, trialPool } from '../host/trial-pool.ts';
import { numberOf } from './campaign-plan.ts';
import type { CompareFlags } from './handlers.ts';
import { foreignImage, type OpenImages, openImages } from './images.ts';
import { openInput } from './input.ts';
import { inputFlagsOf } from './input-options.ts';
import type { Io } from './io.ts';
import { trialProgress } from './progress.ts';
import { readText } from './world.ts';

export const usualResults = 'compare.ndjson';
/** Characters; a line has some hundred. */
const maxResults = 400 * 1024 * 1024;
const maxJobs = 64;
/** Trials that wait in each thread. */
const trialsAhead = 2;
/** Between two looks at what is known: the machine of an image is set up for so many. */
const seedsAtOnce = 10;

export function readResults(file: string): Results {
  return parseResults(readText(file, maxResults), file);
}

export async function runCampaign(
  campaign: Campaign,
  shard: Shard,
  flags: CompareFlags,
  io: Io,
): Promise<TrialSet> {
  const file = flags.output ?? usualResults;
  const jobs = numberOf('--jobs', flags.jobs ?? String(availableParallelism()), 1, maxJobs);
  const known = flags.resume === true ? resumed(file, campaign) : undefined;
  const trials = known?.trials ?? new TrialSet();
  if (known === undefined && flags.force === true) rmSync(file, { force: true });
  const lines = lineFile(file, known?.whole);
  try {
    if (known === undefined) lines.add(JSON.stringify(campaign));
    await runMissing(campaign, shard, { flags, jobs, lines, trials, io });
  } finally {
    lines.close();
  }
  return trials;
}

interface Running {
  readonly flags: CompareFlags;
  readonly jobs: number;
  readonly lines: LineFile;
  /** What is known; grows. */
  readonly trials: TrialSet;
  readonly io: Io;
}

async function runMissing(campaign: Campaign, shard: Shard, running: Running): Promise<void> {
  const { trials, jobs, flags, io } = running;
  const missing = (seeds: Campaign['seeds']): TrialJob[] =>
    [...jobsOf(campaign, shard, seeds)].filter(({ method, scenario: { name }, seed }) => {
      return !trials.has({ method, scenario: name, seed });
    });
  const all = missing(campaign.seeds);
  const due = all.length;
  if (due === 0) return;
  const images = new Set(all.map(({ scenario }) => scenario.image));
  const pool = await poolOf(campaign.machine, images, Math.min(jobs, due), flags);
  const progress = io.progress ? trialProgress(io) : undefined;
  let done = 0;
  const add = (): void => progress?.update(++done, due);
  try {
    for (const seeds of batches(campaign)) {
      if (isKnownWell(campaign, trials)) break;
      await each(missing(seeds), jobs * trialsAhead, async (job) => {
        const line = await pool.run(job);
        running.lines.add(JSON.stringify(line));
        trials.add(line);
        add();
      });
    }
  } finally {
    progress?.clear();
    await pool.close();
  }
}

/** All seeds at once where nobody looks before the end. */
function* batches({ seeds, untilWidth }: Campaign): Generator<Campaign['seeds']> {
  const size = untilWidth === null ? seeds.count : seedsAtOnce;
  for (let at = 0; at < seeds.count; at += size) {
    yield { first: seeds.first + at, count: Math.min(size, seeds.count - at) };
  }
}

function isKnownWell(campaign: Campaign, trials: TrialSet): boolean {
  const { untilWidth } = campaign;
  return untilWidth !== null && sequentialOf(campaign, untilWidth, trials.lines).isReached;
}

/** Runs `work` on all, so many at a time. */
async function each<T>(
  all: readonly T[],
  atOnce: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) await work(all[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
}

/** Threads that share the images, or the one machine of the user's. */
async function poolOf(
  machine: string | null,
  images: ReadonlySet<string>,
  jobs: number,
  flags: CompareFlags,
): Promise<TrialPool> {
  const opened = machine === null ? await openImages(images) : await openMachine(machine, flags);
  try {
    return trialPool(sharedImages(opened.images, machine), jobs);
  } finally {
    opened.close();
  }
}

async function openMachine(name: string, flags: CompareFlags): Promise<OpenImages> {
  const { dump } = await openInput([name], inputFlagsOf(flags));
  return { images: [{ name, ...foreignImage(dump) }], close: () => dump.close() };
}

/** Throws where the file is of another campaign. */
function resumed(file: string, campaign: Campaign): Results | undefined {
  if (!existsSync(file)) return undefined;
  const results = readResults(file);
  if (JSON.stringify(results.campaign) === JSON.stringify(campaign)) return results;
  throw new DumpError('mismatch', 'these are results of another campaign', {
    where: { file },
    hint: 'give the same methods, scenarios, seeds and level, or another name with -o',
  });
}
