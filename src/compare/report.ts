/** What a campaign came to, with what was required of it: all that any of its outputs says. */

import { DumpError } from '../bytes/errors.ts';
import type { Campaign } from './campaign.ts';
import { changesOf, type ScenarioChange } from './changes.ts';
import { baselineGate, type MethodGate } from './gate.ts';
import {
  type FieldMix,
  fieldMix,
  lkdtmMix,
  type Mix,
  type MixScenario,
  uniformMix,
} from './mix.ts';
import { checkRequirement, type Requirement, type RequirementResult } from './requirement.ts';
import type { Results } from './results.ts';
import { type Sequential, sequentialOf } from './sequential.ts';
import { type Summary, summaryOf } from './summary.ts';
import type { TrialLine } from './trial-line.ts';

/** Plain data. */
export interface CompareReport {
  readonly campaign: Campaign;
  /** Trials that were to run; fewer are in the summary where the campaign is not at its end. */
  readonly due: number;
  readonly summary: Summary;
  /** Null: the number of seeds was fixed. */
  readonly sequential: Sequential | null;
  readonly requirements: readonly RequirementResult[];
  readonly baseline: BaselineReport | null;
}

export interface BaselineReport {
  readonly file: string;
  /** Members of the campaigns that are not the same. */
  readonly differs: readonly string[];
  readonly methods: readonly MethodGate[];
  readonly changes: readonly ScenarioChange[];
  /** In one of the two only: nothing is known of how they changed. */
  readonly onlyBaseline: readonly string[];
  readonly onlyCurrent: readonly string[];
}

export interface ReportOptions {
  readonly due: number;
  /** The user's own, besides those that are always there. */
  readonly mixes: readonly FieldMix[];
  readonly requirements: readonly Requirement[];
  readonly baseline?: { readonly file: string; readonly results: Results } | undefined;
}

/** Before anything runs. Throws `usage` for a mix or a bound that the campaign has nothing for. */
export function refuseOthers(
  campaign: Campaign,
  { mixes, requirements }: Pick<ReportOptions, 'mixes' | 'requirements'>,
): void {
  mixesOf(campaign, mixes);
  const { methods } = campaign;
  const other = requirements.find(({ method }) => !methods.includes(method));
  if (other === undefined) return;
  throw new DumpError('usage', `${other.method} is required and is not run`, {
    hint: `methods of this campaign: ${methods.join(', ')}`,
  });
}

/** Throws as `refuseOthers` does. */
export function reportOf(
  { campaign, trials }: Pick<Results, 'campaign' | 'trials'>,
  { due, mixes, requirements, baseline }: ReportOptions,
): CompareReport {
  const { repeated } = trials;
  const lines = inOrder(trials.lines, campaign);
  refuseOthers(campaign, { mixes, requirements });
  const summary = summaryOf({ lines, repeated }, mixesOf(campaign, mixes));
  const { untilWidth } = campaign;
  return {
    campaign,
    due,
    summary,
    sequential: untilWidth === null ? null : sequentialOf(campaign, untilWidth, lines),
    requirements: requirements.map((each) => checkRequirement(each, summary.methods)),
    baseline: baseline === undefined ? null : baselineOf(baseline, campaign, lines),
  };
}

/** Of all scenarios that the campaign has, whatever ran of it. */
function mixesOf(campaign: Campaign, mixes: readonly FieldMix[]): Mix[] {
  const scenarios = campaign.scenarios.map(({ name, point, crash, load }): MixScenario => {
    return { scenario: name, point, crash, load };
  });
  const hasGrid = scenarios.some(({ point, crash }) => point !== null && crash !== null);
  return [
    uniformMix(scenarios),
    ...(hasGrid ? [lkdtmMix(scenarios)] : []),
    ...mixes.map((mix) => fieldMix(mix, scenarios)),
  ];
}

/** As the campaign has them: trials come in any order, and none of it may show. */
function inOrder(
  lines: readonly TrialLine[],
  { methods, scenarios }: Pick<Campaign, 'methods' | 'scenarios'>,
): TrialLine[] {
  const ofMethod = new Map(methods.map((method, at) => [method, at]));
  const ofScenario = new Map(scenarios.map(({ name }, at) => [name, at]));
  const places = ({ method, scenario, seed }: TrialLine): readonly number[] => {
    return [ofMethod.get(method) ?? -1, ofScenario.get(scenario) ?? -1, seed];
  };
  return [...lines].sort((one, other) => {
    const [before, after] = [places(one), places(other)];
    const differs = before.findIndex((place, at) => place !== after[at]);
    return differs < 0 ? 0 : before[differs]! - after[differs]!;
  });
}

/** False: a gate says no. */
export function isAccepted({ requirements, baseline }: CompareReport): boolean {
  const isWorse = baseline?.methods.some((method) => method.isWorse) === true;
  return !isWorse && requirements.every(({ isMet }) => isMet);
}

/** Stopped, a shard, or not yet at its end; a campaign that knows enough is at its end. */
export function isWhole({ due, summary, sequential }: CompareReport): boolean {
  return summary.trials >= due || sequential?.isReached === true;
}

function baselineOf(
  { file, results }: NonNullable<ReportOptions['baseline']>,
  campaign: Campaign,
  lines: readonly TrialLine[],
): BaselineReport {
  const accepted = results.trials.lines;
  const methodsIn = (all: readonly TrialLine[]) => [...new Set(all.map(({ method }) => method))];
  const [before, after] = [methodsIn(accepted), methodsIn(lines)];
  const members = Object.keys(campaign) as (keyof Campaign)[];
  const differs = members.filter((member) => {
    return JSON.stringify(campaign[member]) !== JSON.stringify(results.campaign[member]);
  });
  return {
    file,
    differs,
    methods: baselineGate(accepted, lines),
    changes: changesOf(accepted, lines),
    onlyBaseline: before.filter((method) => !after.includes(method)),
    onlyCurrent: after.filter((method) => !before.includes(method)),
  };
}
