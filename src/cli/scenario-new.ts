/** The text of a scenario file that options describe: `tsdump scenario new`. */

import { basename } from 'node:path';
import { stringify } from 'yaml';
import { faultText } from '../trial/faults/fault.ts';
import type { Scenario } from '../trial/scenario.ts';
import { defaultScenario } from './capture-plan.ts';
import type { NewScenarioFlags } from './handlers.ts';
import { findScenario } from './library.ts';

/** What `tsdump scenario check` would say of an option is said by it: nothing is checked here. */
export function newScenario(file: string, flags: NewScenarioFlags): string {
  const model = findScenario(flags.from ?? defaultScenario).scenario;
  const { title, why, fault = [], from: _, force: __, ...changed } = flags;
  const isSame = fault.length === 0 && Object.keys(changed).length === 0;
  const { image = model.image, load = model.load, trigger = model.trigger } = flags;
  const faults = [...model.faults.map(faultText), ...fault];
  const members = {
    name: basename(file).replace(/\.ya?ml$/, ''),
    title: title ?? (isSame ? model.title : titleOf(image, faults)),
    why: why ?? (isSame ? model.why : `Made of ${model.name}; what it shows is not said yet.`),
    ...{ image, load, trigger },
    hardware: flags.hardware ?? model.hardware,
    ...(faults.length === 0 ? {} : { faults }),
    watchdog: watchdogOf(flags, model),
    // The verdicts of another crash are no expectation of this one.
    ...(isSame && Object.keys(model.expect).length > 0 ? { expect: model.expect } : {}),
  };
  return `${head}${stringify(members, { lineWidth: 98 })}`;
}

const head = `\
# tsdump capture --list names faults and hardware, docs/reference/faults.md their parameters.
# expect: {METHOD: VERDICT, ...} says what becomes of each method; it may be left out.
`;

function titleOf(image: string, faults: readonly string[]): string {
  return faults.length === 0 ? image : `${image} with ${faults.join(', ')}`;
}

function watchdogOf({ watchdog }: NewScenarioFlags, model: Scenario): number | string | undefined {
  if (watchdog === undefined) return model.watchdog;
  return /^\d+$/.test(watchdog) ? Number(watchdog) : watchdog;
}
