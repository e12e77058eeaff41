/**
 * Scenario mixes: a rate over several scenarios is a claim about how often each of them happens,
 * so that a mix has a name and words, and stands beside every rate.
 */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { groupBy } from './outcomes.ts';
import type { TrialLine } from './trial-line.ts';

/** What a mix can tell scenarios apart by. */
export type MixScenario = Pick<TrialLine, 'scenario' | 'point' | 'crash' | 'load'>;

export const mixAxes = ['scenario', 'point', 'crash', 'load'] as const;
export type MixAxis = (typeof mixAxes)[number];

/** A mix of the user's: of scenarios with the same value of the axis, each the same. */
export interface FieldMix {
  readonly name: string;
  readonly by: MixAxis;
  /** Any numbers that are not negative; they need not sum up to 1. */
  readonly weights: Readonly<Record<string, number>>;
}

/** Plain data. */
export interface Mix {
  readonly name: string;
  /** What it claims, one line. */
  readonly title: string;
  /** By scenario; they sum up to 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** Scenarios that it does not weigh. */
  readonly leavesOut: readonly string[];
}

/** Each scenario once, in the order of the lines. */
export function scenariosOf(lines: readonly TrialLine[]): MixScenario[] {
  return [...groupBy(lines, ({ scenario }) => scenario).values()].map(([first]) => {
    const { scenario, point, crash, load } = first!;
    return { scenario, point, crash, load };
  });
}

export function uniformMix(scenarios: readonly MixScenario[]): Mix {
  const weights = shared(1, scenarios, []);
  return mixOf('uniform', 'each scenario of the campaign the same', scenarios, weights);
}

/** As the test suites of LKDTM and LTP go through their grid. */
export function lkdtmMix(scenarios: readonly MixScenario[]): Mix {
  const title = 'each crash point and crash type the same, then each of its loads';
  const placed = scenarios.filter(({ point, crash }) => point !== null && crash !== null);
  const keys = [
    ({ point, crash }: MixScenario) => JSON.stringify([point, crash]),
    ({ load }: MixScenario) => load,
  ];
  return mixOf('lkdtm', title, scenarios, shared(1, placed, keys));
}

/** Throws `usage` where a weight is no weight, or is of what the campaign does not have. */
export function fieldMix({ name, by, weights }: FieldMix, scenarios: readonly MixScenario[]): Mix {
  const groups = groupBy(scenarios, (scenario) => scenario[by]);
  const values = [...groups.keys()].filter((value) => value !== null);
  let total = 0;
  for (const [value, weight] of Object.entries(weights)) {
    if (!values.some((known) => known === value)) {
      throw new DumpError(
        'usage',
        `mix "${name}": no scenario has ${by} "${value}"${suggestion(value, values)}`,
        { hint: `one of ${values.join(', ')}` },
      );
    }
    if (!Number.isFinite(weight) || weight < 0) {
      throw new DumpError('usage', `mix "${name}": the weight of "${value}" is ${weight}`, {
        hint: 'a number, 0 or more',
      });
    }
    total += weight;
  }
  if (!(total > 0 && Number.isFinite(total))) {
    throw new DumpError('usage', `mix "${name}": its weights sum up to ${total}`, {
      hint: 'give at least one weight above 0',
    });
  }
  const parts = [...groups].flatMap(([value, group]) => {
    const weight = value !== null && Object.hasOwn(weights, value) ? weights[value]! : 0;
    return weight === 0 ? [] : shared(weight / total, group, []);
  });
  const words = Object.entries(weights).map(([value, weight]) => `${value} ${weight}`);
  return mixOf(name, `by ${by}: ${words.join(', ')}`, scenarios, parts);
}

type Weighed = readonly [string, number];

/** The weight, the same to each group of the first key, there to each of the next, and so on. */
function shared(
  weight: number,
  scenarios: readonly MixScenario[],
  [keyOf, ...rest]: readonly ((scenario: MixScenario) => string)[],
): Weighed[] {
  if (keyOf === undefined) {
    return scenarios.map(({ scenario }) => [scenario, weight / scenarios.length]);
  }
  const groups = [...groupBy(scenarios, keyOf).values()];
  return groups.flatMap((group) => shared(weight / groups.length, group, rest));
}

function mixOf(
  name: string,
  title: string,
  scenarios: readonly MixScenario[],
  weighed: readonly Weighed[],
): Mix {
  const weights = Object.fromEntries(weighed);
  const leavesOut = scenarios
    .map(({ scenario }) => scenario)
    .filter((scenario) => !Object.hasOwn(weights, scenario));
  return { name, title, weights, leavesOut };
}
