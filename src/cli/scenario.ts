/** `tsdump scenario list`, `show`, `check` and `new`. */

import type { Json } from '../analyze/command.ts';
import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { plural, shellWord } from '../bytes/text.ts';
import { oneLine, wrapped } from '../render/lines.ts';
import { faultText, type Problem } from '../trial/faults/fault.ts';
import { checkScenario, type Scenario } from '../trial/scenario.ts';
import { exitStatus } from './exit-status.ts';
import type { NewScenarioFlags, ScenarioRequest, Settings } from './handlers.ts';
import { imageNames } from './images.ts';
import type { Io } from './io.ts';
import {
  findScenario,
  type GridFile,
  gridNamed,
  knownGrids,
  matrixLines,
  missingCells,
  scenariosOf,
} from './library.ts';
import { newScenario } from './scenario-new.ts';
import { textOutput } from './text-output.ts';
import { packageVersion } from './version.ts';
import { readText, scenarioFile, scenarioNames } from './world.ts';

/** A file and the scenario in it, or what is wrong with it. */
interface Entry {
  readonly file: string;
  readonly scenario: Scenario | undefined;
  readonly problems: readonly Problem[];
}

/** The result is the exit status. Throws DumpErrors. */
export function answerScenario(request: ScenarioRequest, settings: Settings, io: Io): number {
  switch (request.action) {
    case 'list': {
      const entries = scenarioNames().map((name) => entryOf(scenarioFile(name)));
      const grids = knownGrids();
      const lines = [...listLines(entries), ...grids.flatMap((one) => ['', ...matrixLines(one)])];
      print([...entries, ...grids.flatMap(entriesOf)], lines, settings, io);
      return exitStatus.done;
    }
    case 'show': {
      const grid = gridNamed(request.name);
      if (grid !== undefined) {
        print(entriesOf(grid), gridLines(grid), settings, io);
        return exitStatus.done;
      }
      const { file, scenario } = findScenario(request.name);
      const word = request.name === scenario.name ? scenario.name : file;
      print([{ file, scenario, problems: [] }], showLines(scenario, word), settings, io);
      return exitStatus.done;
    }
    case 'check': {
      const entries = request.files.map(entryOf).map(withImage);
      print(entries, checkLines(entries), settings, io);
      const isGood = entries.every(({ problems }) => problems.length === 0);
      return isGood ? exitStatus.done : exitStatus.no;
    }
    case 'new': {
      const entries = [written(request.file, request.flags, io)];
      print(entries, checkLines(entries), settings, io);
      return exitStatus.done;
    }
  }
}

/** The scenarios that come along as files of their own. */
export function knownScenarios(): Scenario[] {
  return scenarioNames().flatMap((name) => entryOf(scenarioFile(name)).scenario ?? []);
}

/** Nothing is written that `check` would refuse. */
function written(file: string, flags: NewScenarioFlags, io: Io): Entry {
  if (!/\.ya?ml$/.test(file)) {
    throw new DumpError('usage', `${file}: the name of a scenario file ends in .yaml`);
  }
  const text = newScenario(file, flags);
  const entry = withImage(entryOfText(file, text));
  const [problem] = entry.problems;
  if (problem !== undefined) throw new DumpError('usage', problemText(problem));
  const output = textOutput(file, flags.force === true ? 'overwrite' : 'keep', io);
  try {
    output.add(text);
    output.finish();
  } finally {
    output.abort();
  }
  return entry;
}

function entriesOf(grid: GridFile): Entry[] {
  return scenariosOf(grid).map((scenario) => ({ file: grid.file, scenario, problems: [] }));
}

function entryOf(file: string): Entry {
  return entryOfText(file, readText(file));
}

function entryOfText(file: string, text: string): Entry {
  const checked = checkScenario(text);
  if ('value' in checked) return { file, scenario: checked.value, problems: [] };
  return { file, scenario: undefined, problems: checked.problems };
}

