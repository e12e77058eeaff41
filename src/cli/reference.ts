/**
 * Reference pages and the schema of scenario files, made of the descriptions that parsing is made
 * of. `npm run man` writes them.
 */

import {
  catalogue,
  type MethodDescription,
  methodWord,
  methodWords,
} from '../capture/catalogue.ts';
import { hardwareNames } from '../machine/hardware.ts';
import {
  allowedFor,
  defaultOf,
  faultSyntax,
  faultText,
  isRequired,
} from '../trial/faults/fault.ts';
import type { FaultKind, Parameter } from '../trial/faults/kind.ts';
import { faultKinds } from '../trial/faults/kinds.ts';
import { regions } from '../trial/faults/regions.ts';
import type { Point } from '../trial/grid.ts';
import { loads, maxFaults, maxWatchdog, namePattern, type Scenario } from '../trial/scenario.ts';
import { triggers } from '../trial/trials.ts';
import { verdictClasses } from '../trial/verdict-classes.ts';
import { type GridFile, missingCells, scenariosOf } from './library.ts';

const notice = '<!-- Made by `npm run man`. Do not edit. -->';

/** `docs/reference/faults.md`. */
export function faultsPage(): string {
  const families: readonly (readonly [FaultKind['family'], string])[] = [
    ['memory', 'Memory'],
    ['device', 'Devices'],
    ['cpu', 'CPUs'],
    ['platform', 'Platform and locks'],
  ];
  return `${[
    '# Faults',
    '',
    notice,
    '',
    'A fault is what befalls an emulated machine before a dump method starts on it:',
    '`tsdump capture --fault KIND[:key=value,...]`, repeatable, or an entry of a',
    '[scenario](scenarios.md). Numbers are decimal, or hexadecimal with 0x.',
    '',
    'No probability decides an outcome. The seed (`--seed`) decides where a fault strikes, when,',
    'and with which bytes; what comes of it follows from what the method then meets. The draws of',
    'a fault depend on the seed, its kind and its place in the list: leaving one out changes no',
    'other.',
    'Every write is reported with its place, the bytes before and after (of more than 16 bytes',
    'their number), and how it ended.',
    '',
    'How many CPUs and how much RAM a machine has is decided by its image: neither is a fault.',
    ...families.flatMap(([family, title]) => [
      '',
      `## ${title}`,
      ...faultKinds.filter((kind) => kind.family === family).flatMap(kindSection),
    ]),
    '',
    '## Regions',
    '',
    '| region | what it is |',
    '|---|---|',
    ...Object.entries(regions).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
    '',
    'Regions are found in the undamaged kernel of the image, by its symbols, page tables and',
    'struct pages; `reserved`, `segments`, `kexec` and `dump-code` are those of the method that',
    'runs.',
  ].join('\n')}\n`;
}

function kindSection(kind: FaultKind): string[] {
  const { summary } = kind;
  const rows = kind.parameters.map((parameter) => {
    const { name, meaning } = parameter;
    const otherwise = defaultOf(parameter) ?? parameter.otherwise ?? '(must be given)';
    return `| \`${name}\` | ${allowedFor(parameter)} | ${otherwise} | ${meaning} |`;
  });
  return [
    '',
    `### ${kind.name}`,
    '',
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    '',
    '```',
    faultSyntax(kind),
    '```',
    ...(rows.length === 0
      ? []
      : ['', '| parameter | allowed | default | meaning |', '|---|---|---|---|', ...rows]),
    '',
    `Example: \`tsdump capture --fault ${kind.example}\``,
  ];
}

const exampleScenario: readonly string[] = [
  '```yaml',
  'name: deaf-and-slow              # as the file, without .yaml',
  'title: one line',
  'why: what a reader learns from it',
  'image: null-process              # a panic image of tsdump',
  `load: idle                       # ${loads.join(', ')}`,
  'trigger: nmi-watchdog            # who ends a hang; may be left out: nobody',
  'hardware: virtio-scsi            # may be left out',
  'faults:                          # may be left out',
  '  - memory: {by: dma, region: slab, writes: 4}',
  '  - disk-slow:factor=50          # as on the command line',
  '  - cpu-deaf',
  'watchdog: 60                     # seconds; may be left out: none',
  'expect: {kexec: none}            # verdicts by method; may be left out',
  '```',
];

/** `docs/reference/scenarios.md`. */
export function scenariosPage(scenarios: readonly Scenario[], grids: readonly GridFile[]): string {
  return `${[
    '# Scenarios',
    '',
    notice,
    '',
    'A scenario is a small YAML file: the image that panicked, the faults that befall its machine',
    'until the dump starts, its hardware. `tsdump scenario list` lists those that come along,',
    '`tsdump capture --scenario NAME` runs one, `tsdump scenario check FILE` checks your own. For',
    'programs the format is [json/scenario-1.json](json/scenario-1.json).',
    '',
    ...exampleScenario,
    '',
    `Hardware profiles: ${hardwareNames.join(', ')}. Faults: [faults.md](faults.md).`,
    '',
    '## What each does to every method',
    '',
    'Where nothing stands the dump is complete.',
    '',
    ...verdictTable(scenarios),
    '',
    ...grids.flatMap(gridSection),
    '## The scenarios that come along',
    ...scenarios.flatMap(scenarioSection),
  ].join('\n')}\n`;
}

