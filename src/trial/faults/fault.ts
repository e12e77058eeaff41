/**
 * Faults as words: `memory:by=dma,region=slab,writes=4` and back, and the same from the plain data
 * of a scenario file. What is wrong with one is said with its place and with what is allowed.
 */

import { DumpError } from '../../bytes/errors.ts';
import { suggestion } from '../../bytes/suggest.ts';
import { shellWord } from '../../bytes/text.ts';
import type { Fault, FaultKind, Parameter, ParameterValue } from './kind.ts';
import { faultKinds } from './kinds.ts';

/** What is wrong with words or data, and where: `memory.by`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly allowed?: string | undefined;
}

export type Checked<T> = { readonly value: T } | { readonly problems: readonly Problem[] };

/** The kind of that name, which a checked fault has. */
export function kindOf(fault: Fault): FaultKind {
  const found = faultKinds.find(({ name }) => name === fault.kind);
  if (found !== undefined) return found;
  throw new DumpError('usage', `there is no fault "${fault.kind}"`);
}

/** `KIND[:key=value,...]`. Throws `usage` with what is allowed. */
export function parseFault(text: string): Fault {
  const checked = checkFaultText(text);
  if ('value' in checked) return checked.value;
  const { path, message, allowed } = checked.problems[0]!;
  const place = path === '' ? '' : `${path}: `;
  throw new DumpError('usage', `--fault ${shellWord(text)}: ${place}${message}`, {
    hint: allowed ?? '`tsdump capture --list` shows every fault with its parameters',
  });
}

/** The words that `parseFault` makes this fault of; defaults are not repeated. */
export function faultText(fault: Fault): string {
  const { parameters } = kindOf(fault);
  const words = parameters.flatMap((parameter) => {
    const value = fault.parameters[parameter.name];
    const isDefault = value === defaultOf(parameter);
    return value === undefined || isDefault ? [] : [`${parameter.name}=${value}`];
  });
  return words.length === 0 ? fault.kind : `${fault.kind}:${words.join(',')}`;
}

