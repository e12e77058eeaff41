/**
 * What an analyze command is: a declaration that costs nothing to read (the command line, the
 * manual and `help` are made from it) and a function that is loaded when somebody runs it.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';

/**
 * What JSON can carry. Addresses are `"0x%016x"`, other 64-bit values decimal strings: a bigint
 * that reaches the output is our bug.
 */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** Something that should be in an answer and is not. */
export interface Missing {
  readonly what: string;
  /** How many; null where nobody can know. */
  readonly count: number | null;
  readonly why: string;
}

/** What a command found, in both forms; each is made only when it is asked for. */
export interface Answer {
  json(): Json;
  /** crash's lines, without line ends. */
  text(): Iterable<string>;
  /** `68 tasks`: what the note about completeness counts. */
  readonly counted?: string;
  readonly missing: readonly Missing[];
  /** The failures behind `missing`, with their places. */
  readonly errors?: readonly DumpError[];
  /** Said once to a person, beside the answer. */
  readonly notes?: readonly string[];
}

export interface Operand {
  readonly name: string;
  readonly description: string;
}

export interface Option {
  /** `-p, --parents` or `-q, --query <text>`. */
  readonly flags: string;
  readonly description: string;
  /** Given twice it means more: its value is then `twice`. */
  readonly given?: 'once or twice';
}

/** By the long name of each option: `true`, its value, or undefined where it was not given. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** `input` names the file as the user did. Throws DumpErrors. */
export type Run = (
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  input: string,
) => Answer;

export interface Command {
  readonly name: string;
  /** Name and version of the JSON that it prints: `docs/reference/json/NAME-VERSION.json`. */
  readonly schema: string;
  readonly summary: string;
  /** More for the manual: paragraphs. */
  readonly description: readonly string[];
  /** It takes any number of this; undefined: none. */
  readonly operands?: Operand;
  readonly options: readonly Option[];
  /** Words after `tsdump analyze vmcore`, and what they do. */
  readonly examples: readonly (readonly [words: string, meaning: string])[];
  load(): Promise<{ readonly run: Run }>;
}

/** Refuses two options that answer different questions. */
export function atMostOne(options: Options, names: readonly string[]): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    const list = given.map((name) => `--${name}`).join(' and ');
    throw new DumpError('usage', `${list} do not go together`, { hint: 'ask twice' });
  }
}
