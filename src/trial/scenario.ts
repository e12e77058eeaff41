/**
 * Scenarios: an image that panicked in a chosen place, and what befalls its machine until the dump
 * starts, as a small file for people. What a file may say is checked by hand, for errors that name
 * the place and what is allowed; `docs/reference/json/scenario-1.json` says the same to programs.
 */

import { parseDocument } from 'yaml';
import { DumpError, reasonOf } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { methodWords } from '../capture/catalogue.ts';
import { hardwareNames } from '../machine/hardware.ts';
import { type Checked, checkFault, checkFaultText, type Problem } from './faults/fault.ts';
import type { Fault } from './faults/kind.ts';
import { type Trigger, triggers } from './trials.ts';
import { type VerdictClass, verdictClasses } from './verdict-classes.ts';

/** What the machine was doing besides crashing. */
export const loads = ['idle', 'disk busy', 'network busy', 'both'] as const;
export type Load = (typeof loads)[number];

/** Plain data. */
export interface Scenario {
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** What a reader learns from it. */
  readonly why: string;
  /** Name of a panic image. */
  readonly image: string;
  readonly load: Load;
  /** Who turns a hang into a panic; undefined: nobody. */
  readonly trigger: Trigger | undefined;
  /** Name of a hardware profile; undefined: the usual one. */
  readonly hardware: string | undefined;
  readonly faults: readonly Fault[];
  /** Seconds of a hardware watchdog; undefined: the machine has none. */
  readonly watchdog: number | undefined;
  /** The verdict, by method. */
  readonly expect: Readonly<Record<string, VerdictClass>>;
}

/** Names of scenarios and images: they are file names. */
export const namePattern = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Characters. */
const maxText = 16 * 1024;
export const maxFaults = 64;
export const maxWatchdog = 3600;

/** The members of a file, in the order in which files have them. */
const members = [
  'name', 'title', 'why', 'image', 'load', 'trigger', 'hardware', 'faults', 'watchdog', 'expect',
] as const; // biome-ignore format: one line

/** The scenario in the text of `file`. Throws `usage` with the first thing that is wrong in it. */
export function parseScenario(text: string, file: string): Scenario {
  const checked = checkScenario(text);
  if ('value' in checked) return checked.value;
  const { path, message, allowed } = checked.problems[0]!;
  throw new DumpError('usage', path === '' ? message : `${path}: ${message}`, {
    where: { file },
    hint: allowed ?? '`tsdump scenario check FILE` lists everything that is wrong',
  });
}

/** The scenario, or everything that is wrong with the text. */
export function checkScenario(text: string): Checked<Scenario> {
  const read = readYaml(text);
  return 'value' in read ? checkScenarioData(read.value) : read;
}

/** Aliases have no use here: a text that says much with few words is refused. */
export function readYaml(text: string): Checked<unknown> {
  if (text.length > maxText) {
    const message = `too long for a scenario: more than ${maxText / 1024} KB`;
    return { problems: [{ path: '', message }] };
  }
  try {
    const document = parseDocument(text);
    // A warning is about a tag that nobody resolves.
    const [error] = [...document.errors, ...document.warnings];
    if (error?.code === 'MULTIPLE_DOCS') {
      return { problems: [{ path: '', message: 'more than one document in a file' }] };
    }
    if (error === undefined) return { value: document.toJS({ maxAliasCount: 0 }) };
    const line = error.linePos?.[0].line;
    const path = line === undefined ? '' : `line ${line}`;
    return { problems: [{ path, message: error.message.split(/ at line |\n/)[0]! }] };
  } catch (error) {
    // Aliases, and nesting that no parser has the stack for.
    return { problems: [{ path: '', message: `no usable YAML: ${reasonOf(error)}` }] };
  }
}

/** The same for the data of a file. */
export function checkScenarioData(data: unknown): Checked<Scenario> {
  const check = new Check();
  if (!isMap(data)) return { problems: [{ path: '', message: 'a scenario is a map of members' }] };
  for (const key of Object.keys(data)) check.known('', key, members);
  const name = check.name(data, 'name');
  const title = check.text(data, 'title');
  const why = check.text(data, 'why');
  const image = check.name(data, 'image');
  const load = check.choice(data, 'load', loads);
  const trigger = check.choice(data, 'trigger', triggers, 'may be left out');
  const hardware = check.choice(data, 'hardware', hardwareNames, 'may be left out');
  const watchdog = check.seconds(data, 'watchdog');
  const faults = check.faults(data['faults']);
  const expect = check.verdicts(data['expect']);
  if (check.problems.length > 0) return { problems: check.problems };
  return {
    value: {
      ...{ name: name!, title: title!, why: why!, image: image!, load: load! },
      ...{ trigger, hardware, faults, watchdog, expect },
    },
  };
}

