/** The examples at the end of a command's help, which its manual page has as well. */

import type { Command } from 'commander';
import { outputOf } from './example-output.ts';

export type Example = readonly [words: string, meaning: string];

const examplesOfCommands = new WeakMap<Command, readonly Example[]>();

export function examplesOf(command: Command): readonly Example[] {
  return examplesOfCommands.get(command) ?? [];
}

export function addExamples(command: Command, examples: readonly Example[]): Command {
  examplesOfCommands.set(command, examples);
  return command.addHelpText('after', () => `\nExamples:\n${rowsOf(examples).join('\n')}\n`);
}

/** Each with what it prints below it, where that is known. */
function rowsOf(examples: readonly Example[]): string[] {
  const width = Math.max(...examples.map(([words]) => words.length));
  return examples.flatMap(([words, meaning], at) => {
    const output = outputOf(words).map((line) => `    ${line}`.trimEnd());
    const gap = at > 0 && output.length > 0 ? [''] : [];
    return [...gap, `  ${words.padEnd(width)}  ${meaning}`, ...output];
  });
}
