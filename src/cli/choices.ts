/** `tsdump capture --list`: what can be captured, how, and what can befall it. */

import type { Json } from '../analyze/command.ts';
import { catalogue, type MethodDescription, methodWord } from '../capture/catalogue.ts';
import { hardwareNames } from '../machine/hardware.ts';
import { allowedFor, defaultOf, faultSyntax } from '../trial/faults/fault.ts';
import type { FaultKind, Parameter } from '../trial/faults/kind.ts';
import { faultKinds } from '../trial/faults/kinds.ts';
import { regions } from '../trial/faults/regions.ts';
import type { Scenario } from '../trial/scenario.ts';
import { exitStatus } from './exit-status.ts';
import type { Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { knownGrids } from './library.ts';
import { knownScenarios } from './scenario.ts';
import { packageVersion } from './version.ts';

/** The result is the exit status. */
export function listChoices(settings: Settings, io: Io): number {
  const scenarios = knownScenarios();
  if (settings.json) io.out(`${JSON.stringify(documentOf(scenarios))}\n`);
  else io.out(`${lines(scenarios).join('\n')}\n`);
  return exitStatus.done;
}

function lines(scenarios: readonly Scenario[]): string[] {
  return [
    'Methods (--method):',
    ...table(catalogue.map(({ name, summary }) => [name, summary])),
    ...catalogue.flatMap(generationLines),
    '  example: tsdump capture --method kexec',
    '',
    'Scenarios (--scenario):',
    ...table(scenarios.map(({ name, title }) => [name, title])),
    ...table(knownGrids().map(({ grid }) => [`${grid.name}/...`, `${grid.title}: scenario list`])),
    '  example: tsdump capture --scenario disk-hung',
    '',
    'Hardware (--hardware):',
    ...hardwareNames.map((name) => `  ${name}`),
    `  example: tsdump capture --hardware ${hardwareNames.at(-1)}`,
    '',
    'Faults (--fault, may be repeated):',
    ...faultKinds.flatMap(faultLines),
    '',
    'Regions of memory faults:',
    ...table(Object.entries(regions)),
  ];
}

/** Of a method that had more than one. */
function generationLines({ name, generations }: MethodDescription): string[] {
  if (generations.length === 1) return [];
  return table(generations.map((one) => [methodWord(name, one.name), one.title]));
}

function faultLines(kind: FaultKind): string[] {
  return [
    `  ${faultSyntax(kind)}`,
    `      ${kind.summary}`,
    ...kind.parameters.map((parameter) => `      ${parameterText(parameter)}`),
    `      example: --fault ${kind.example}`,
  ];
}

/** `writes: how many writes, each at a place of its own (1 to 1000; default 1)`. */
function parameterText(parameter: Parameter): string {
  const usual = defaultOf(parameter);
  const otherwise =
    usual === undefined ? (parameter.otherwise ?? 'must be given') : `default ${usual}`;
  // The choices stand in the syntax, those of many in a list of their own.
  const allowed = parameter.type === 'choice' ? '' : `${allowedFor(parameter)}; `;
  return `${parameter.name}: ${parameter.meaning} (${allowed}${otherwise})`;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
}

function documentOf(scenarios: readonly Scenario[]): Json {
  return {
    tsdump: packageVersion(),
    schema: 'choices/1',
    input: null,
    complete: true,
    missing: [],
    data: {
      methods: catalogue.map(({ name, format, compressions }) => ({
        ...{ name, format, compressions: [...compressions] },
        example: `tsdump capture --method ${name}`,
      })),
      scenarios: scenarios.map(({ name, title, image }) => ({
        ...{ name, title, image },
        example: `tsdump capture --scenario ${name}`,
      })),
      hardware: [...hardwareNames],
      faults: faultKinds.map(({ name, family, summary, parameters, example }, index) => ({
        ...{ name, family, summary },
        syntax: faultSyntax(faultKinds[index]!),
        parameters: parameters.map(parameterJson),
        example: `tsdump capture --fault ${example}`,
      })),
    },
    errors: [],
  };
}

function parameterJson(parameter: Parameter): Json {
  return {
    name: parameter.name,
    type: parameter.type,
    allowed: allowedFor(parameter),
    default: defaultOf(parameter) ?? null,
    otherwise: parameter.otherwise ?? null,
    meaning: parameter.meaning,
  };
}