type DataMap = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is DataMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Collects what is wrong; a member that is wrong or not there reads as undefined. */
class Check {
  readonly problems: Problem[] = [];

  known(path: string, key: string, allowed: readonly string[]): void {
    if (allowed.includes(key)) return;
    const place = path === '' ? key : `${path}.${key}`;
    const message = `there is no such member${suggestion(key, allowed)}`;
    this.#add(place, message, `one of ${allowed.join(', ')}`);
  }

  text(data: DataMap, key: string): string | undefined {
    const value = data[key];
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
    this.#add(key, value === undefined ? 'is missing' : `${shown(value)} is no text`);
    return undefined;
  }

  name(data: DataMap, key: string): string | undefined {
    const value = data[key];
    if (typeof value === 'string' && namePattern.test(value)) return value;
    const message = value === undefined ? 'is missing' : `${shown(value)} is no name`;
    this.#add(key, message, 'lower-case words with hyphens between them');
    return undefined;
  }

  choice<T extends string>(
    data: DataMap,
    key: string,
    choices: readonly T[],
    absence?: 'may be left out',
  ): T | undefined {
    const value = data[key];
    const found = choices.find((choice) => choice === value);
    if (found !== undefined || (value === undefined && absence !== undefined)) return found;
    const near = typeof value === 'string' ? suggestion(value, choices) : '';
    const message = value === undefined ? 'is missing' : `unknown ${shown(value)}${near}`;
    this.#add(key, message, `one of ${choices.join(', ')}`);
    return undefined;
  }

  seconds(data: DataMap, key: string): number | undefined {
    const value = data[key];
    if (value === undefined) return undefined;
    const isWhole = typeof value === 'number' && Number.isInteger(value);
    if (isWhole && value >= 1 && value <= maxWatchdog) return value;
    this.#add(key, `${shown(value)} is no number of seconds`, `1 to ${maxWatchdog}`);
    return undefined;
  }

  faults(value: unknown): Fault[] {
    if (value === undefined) return [];
    if (!Array.isArray(value) || value.length > maxFaults) {
      this.#add('faults', `is no list of at most ${maxFaults} faults`);
      return [];
    }
    return value.flatMap((entry, index) => {
      const checked = checkEntry(entry);
      if ('value' in checked) return [checked.value];
      const place = `faults[${index}]`;
      for (const { path, message, allowed } of checked.problems) {
        this.#add(path === '' ? place : `${place}.${path}`, message, allowed);
      }
      return [];
    });
  }

  verdicts(value: unknown): Record<string, VerdictClass> {
    if (value === undefined) return {};
    if (!isMap(value)) {
      this.#add('expect', `${shown(value)} is no map of verdicts by method`);
      return {};
    }
    const result: Record<string, VerdictClass> = {};
    for (const [method, verdict] of Object.entries(value)) {
      this.known('expect', method, methodWords);
      const found = verdictClasses.find((name) => name === verdict);
      if (found !== undefined) result[method] = found;
      else {
        const allowed = `one of ${verdictClasses.join(', ')}`;
        this.#add(`expect.${method}`, `unknown ${shown(verdict)}`, allowed);
      }
    }
    return result;
  }

  #add(path: string, message: string, allowed?: string): void {
    this.problems.push({ path, message, allowed });
  }
}

/** `memory: {by: cpu}`, or the words of a command line. */
function checkEntry(entry: unknown): Checked<Fault> {
  if (typeof entry === 'string') return checkFaultText(entry);
  const [only, ...others] = isMap(entry) ? Object.entries(entry) : [];
  if (only === undefined || others.length > 0) {
    return {
      problems: [{ path: '', message: `${shown(entry)} is no fault: one kind, one entry` }],
    };
  }
  const [kind, parameters] = only;
  // `disk-busy:` without anything behind it.
  if (parameters === null) return checkFault(kind, {}, 'data');
  if (isMap(parameters)) return checkFault(kind, parameters, 'data');
  return { problems: [{ path: kind, message: `${shown(parameters)} is no map of parameters` }] };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
