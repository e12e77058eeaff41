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
  /** This and what follows is known when the text or the JSON has been read to its end. */
  readonly missing: readonly Missing[];
  /** The failures behind `missing`, with their places. */
  readonly errors?: readonly DumpError[];
  /** Said once to a person, beside the answer. */
  readonly notes?: readonly string[];
  /** What the session holds from now on. */
  readonly settles?: Partial<Context>;
  /** What was asked for as a file: whoever asked writes it. */
  readonly saves?: { readonly file: string; readonly bytes: Uint8Array };
  /** There is nothing of what was looked for: `foreach` goes on to the next. */
  readonly passesOver?: boolean;
  /** Where it is not the one of the command that was asked. */
  readonly schema?: string;
  /** In so many seconds it is to be asked again, until somebody has enough. */
  readonly again?: number;
}

export interface Operand {
  readonly name: string;
  readonly description: string;
  /** What of the kernel its words may name, for whoever types them. */
  readonly names?: readonly NameKind[];
  /** Words that it knows beside. */
  readonly words?: readonly string[];
}

export type NameKind = 'symbol' | 'type' | 'expression' | 'task' | 'module';

export interface Option {
  /** `-p, --parents` or `-q, --query <text>`. */
  readonly flags: string;
  readonly description: string;
  /** Given twice it means more: its value is then `twice`; or each of its values, with spaces. */
  readonly given?: 'once or twice' | 'repeatedly';
}

/** By the long name of each option: `true`, its value, or undefined where it was not given. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** What a session has settled for every command in it. */
export interface Context {
  /** The dump file, named as the user did. */
  readonly input: string;
  /** The task_struct of the task that is meant where none is named; undefined: what panicked. */
  readonly task?: bigint;
  /** Commands that would speak of every task where none is named are to speak of that one. */
  readonly about?: 'task';
  /** How integers are shown where no option says it; undefined: in decimal. */
  readonly radix?: Radix;
  /** Whether a terminal shows long answers page by page; undefined: it does. */
  readonly scroll?: 'on' | 'off';
  readonly aliases?: Aliases;
  /** What `foreach` and others of its kind are to ask. */
  readonly inner?: Question;
}

export type Radix = 'decimal' | 'hexadecimal';

/** By the word that stands for them: the words of a command. */
export type Aliases = ReadonlyMap<string, string>;

/** A command with its words. */
export interface Question {
  readonly command: Command;
  ask(kernel: Kernel, context: Context): Answer;
}

/** Throws DumpErrors. */
export type Run = (
  kernel: Kernel,
  words: readonly string[],
  options: Options,
  context: Context,
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
  /**
   * Behind words of its own stands another command, with its options: one to run (`foreach user
   * bt -f`), or its text (`alias ul ps -u`).
   */
  readonly wraps?: 'command' | 'text';
  /** Its answer has no end but Ctrl-C. */
  readonly endless?: true;
  readonly options: readonly Option[];
  /** Words after `tsdump analyze vmcore`, and what they do. */
  readonly examples: readonly (readonly [words: string, meaning: string])[];
  load(): Promise<{ readonly run: Run }>;
}

/** The command that `foreach` and others of its kind are to ask. Throws `usage` without one. */
export function wrappedIn({ inner }: Context, name: string, words: readonly string[]): Question {
  if (inner !== undefined) return inner;
  const tried = words.length === 0 ? '' : `: "${words.join(' ')}" names none`;
  throw new DumpError('usage', `${name} needs a command${tried}`, {
    hint: `\`help ${name}\`; an alias is none`,
  });
}

/** Refuses two options that answer different questions. */
export function atMostOne(options: Options, names: readonly string[]): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    const list = given.map((name) => `--${name}`).join(' and ');
    throw new DumpError('usage', `${list} do not go together`, { hint: 'ask twice' });
  }
}