/** What a file can be wrong about without being wrong in itself. */
function withImage(entry: Entry): Entry {
  const images = imageNames();
  const image = entry.scenario?.image;
  if (image === undefined || images.includes(image)) return entry;
  const message = `there is no image "${image}"${suggestion(image, images)}`;
  const problems = [{ path: 'image', message, allowed: `one of ${images.join(', ')}` }];
  return { file: entry.file, scenario: undefined, problems };
}

function print(entries: readonly Entry[], lines: readonly string[], settings: Settings, io: Io) {
  if (settings.json) io.out(`${JSON.stringify(documentOf(entries))}\n`);
  else if (lines.length > 0) io.out(`${lines.map(oneLine).join('\n')}\n`);
}

function documentOf(entries: readonly Entry[]): Json {
  return {
    tsdump: packageVersion(),
    schema: 'scenarios/1',
    input: null,
    complete: true,
    missing: [],
    data: { scenarios: entries.map(entryJson) },
    errors: [],
  };
}

function entryJson({ file, scenario, problems }: Entry): Json {
  return {
    file,
    scenario: scenario === undefined ? null : scenarioJson(scenario),
    problems: problems.map(({ path, message, allowed = null }) => ({ path, message, allowed })),
  };
}

function scenarioJson(scenario: Scenario): Json {
  const { name, title, why, image, load, expect } = scenario;
  return {
    ...{ name, title, why, image, load, expect },
    trigger: scenario.trigger ?? null,
    hardware: scenario.hardware ?? null,
    watchdog: scenario.watchdog ?? null,
    faults: scenario.faults.map(faultText),
  };
}

function listLines(entries: readonly Entry[]): string[] {
  const width = Math.max(...entries.map(({ file, scenario }) => (scenario?.name ?? file).length));
  return entries.map(({ file, scenario, problems }) =>
    scenario === undefined
      ? `${file}: ${plural(problems.length, 'problem')}`
      : `${scenario.name.padEnd(width)}  ${scenario.title}`,
  );
}

function showLines(scenario: Scenario, word: string): string[] {
  const { name, title, why, image, load, hardware, faults, watchdog, expect } = scenario;
  const { trigger } = scenario;
  const expected = Object.entries(expect).map(([method, verdict]) => `${method} ${verdict}`);
  const rows: [string, string][] = [
    ['image', `${image}, load: ${load}`],
    ...(trigger === undefined ? [] : [['trigger', trigger] as [string, string]]),
    ['hardware', hardware ?? 'the usual one'],
    ['watchdog', watchdog === undefined ? 'none' : plural(watchdog, 'second')],
    ...faults.map((fault): [string, string] => ['fault', faultText(fault)]),
    ['expected', expected.length === 0 ? 'nothing' : expected.join(', ')],
  ];
  return [
    `${name}: ${title}`,
    '',
    ...wrapped(why, 90),
    '',
    ...rows.map(([what, text]) => `  ${what.padEnd(9)} ${text}`),
    '',
    `tsdump capture --scenario ${shellWord(word)}`,
  ];
}

function gridLines(known: GridFile): string[] {
  const [first] = scenariosOf(known);
  return [
    ...matrixLines(known),
    ...missingCells(known).flatMap(({ why, cells }) => [
      '',
      `  no ${cells.join(', ')}:`,
      `      ${why}`,
    ]),
    ...(first === undefined ? [] : ['', `tsdump capture --scenario ${first.name}`]),
  ];
}

function checkLines(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ file, scenario, problems }) =>
    scenario === undefined
      ? problems.map((problem) => `${file}: ${problemText(problem)}`)
      : [`${file}: ok, ${scenario.name}`],
  );
}

function problemText({ path, message, allowed }: Problem): string {
  const place = path === '' ? '' : `${path}: `;
  return `${place}${message}${allowed === undefined ? '' : `; ${allowed}`}`;
}
