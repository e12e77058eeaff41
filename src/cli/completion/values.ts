/** Values of options and operands, for completion. What takes time to load is loaded when due. */

import type { Command, Option } from 'commander';

export interface Candidate {
  readonly value: string;
  readonly meaning: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names of files fit as well: those that end so, or any where the list is empty. */
  readonly files?: readonly string[];
}

const anyFile: Completion = { candidates: [], files: [] };
const nothing: Completion = { candidates: [] };

/** `node`: the command whose option it is. */
type Values = (typed: string, node: Command) => Completion | Promise<Completion>;

const files =
  (...endings: string[]): Values =>
  () => ({ candidates: [], files: endings });

/** By the long names of options of `analyze`, `capture` and the methods. */
const ofOptions: Readonly<Record<string, Values>> = {
  input: files(),
  ranges: files('.iomem'),
  async format() {
    const { formats } = await import('../../dump/formats.ts');
    return listed(formats, ({ name }) => [name, '']);
  },
  machine: files(),
  output: files(),
  trace: files(),
  picture: files('.svg', '.html'),
  'keep-disk': files('.img'),
  svg: files('.svg'),
  script: files('.ts', '.mts', '.js', '.mjs'),
  'emit-types': files('.d.ts'),
  method: methods,
  'explain-needs': (typed) => listOf(typed, methods),
  async generation(_, node) {
    const { catalogue } = await import('../../capture/catalogue.ts');
    // A method that shares a command is called by both names.
    const names = [node.name(), `${node.parent?.name()}-${node.name()}`];
    const method = catalogue.find(({ name }) => names.includes(name));
    return listed(method?.generations ?? [], ({ name, title }) => [name, title]);
  },
  async compress() {
    const { writers } = await import('../../dump/writers.ts');
    const names = new Set(writers.flatMap(({ compressions }) => compressions));
    return listed([...names], (name) => [name, '']);
  },
  async to() {
    const { writers } = await import('../../dump/writers.ts');
    return listed([...writers.map(({ name }) => name), 'flat'], (name) => [name, '']);
  },
  scenario: scenarios,
  methods: (typed) => listOf(typed, methods),
  scenarios: (typed) => listOf(typed, () => scenarioSets(typed)),
  replay: files('.ndjson'),
  campaign: files('.yaml', '.yml'),
  baseline: files('.ndjson'),
  json: files('.json'),
  junit: files('.xml'),
  markdown: files('.md'),
  html: files('.html'),
  from: scenarios,
  dir: files(),
  protocol: () => listed(['netdump', 'lkcd', 'both'], (name) => [name, '']),
  async hardware() {
    const { hardwareNames } = await import('../../machine/hardware.ts');
    return listed(hardwareNames, (name) => [name, '']);
  },
  async 'dump-device'() {
    const { dumpDevices } = await import('../../trial/faults/dump-device.ts');
    return listed(dumpDevices, (name) => [name, '']);
  },
  async expect() {
    const { verdictClasses } = await import('../../trial/verdict-classes.ts');
    return listed(verdictClasses, (name) => [name, '']);
  },
  async level(typed) {
    const { dumpLevelBits } = await import('../../linux/pages.ts');
    return listOf(typed, () => listed(Object.keys(dumpLevelBits), (name) => [name, '']));
  },
  fault: faults,
};

export async function optionValues(
  node: Command,
  option: Option,
  typed: string,
): Promise<Completion> {
  // Commands of analyze have options of the same names that are others.
  if (node.parent?.name() === 'analyze') return nothing;
  return (await ofOptions[option.name()]?.(typed, node)) ?? nothing;
}

export async function operandValues(node: Command, typed: string): Promise<Completion> {
  switch (node.name()) {
    case 'show':
      return scenarios(typed);
    case 'check': {
      const isScenario = node.parent?.name() === 'scenario';
      return isScenario ? { candidates: [], files: ['.yaml', '.yml'] } : anyFile;
    }
    case 'completion':
      return listed(['bash', 'zsh', 'fish'], (name) => [name, '']);
    default:
      return node.registeredArguments.length > 0 ? anyFile : nothing;
  }
}

/** What `compare` takes besides the names of scenarios. */
async function scenarioSets(typed: string): Promise<Completion> {
  const { knownGrids } = await import('../library.ts');
  const last = typed.slice(typed.lastIndexOf(',') + 1);
  const { candidates, ...more } = await scenarios(last);
  const sets = ['all', 'standard', ...knownGrids().map(({ grid }) => grid.name)];
  return { candidates: [...listed(sets, (name) => [name, '']).candidates, ...candidates], ...more };
}

async function methods(): Promise<Completion> {
  const { catalogue, methodWord } = await import('../../capture/catalogue.ts');
  const words = catalogue.flatMap(({ name, generations, summary }) =>
    generations.map((generation) => [methodWord(name, generation.name), summary] as const),
  );
  return listed(words, (word) => word);
}

/** Words with commas between them: each once. */
async function listOf(
  typed: string,
  values: () => Completion | Promise<Completion>,
): Promise<Completion> {
  const before = typed.slice(0, typed.lastIndexOf(',') + 1);
  const { candidates } = await values();
  return {
    candidates: candidates
      .filter(({ value }) => !before.split(',').includes(value))
      .map(({ value, meaning }) => ({ value: `${before}${value}`, meaning })),
  };
}

/** Those of a grid from its first slash on: there are hundreds. */
async function scenarios(typed: string): Promise<Completion> {
  const { scenarioNames } = await import('../world.ts');
  const { knownGrids, scenariosOf } = await import('../library.ts');
  const ofGrids = knownGrids().flatMap((known) => {
    const start = `${known.grid.name}/`;
    return typed.startsWith(start) ? scenariosOf(known).map(({ name }) => name) : [start];
  });
  const names = [...scenarioNames(), ...ofGrids];
  return { ...listed(names, (name) => [name, '']), files: ['.yaml', '.yml'] };
}

/** `memory:by=dma,region=slab`: a kind, its parameters, their choices. */
async function faults(typed: string): Promise<Completion> {
  const { faultKinds } = await import('../../trial/faults/kinds.ts');
  const [, name, given = ''] = /^([^:]*):(.*)$/s.exec(typed) ?? [];
  if (name === undefined) {
    return listed(faultKinds, (kind) => {
      // The whole name once more: now for its parameters.
      const goesOn = kind.name === typed && kind.parameters.length > 0;
      return [goesOn ? `${kind.name}:` : kind.name, kind.summary];
    });
  }
  const kind = faultKinds.find((candidate) => candidate.name === name);
  const comma = given.lastIndexOf(',') + 1;
  const before = `${name}:${given.slice(0, comma)}`;
  const key = /^([^=]*)=/.exec(given.slice(comma))?.[1];
  if (key === undefined) {
    const used = given.split(',').map((part) => part.replace(/=.*/s, ''));
    const left = (kind?.parameters ?? []).filter((one) => !used.slice(0, -1).includes(one.name));
    return listed(left, (parameter) => [`${before}${parameter.name}=`, parameter.meaning]);
  }
  const parameter = kind?.parameters.find((candidate) => candidate.name === key);
  const choices = parameter?.type === 'choice' ? parameter.choices : [];
  return listed(choices, (choice) => [`${before}${key}=${choice}`, '']);
}

function listed<T>(
  all: readonly T[],
  candidate: (one: T) => readonly [value: string, meaning: string],
): Completion {
  const candidates = all.map((one): Candidate => {
    const [value, meaning] = candidate(one);
    return { value, meaning };
  });
  return { candidates };
}
