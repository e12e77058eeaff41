/**
 * Files of results: the campaign, then a line for each trial in the order in which they ended. A
 * file may end in the middle of a line: what wrote it was killed.
 */

import { DumpError, within } from '../bytes/errors.ts';
import type { Campaign } from './campaign.ts';
import type { TrialLine } from './trial-line.ts';
import { TrialSet } from './trial-set.ts';

export interface Results {
  readonly campaign: Campaign;
  readonly trials: TrialSet;
  /** Characters up to the end of the last whole line. */
  readonly whole: number;
}

/** Throws `corrupt` for a line that is none, and `mismatch` for two results of one trial. */
export function parseResults(text: string, file: string): Results {
  const whole = text.lastIndexOf('\n') + 1;
  const lines = text.slice(0, whole).split('\n').slice(0, -1);
  const [first, ...rest] = lines.map((line, index) => parseLine(line, file, index + 1));
  if (first === undefined || !isCampaign(first)) {
    throw new DumpError('unsupported', 'no results of a campaign: the first line is none', {
      where: { file },
      hint: '`tsdump compare -o FILE` writes one',
    });
  }
  const trials = new TrialSet();
  for (const [index, line] of rest.entries()) {
    if (!isTrial(line)) {
      throw new DumpError('corrupt', `line ${index + 2} is no trial`, { where: { file } });
    }
    within('', { file }, () => trials.add(line));
  }
  return { campaign: first, trials, whole };
}

/** One campaign out of the shards of it. Throws `mismatch` where they are not of one campaign. */
export function mergeResults(
  parts: readonly { readonly file: string; readonly results: Results }[],
): Pick<Results, 'campaign' | 'trials'> {
  const [first] = parts;
  if (first === undefined) throw new DumpError('usage', 'no results to merge');
  const trials = new TrialSet();
  const { campaign } = first.results;
  for (const { file, results } of parts) {
    if (JSON.stringify(results.campaign) !== JSON.stringify(campaign)) {
      throw new DumpError('mismatch', `another campaign than that of ${first.file}`, {
        where: { file },
      });
    }
    for (const line of results.trials.lines) within('', { file }, () => trials.add(line));
  }
  return { campaign, trials };
}

function parseLine(line: string, file: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new DumpError('corrupt', `line ${number} is no JSON`, { where: { file } });
  }
}

function isCampaign(value: unknown): value is Campaign {
  const { schema, methods, scenarios, seeds } = (value ?? {}) as Partial<Campaign>;
  return (
    schema === 'campaign/1' &&
    Array.isArray(methods) &&
    Array.isArray(scenarios) &&
    typeof seeds?.first === 'number' &&
    typeof seeds.count === 'number'
  );
}

/** Enough to count it; what a campaign wrote has the rest. */
export function isTrial(value: unknown): value is TrialLine {
  const line = (value ?? {}) as Partial<TrialLine>;
  return (
    line.schema === 'trial/1' &&
    typeof line.method === 'string' &&
    typeof line.scenario === 'string' &&
    typeof line.seed === 'number' &&
    typeof line.verdict === 'string' &&
    Array.isArray(line.faults)
  );
}
