/** The examples at the end of a command's help, which its manual page has as well. */

import type { Command } from 'commander';

export type Example = readonly [words: string, meaning: string];

const examplesOfCommands = new WeakMap<Command, readonly Example[]>();

export function examplesOf(command: Command): readonly Example[] {
  return examplesOfCommands.get(command) ?? [];
}

export function addExamples(command: Command, examples: readonly Example[]): Command {
  examplesOfCommands.set(command, examples);
  const width = Math.max(...examples.map(([words]) => words.length));
  const rows = examples.map(([words, meaning]) => `  ${words.padEnd(width)}  ${meaning}`);
  return command.addHelpText('after', `\nExamples:\n${rows.join('\n')}\n`);
}
