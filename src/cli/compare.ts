/** `tsdump compare`: runs a campaign, keeps a line for each trial, and prints the comparison. */

import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { DumpError } from '../bytes/errors.ts';
import { type Campaign, jobsOf, type TrialJob } from '../compare/campaign.ts';
import { campaignTemplate } from '../compare/campaign-file.ts';
import { mergeResults, parseResults, type Results } from '../compare/results.ts';
import { type TrialLine, trialKey } from '../compare/trial-line.ts';
import { type LineFile, lineFile } from '../host/line-file.ts';
import { type NamedImage, sharedImages, type TrialPool, trialPool } from '../host/trial-pool.ts';
import { numberOf, parseShard, planCampaign, withCampaignFile } from './campaign-plan.ts';
import { exitStatus } from './exit-status.ts';
import type { CompareFlags, CompareRequest, Settings } from './handlers.ts';
import { foreignImage, openImage } from './images.ts';
import { openInput } from './input.ts';
import { inputFlagsOf } from './input-options.ts';
import type { Io } from './io.ts';
import { trialProgress } from './progress.ts';
import { textOutput } from './text-output.ts';
import { readText } from './world.ts';

const usualResults = 'compare.ndjson';
/** Characters; a line has some hundred. */
const maxResults = 400 * 1024 * 1024;
const maxJobs = 64;
/** Trials that wait in each thread. */
const trialsAhead = 2;

/** The result is the exit status. Throws DumpErrors. */
export async function answerCompare(
  request: CompareRequest,
  settings: Settings,
  io: Io,
): Promise<number> {
  if (request.action === 'merge') return merge(request, settings, io);
  if (request.action === 'init') return init(request, settings, io);
  const flags = withCampaignFile(request.flags);
  const campaign = planCampaign(flags);
  const trials = await runCampaign(campaign, flags, io);
  print(campaign, trials, settings, io);
  return exitStatus.done;
}

async function runCampaign(
  campaign: Campaign,
  flags: CompareFlags,
  io: Io,
): Promise<ReadonlyMap<string, TrialLine>> {
  const file = flags.output ?? usualResults;
  const shard = parseShard(flags.shard);
  const jobs = numberOf('--jobs', flags.jobs ?? String(availableParallelism()), 1, maxJobs);
  const known = flags.resume === true ? resumed(file, campaign) : undefined;
  const trials = new Map(known?.trials);
  const due = [...jobsOf(campaign, shard)].filter((job) => !trials.has(keyOf(job)));
  if (known === undefined && flags.force === true) rmSync(file, { force: true });
  const lines = lineFile(file, known?.whole);
  try {
    if (known === undefined) lines.add(JSON.stringify(campaign));
    if (due.length > 0) await runAll(due, campaign, { flags, jobs, lines, trials, io });
  } finally {
    lines.close();
  }
  return trials;
}

interface Running {
  readonly flags: CompareFlags;
  readonly jobs: number;
  readonly lines: LineFile;
  /** What is known, by key; grows. */
  readonly trials: Map<string, TrialLine>;
  readonly io: Io;
}

async function runAll(
  due: readonly TrialJob[],
  campaign: Campaign,
  { flags, jobs, lines, trials, io }: Running,
): Promise<void> {
  const pool = await poolOf(campaign, flags, Math.min(jobs, due.length));
  const progress = io.progress ? trialProgress(io) : undefined;
  let done = 0;
  const run = async (job: TrialJob): Promise<void> => {
    const line = await pool.run(job);
    lines.add(JSON.stringify(line));
    trials.set(trialKey(line), line);
    progress?.update(++done, due.length);
  };
  try {
    await each(due, jobs * trialsAhead, run);
  } finally {
    progress?.clear();
    await pool.close();
  }
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

/** Threads that share the images that the scenarios name. */
async function poolOf(campaign: Campaign, flags: CompareFlags, jobs: number): Promise<TrialPool> {
  const { machine } = campaign;
  const names = machine === null ? campaign.scenarios.map(({ image }) => image) : [machine];
  const images: NamedImage[] = [];
  try {
    for (const name of new Set(names)) {
      const { dump, options } =
        machine === null
          ? await openImage(name)
          : foreignImage((await openInput([machine], inputFlagsOf(flags))).dump);
      images.push({ name, dump, options });
    }
    return trialPool(sharedImages(images, machine), jobs);
  } finally {
    for (const { dump } of images) dump.close();
  }
}

function keyOf({ method, scenario: { name }, seed }: TrialJob): string {
  return trialKey({ method, scenario: name, seed });
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

function readResults(file: string): Results {
  return parseResults(readText(file, maxResults), file);
}

function init(
  { file, force }: Extract<CompareRequest, { action: 'init' }>,
  { quiet }: Settings,
  io: Io,
): number {
  const output = textOutput(file, force ? 'overwrite' : 'keep', io);
  try {
    output.add(campaignTemplate);
    output.finish();
  } finally {
    output.abort();
  }
  if (!quiet && file !== '-') io.out(`wrote ${file}: tsdump compare --campaign ${file}\n`);
  return exitStatus.done;
}

function merge(
  { files, output, force }: Extract<CompareRequest, { action: 'merge' }>,
  settings: Settings,
  io: Io,
): number {
  const parts = files.map((file) => ({ file, results: readResults(file) }));
  const { campaign, trials } = mergeResults(parts);
  if (output !== undefined) {
    const sink = textOutput(output, force ? 'overwrite' : 'keep', io);
    try {
      const sorted = [...trials.values()].map((line) => JSON.stringify(line)).sort();
      sink.add(`${[JSON.stringify(campaign), ...sorted].join('\n')}\n`);
      sink.finish();
    } finally {
      sink.abort();
    }
  }
  print(campaign, trials, settings, io);
  return exitStatus.done;
}

function print(
  campaign: Campaign,
  trials: ReadonlyMap<string, TrialLine>,
  _settings: Settings,
  io: Io,
): void {
  for (const method of campaign.methods) {
    const counts = new Map<string, number>();
    for (const line of trials.values()) {
      if (line.method === method) counts.set(line.verdict, (counts.get(line.verdict) ?? 0) + 1);
    }
    io.out(`${method}: ${[...counts].map(([name, count]) => `${name} ${count}`).join(', ')}\n`);
  }
}