export function checkFaultText(text: string): Checked<Fault> {
  const [, kind = '', rest] = /^([^:]*)(?::(.*))?$/s.exec(text)!;
  const given = new Map<string, string>();
  const problems: Problem[] = [];
  for (const word of rest === undefined ? [] : rest.split(',')) {
    const [, key = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(word)!;
    const path = `${kind}.${key}`;
    if (value === undefined) {
      problems.push({ path: kind, message: `"${word}" is not key=value` });
    } else if (given.has(key)) {
      problems.push({ path, message: 'given twice' });
    } else {
      given.set(key, value);
    }
  }
  if (problems.length > 0) return { problems };
  return checkFault(kind, Object.fromEntries(given), 'words');
}

/**
 * A fault of a kind's name and its parameters as they were given: as words of a command line, or as
 * the data of a file, where a number is a number.
 */
export function checkFault(
  name: string,
  given: Readonly<Record<string, unknown>>,
  form: 'words' | 'data',
): Checked<Fault> {
  const kind = faultKinds.find((candidate) => candidate.name === name);
  if (kind === undefined) {
    const names = faultKinds.map((candidate) => candidate.name);
    const message = `there is no fault "${name}"${suggestion(name, names)}`;
    return { problems: [{ path: '', message, allowed: `one of ${names.join(', ')}` }] };
  }
  const problems = unknownKeys(kind, given);
  const parameters: Record<string, ParameterValue> = {};
  for (const parameter of kind.parameters) {
    const path = `${name}.${parameter.name}`;
    const value = given[parameter.name];
    if (value === undefined) {
      const otherwise = defaultOf(parameter);
      if (otherwise !== undefined) parameters[parameter.name] = otherwise;
      else if (isRequired(parameter)) {
        problems.push({ path, message: 'is missing', allowed: allowedFor(parameter) });
      }
      continue;
    }
    const read = form === 'words' ? ofWord(parameter, String(value)) : value;
    const message = wrongWith(parameter, read);
    if (message === undefined) parameters[parameter.name] = read as ParameterValue;
    else problems.push({ path, message, allowed: allowedFor(parameter) });
  }
  for (const [one, other] of kind.apart ?? []) {
    if (given[one] === undefined || given[other] === undefined) continue;
    problems.push({ path: name, message: `${one} and ${other} do not go together` });
  }
  return problems.length > 0 ? { problems } : { value: { kind: name, parameters } };
}

export function defaultOf(parameter: Parameter): ParameterValue | undefined {
  return parameter.type === 'text' ? undefined : parameter.default;
}

export function isRequired(parameter: Parameter): boolean {
  return defaultOf(parameter) === undefined && parameter.otherwise === undefined;
}

/** `1 to 64`, `one of cpu, dma, memory-error`: for messages and documents. */
export function allowedFor(parameter: Parameter): string {
  switch (parameter.type) {
    case 'number':
      return `${parameter.min} to ${parameter.max}`;
    case 'choice':
      return `one of ${parameter.choices.join(', ')}`;
    case 'text':
      return parameter.allowed;
  }
}

/** `disk-slow[:factor=N]`: what may stand behind the kind is in brackets. */
export function faultSyntax(kind: FaultKind): string {
  const word = (parameter: Parameter): string => `${parameter.name}=${formOf(parameter)}`;
  const required = kind.parameters.filter(isRequired).map(word);
  const optional = kind.parameters.filter((parameter) => !isRequired(parameter)).map(word);
  if (required.length > 0) {
    return `${kind.name}:${required.join(',')}${optional.map((text) => `[,${text}]`).join('')}`;
  }
  return optional.length === 0 ? kind.name : `${kind.name}[:${optional.join(',')}]`;
}

/** A choice of many is called by its name. */
function formOf(parameter: Parameter): string {
  switch (parameter.type) {
    case 'number':
      return 'N';
    case 'choice': {
      const { name, choices } = parameter;
      return choices.length > 4 ? name.toUpperCase() : choices.join('|');
    }
    case 'text':
      return parameter.form;
  }
}

function unknownKeys(kind: FaultKind, given: Readonly<Record<string, unknown>>): Problem[] {
  const names = kind.parameters.map(({ name }) => name);
  return Object.keys(given)
    .filter((key) => !names.includes(key))
    .map((key) => ({
      path: `${kind.name}.${key}`,
      message: `there is no such parameter${suggestion(key, names)}`,
      allowed: names.length === 0 ? 'none: it takes no parameters' : `one of ${names.join(', ')}`,
    }));
}

/** Decimal, or hexadecimal with 0x; any other text stays one and is refused as a number. */
function ofWord(parameter: Parameter, text: string): ParameterValue {
  const isNumber = /^(?:\d{1,15}|0x[0-9a-f]{1,12})$/i.test(text);
  return parameter.type === 'number' && isNumber ? Number(text) : text;
}

function wrongWith(parameter: Parameter, value: unknown): string | undefined {
  const shown = JSON.stringify(value);
  if (parameter.type === 'number') {
    if (typeof value !== 'number' || !Number.isInteger(value)) return `${shown} is no whole number`;
    const isIn = value >= parameter.min && value <= parameter.max;
    return isIn ? undefined : `${value} is out of range`;
  }
  if (typeof value !== 'string') return `${shown} is no text${quoteIt(value)}`;
  if (parameter.type === 'text') {
    return parameter.pattern.test(value) ? undefined : `${shown} is no ${parameter.form}`;
  }
  if (parameter.choices.includes(value)) return undefined;
  return `unknown ${shown}${suggestion(value, parameter.choices)}`;
}

/** In a file an address without quotes is a number, and loses its last bits. */
function quoteIt(value: unknown): string {
  return typeof value === 'number' ? ': write it in quotes' : '';
}
