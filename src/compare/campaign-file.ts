/**
 * `compare.yaml`: a campaign that is checked in, so that what is measured, on what mix and by what
 * bounds stands before its first run. Its members are the options of `tsdump compare`; an option of
 * the command line goes before them. `docs/reference/json/compare-yaml-1.json` says the same to
 * programs.
 */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { readYaml } from '../trial/scenario.ts';
import { type FieldMix, type MixAxis, mixAxes } from './mix.ts';

export interface CampaignFile {
  readonly methods?: readonly string[];
  readonly scenarios?: readonly string[];
  readonly seeds?: number;
  readonly firstSeed?: number;
  readonly level?: string;
  readonly machine?: string;
  /** See the gate. */
  readonly require?: readonly string[];
  readonly mixes?: readonly FieldMix[];
}

const members = [
  'methods', 'scenarios', 'seeds', 'first-seed', 'level', 'machine', 'require', 'mixes',
] as const; // biome-ignore format: one line

type DataMap = Readonly<Record<string, unknown>>;

/** Throws `usage` with the first thing that is wrong in the text of `file`. */
export function parseCampaignFile(text: string, file: string): CampaignFile {
  const read = readYaml(text);
  const check = new Check(file);
  if ('problems' in read) throw check.wrong('', read.problems[0]?.message ?? 'no YAML');
  const data = check.map(read.value, '');
  for (const key of Object.keys(data)) {
    if (members.some((member) => member === key)) continue;
    throw check.wrong(key, `there is no such member${suggestion(key, members)}`, members);
  }
  return {
    ...check.words(data, 'methods'),
    ...check.words(data, 'scenarios'),
    ...check.words(data, 'require'),
    ...check.count(data, 'seeds', 'seeds'),
    ...check.count(data, 'first-seed', 'firstSeed'),
    ...check.text(data, 'level'),
    ...check.text(data, 'machine'),
    ...(data['mixes'] === undefined ? {} : { mixes: mixesOf(data['mixes'], check) }),
  };
}

/** `field: {by: point, weights: {timer: 2, reclaim: 1}}`. */
function mixesOf(value: unknown, check: Check): FieldMix[] {
  return Object.entries(check.map(value, 'mixes')).map(([name, mix]) => {
    const place = `mixes.${name}`;
    const data = check.map(mix, place);
    const by = mixAxes.find((axis) => axis === data['by']);
    if (by === undefined) throw check.wrong(`${place}.by`, 'is no axis', mixAxes);
    return { name, by: by satisfies MixAxis, weights: weightsOf(data['weights'], place, check) };
  });
}

function weightsOf(value: unknown, place: string, check: Check): Record<string, number> {
  const path = `${place}.weights`;
  const weights = Object.entries(check.map(value, path)).map(([key, weight]) => {
    if (typeof weight === 'number') return [key, weight] as const;
    throw check.wrong(`${path}.${key}`, 'is no number');
  });
  return Object.fromEntries(weights);
}

/** Data that is as it must be, or an error with its place. */
class Check {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  wrong(path: string, message: string, allowed?: readonly string[]): DumpError {
    return new DumpError('usage', path === '' ? message : `${path}: ${message}`, {
      where: { file: this.#file },
      hint: allowed === undefined ? undefined : `one of ${allowed.join(', ')}`,
    });
  }

  map(value: unknown, path: string): DataMap {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as DataMap;
    }
    throw this.wrong(path, path === '' ? 'a campaign is a map of members' : 'is no map');
  }

  /** A word, or a list of words. */
  words<K extends 'methods' | 'scenarios' | 'require'>(
    data: DataMap,
    key: K,
  ): { readonly [P in K]?: readonly string[] } {
    const value = data[key];
    if (value === undefined) return {};
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const isWord = (word: unknown): word is string => typeof word === 'string' && word !== '';
    if (list.length > 0 && list.every(isWord)) return { [key]: list } as { [P in K]: string[] };
    throw this.wrong(key, 'is no list of words');
  }

  count<K extends 'seeds' | 'firstSeed'>(
    data: DataMap,
    key: string,
    name: K,
  ): { readonly [P in K]?: number } {
    const value = data[key];
    if (value === undefined) return {};
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
      return { [name]: value } as { [P in K]: number };
    }
    throw this.wrong(key, 'is no whole number');
  }

  text<K extends 'level' | 'machine'>(data: DataMap, key: K): { readonly [P in K]?: string } {
    const value = data[key];
    if (value === undefined) return {};
    if (typeof value === 'string' || typeof value === 'number') {
      return { [key]: String(value) } as { [P in K]: string };
    }
    throw this.wrong(key, 'is no word');
  }
}

/** What `tsdump compare init` writes. */
export const campaignTemplate = `\
# A campaign of \`tsdump compare --campaign compare.yaml\`. What is measured, on
# which mix and by which bounds is decided here, before the first run. Members that are left out
# have the defaults of the options that are called like them.

# Methods: names of \`tsdump capture --list\`, with :GENERATION for older ones; or all.
methods: [kexec, mkdump, diskdump, netdump, lkcd-disk]

# Scenarios: standard, lkdtm (the grid of crash points, types and loads), names, patterns, files.
scenarios: [lkdtm/*/*/idle]

# Each scenario is run with so many seeds: a seed decides where faults strike.
seeds: 5
first-seed: 0

# Pages to leave out, as far as a method can: makedumpfile's bits.
level: 31

# Mixes: how often each kind of crash is met where you are. A rate is always printed with its mix.
mixes:
  field:
    by: point
    weights: {process: 3, irq-handler: 1, block-submit: 1, reclaim: 1}

# What must hold for the status to be 0, by the bound of the interval that speaks against it.
require:
  - kexec.complete >= 0.5
`;