/** Of the usual generation, and of another one where that is different. */
function verdictTable(scenarios: readonly Scenario[]): string[] {
  const known = scenarios.filter(({ expect }) => Object.keys(expect).length > 0);
  const cell = ({ expect }: Scenario, method: MethodDescription): string => {
    const others = method.generations.slice(1).flatMap((generation) => {
      const verdict = expect[methodWord(method.name, generation.name)];
      return verdict === undefined ? [] : [`${generation.name}: ${verdict}`];
    });
    const usual = expect[method.name];
    return [...(usual === 'complete' || usual === undefined ? [] : [usual]), ...others].join('; ');
  };
  return [
    `| scenario | ${catalogue.map(({ name }) => name).join(' | ')} |`,
    `|---|${'---|'.repeat(catalogue.length)}`,
    ...known.map((one) => {
      return `| ${one.name} | ${catalogue.map((method) => cell(one, method)).join(' | ')} |`;
    }),
  ];
}

/** Its points and types with the image of each cell, its loads, and why cells are empty. */
function gridSection(known: GridFile): string[] {
  const { name, title, points, types, loads } = known.grid;
  const cell = (point: Point, type: string): string => {
    const found = point.cells[type];
    return found !== undefined && 'image' in found ? found.image : '';
  };
  return [
    `## ${name}: a grid of ${scenariosOf(known).length}`,
    '',
    `${title[0]!.toUpperCase()}${title.slice(1)}. Each cell of the table is an image that really`,
    `panicked in this place and in this way, and ${loads.length} scenarios,`,
    `\`${name}/POINT/TYPE/LOAD\`; \`tsdump scenario show ${name}\` shows them all at once.`,
    '',
    `| point | ${types.map((type) => type.name).join(' | ')} |`,
    `|---|${'---|'.repeat(types.length)}`,
    ...points.map((point) => {
      return `| ${point.name} | ${types.map((type) => cell(point, type.name)).join(' | ')} |`;
    }),
    '',
    ...loads.map((load) => `- Load \`${load.name}\`: ${faultWords(load.faults)}.`),
    '',
    'Why cells are empty:',
    '',
    ...missingCells(known).map(({ why, cells }) => `- ${cells.join(', ')}: ${why}.`),
    '',
    'What is special about the types and the points:',
    '',
    ...[...types, ...points].map(({ name, title, why }) => `- **${name}**, ${title}. ${why}`),
    '',
  ];
}

function faultWords(faults: unknown): string {
  if (!Array.isArray(faults)) return 'no faults';
  return faults.map((fault) => `\`${fault}\``).join(', ');
}

function scenarioSection(scenario: Scenario): string[] {
  const { name, title, why, image, load, trigger, hardware, faults, watchdog } = scenario;
  const all = [
    ...faults.map(faultText),
    ...(watchdog === undefined ? [] : [`watchdog:seconds=${watchdog}`]),
  ];
  const more = [
    ...(trigger === undefined ? [] : [`, trigger: ${trigger}`]),
    ...(hardware === undefined ? [] : [`, hardware: ${hardware}`]),
  ].join('');
  const list = all.length === 0 ? 'no faults' : all.map((text) => `\`${text}\``).join(', ');
  return [
    '',
    `### ${name}`,
    '',
    `${title[0]!.toUpperCase()}${title.slice(1)}. Image ${image}, load: ${load}${more}; ${list}.`,
    '',
    why,
  ];
}

/** `docs/reference/json/scenario-1.json`: JSON Schema 2020-12 of the data of a scenario file. */
export function scenarioSchema(): object {
  const name = { type: 'string', pattern: namePattern.source };
  const text = { type: 'string', pattern: '\\S' };
  const kinds = faultKinds.map((kind) => kind.name).join('|');
  const asWords = {
    type: 'string',
    pattern: `^(?:${kinds})(?::.*)?$`,
    description: 'As --fault takes it; `tsdump scenario check` looks at the parameters.',
  };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'scenario-1.json',
    title: 'A scenario file of tsdump',
    type: 'object',
    additionalProperties: false,
    required: ['name', 'title', 'why', 'image', 'load'],
    properties: {
      name: { ...name, description: 'As the file, without .yaml.' },
      title: { ...text, description: 'One line.' },
      why: { ...text, description: 'What a reader learns from it.' },
      image: { ...name, description: 'Name of a panic image.' },
      load: { enum: loads, description: 'What the machine was doing besides crashing.' },
      trigger: { enum: triggers, description: 'Who turns a hang into a panic; otherwise nobody.' },
      hardware: { enum: hardwareNames, description: 'Profile; otherwise the usual one.' },
      faults: {
        type: 'array',
        maxItems: maxFaults,
        items: { anyOf: [asWords, ...faultKinds.map(kindSchema)] },
      },
      watchdog: {
        type: 'integer',
        minimum: 1,
        maximum: maxWatchdog,
        description: 'Seconds of a hardware watchdog; otherwise there is none.',
      },
      expect: {
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(
          methodWords.map((method) => [method, { enum: verdictClasses }]),
        ),
        description: 'Verdicts by method.',
      },
    },
  };
}

/** `kind: {parameters}`; nothing behind the kind where none is needed. */
function kindSchema(kind: FaultKind): object {
  const required = kind.parameters.filter(isRequired).map(({ name }) => name);
  const parameters = {
    type: required.length > 0 ? 'object' : ['object', 'null'],
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(
      kind.parameters.map((parameter) => [parameter.name, parameterSchema(parameter)]),
    ),
    ...(kind.apart === undefined
      ? {}
      : { allOf: kind.apart.map((pair) => ({ not: { required: pair } })) }),
  };
  return {
    type: 'object',
    additionalProperties: false,
    required: [kind.name],
    properties: { [kind.name]: parameters },
    description: kind.summary,
  };
}

function parameterSchema(parameter: Parameter): object {
  const { meaning: description } = parameter;
  switch (parameter.type) {
    case 'number':
      return { type: 'integer', minimum: parameter.min, maximum: parameter.max, description };
    case 'choice':
      return { enum: parameter.choices, description };
    case 'text':
      return { type: 'string', pattern: parameter.pattern.source, description };
  }
}
