/** What `tsdump analyze FILE --script SCRIPT` gives to a script, and what it takes from it. */

import type { Dump } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Answer } from './command.ts';

export interface ScriptContext {
  /** The dump file: pages, notes, registers. Closed when the script has ended. */
  readonly dump: Dump;
  /** The kernel whose memory it holds: symbols, types, objects, tasks. */
  readonly kernel: Kernel;
  /** What stands behind `--` on the command line. */
  readonly words: readonly string[];
  /** Was --json given? What a script prints then is its own affair. */
  readonly json: boolean;
  /**
   * Prints a line on standard output: the values with blanks between them. A view of a kernel
   * object is its type and address; strings are what they are, the rest is as the console shows it.
   */
  print(...values: readonly unknown[]): void;
  /** The same on standard error, where --quiet was not given: for what an answer lacks. */
  note(...values: readonly unknown[]): void;
  /** Runs a command of analyze on this kernel: `await answer('ps -u')`. */
  answer(line: string): Promise<Answer>;
}

/**
 * The default export of a script. What it returns is the exit status: nothing is 0, `false` is 1
 * ("the answer is no"), a number from 0 to 255 is itself. A DumpError that it throws is reported as
 * one of tsdump, with the status of its code; anything else with its stack and the status 7.
 */
export type Script = (context: ScriptContext) => ScriptResult | Promise<ScriptResult>;

// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a script
export type ScriptResult = boolean | number | undefined | void;
