/**
 * A campaign: methods x scenarios x seeds. Every method meets the same machine, faults and seeds,
 * so that methods are compared trial by trial; a shard has all methods of its seeds.
 */

import { type MethodDescription, methodWord, parseMethod } from '../capture/catalogue.ts';
import { faultText } from '../trial/faults/fault.ts';
import type { Load, Scenario } from '../trial/scenario.ts';
import type { Trigger } from '../trial/trials.ts';

/** Of a scenario what a trial needs, as JSON. */
export interface CampaignScenario {
  readonly name: string;
  readonly image: string;
  /** Where the kernel crashed and how, where the scenario says so. */
  readonly point: string | null;
  readonly crash: string | null;
  readonly load: Load;
  readonly trigger: Trigger | null;
  readonly hardware: string | null;
  /** As on a command line. A hardware watchdog is one of them. */
  readonly faults: readonly string[];
}

/** Plain data: the first line of a file of results. */
export interface Campaign {
  readonly schema: 'campaign/1';
  readonly methods: readonly string[];
  readonly scenarios: readonly CampaignScenario[];
  /** Seeds from the first on. */
  readonly seeds: { readonly first: number; readonly count: number };
  /** makedumpfile's bits: a method leaves out as much of that as it can. */
  readonly level: number;
  /** A dump of the user's in place of the scenarios' images. */
  readonly machine: string | null;
  /** Seeds are at most those: no more once each rate is known so well, see `sequential.ts`. */
  readonly untilWidth: number | null;
}

/** What a worker is given to do. Plain data. */
export interface TrialJob {
  readonly method: string;
  readonly level: number;
  readonly scenario: CampaignScenario;
  readonly seed: number;
}

/** Part `index`, from 1, of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export const wholeCampaign: Shard = { index: 1, count: 1 };

export function campaignScenario({ watchdog, faults, ...scenario }: Scenario): CampaignScenario {
  const { name, image, load, trigger, hardware } = scenario;
  // A scenario of a grid: GRID/POINT/TYPE/LOAD.
  const [, point = null, crash = null] = name.split('/');
  const watched = watchdog === undefined ? [] : [`watchdog:seconds=${watchdog}`];
  return {
    ...{ name, image, point, crash, load },
    trigger: trigger ?? null,
    hardware: hardware ?? null,
    faults: [...faults.map(faultText), ...watched],
  };
}

/** `kexec:today` is `kexec`: a method has one name in a campaign. */
export function campaignMethod(word: string): string {
  const { method, generation } = parseMethod(word);
  return methodWord(method.name, generation);
}

/** The most that a method can leave out of what a level leaves out. */
export function levelFor({ levels }: MethodDescription, level: number): number {
  if (levels === undefined) return level;
  return Math.max(0, ...levels.filter((known) => (known & ~level) === 0));
}

/**
 * The trials of a shard, those of one image together: setting up a machine costs more than a run.
 * `seeds`: only these, of the campaign's.
 */
export function* jobsOf(
  campaign: Campaign,
  shard: Shard = wholeCampaign,
  seeds: Campaign['seeds'] = campaign.seeds,
): Generator<TrialJob> {
  const { methods, level } = campaign;
  const levels = new Map(methods.map((word) => [word, levelFor(parseMethod(word).method, level)]));
  const numbered = campaign.scenarios.map((scenario, number) => ({ scenario, number }));
  const byImage = numbered.sort((a, b) => order(a.scenario.image, b.scenario.image));
  for (const { scenario, number } of byImage) {
    for (let at = 0; at < seeds.count; at++) {
      const seed = seeds.first + at;
      if ((number + seed) % shard.count !== shard.index - 1) continue;
      for (const method of methods) yield { method, level: levels.get(method)!, scenario, seed };
    }
  }
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** How many trials a shard has. */
export function countJobs(campaign: Campaign, shard: Shard = wholeCampaign): number {
  let count = 0;
  for (const _ of jobsOf(campaign, shard)) count++;
  return count;
}
