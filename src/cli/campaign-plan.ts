/** What a campaign is to be, from the words of its command line. Throws `usage`. */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { methodWords } from '../capture/catalogue.ts';
import {
  type Campaign,
  campaignMethod,
  campaignScenario,
  type Shard,
  wholeCampaign,
} from '../compare/campaign.ts';
import { parseCampaignFile } from '../compare/campaign-file.ts';
import type { FieldMix } from '../compare/mix.ts';
import { maxSeed } from '../trial/faults/random.ts';
import type { Scenario } from '../trial/scenario.ts';
import { parseLevel } from './capture-options.ts';
import type { CompareFlags } from './handlers.ts';
import { findScenario, gridNamed, knownGrids, scenariosOf } from './library.ts';
import { knownScenarios } from './scenario.ts';
import { readText } from './world.ts';

/** What kdump is usually configured with. */
const usualLevel = 31;
const maxSeeds = 1_000_000;

/** What the options ask for, and what only the campaign's file can. */
export interface CampaignFlags {
  readonly flags: CompareFlags;
  readonly mixes: readonly FieldMix[];
}

/** The options, and what they leave to the campaign's file. */
export function withCampaignFile(flags: CompareFlags): CampaignFlags {
  if (flags.campaign === undefined) return { flags, mixes: [] };
  const file = parseCampaignFile(readText(flags.campaign), flags.campaign);
  const { methods, scenarios, seeds, firstSeed, level, machine, require, mixes = [] } = file;
  const options = {
    ...(require === undefined ? {} : { require }),
    ...(methods === undefined ? {} : { methods: methods.join(',') }),
    ...(scenarios === undefined ? {} : { scenarios: scenarios.join(',') }),
    ...(seeds === undefined ? {} : { seeds: String(seeds) }),
    ...(firstSeed === undefined ? {} : { firstSeed: String(firstSeed) }),
    ...(level === undefined ? {} : { level }),
    ...(machine === undefined ? {} : { machine }),
  };
  return { flags: { ...options, ...flags }, mixes };
}

export function planCampaign(flags: CompareFlags): Campaign {
  const { methods = 'all', scenarios = 'standard', machine = null } = flags;
  const first = numberOf('--first-seed', flags.firstSeed ?? '0', 0, maxSeed);
  const count = numberOf('--seeds', flags.seeds ?? '20', 1, maxSeeds);
  if (first + count - 1 > maxSeed) {
    throw new DumpError('usage', `--first-seed ${first}: ${count} seeds end behind ${maxSeed}`);
  }
  return {
    schema: 'campaign/1',
    methods: methodsOf(methods),
    scenarios: scenariosNamed(scenarios).map(campaignScenario),
    seeds: { first, count },
    level: flags.level === undefined ? usualLevel : parseLevel(flags.level),
    machine,
    untilWidth: flags.untilWidth === undefined ? null : parseWidth(flags.untilWidth),
  };
}

/** `2/4`: the second of four parts. */
export function parseShard(text: string | undefined): Shard {
  if (text === undefined) return wholeCampaign;
  const [, index = 0, count = 0] = (/^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (index >= 1 && index <= count) return { index, count };
  throw new DumpError('usage', `--shard ${text}: a part is I/N, as 1/4 is the first of four`);
}

function parseWidth(text: string): number {
  const width = Number(text);
  if (width > 0 && width < 1) return width;
  throw new DumpError('usage', `--until-width ${text}: a width of an interval, as 0.02`);
}

export function numberOf(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new DumpError('usage', `${option} ${text}: a whole number, ${least} to ${most}`);
}

function methodsOf(text: string): string[] {
  const words = listOf('--methods', text);
  const found = words.flatMap((word) => (word === 'all' ? methodWords : [campaignMethod(word)]));
  return [...new Set(found.map(campaignMethod))];
}

function scenariosNamed(text: string): Scenario[] {
  const found = new Map<string, Scenario>();
  for (const word of listOf('--scenarios', text)) {
    for (const scenario of scenariosOfWord(word)) {
      const known = found.get(scenario.name);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(scenario)) {
        throw new DumpError('usage', `--scenarios: two scenarios are called ${scenario.name}`);
      }
      found.set(scenario.name, scenario);
    }
  }
  return [...found.values()];
}

function scenariosOfWord(word: string): Scenario[] {
  if (word === 'standard') return knownScenarios();
  if (word === 'all') return allScenarios();
  const grid = gridNamed(word);
  if (grid !== undefined) return scenariosOf(grid);
  if (!word.includes('*')) return [findScenario(word).scenario];
  const pattern = new RegExp(`^${word.split('*').map(escaped).join('.*')}$`);
  const found = allScenarios().filter(({ name }) => pattern.test(name));
  if (found.length > 0) return found;
  const near = suggestion(word, [...knownGrids().map(({ grid: { name } }) => name)]);
  throw new DumpError('usage', `--scenarios ${word}: no scenario has such a name${near}`, {
    hint: '`tsdump scenario list` lists them',
  });
}

function allScenarios(): Scenario[] {
  return [...knownScenarios(), ...knownGrids().flatMap(scenariosOf)];
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

function listOf(option: string, text: string): string[] {
  const words = text.split(',').filter((word) => word !== '');
  if (words.length > 0) return words;
  throw new DumpError('usage', `${option}: nothing is named`);
}
