/**
 * The words of a command: what commander makes of a declaration, and what that makes of words. The
 * command line, the shell, wrapped commands and programs all have them parsed here.
 */

import { CommanderError, Command as Node } from 'commander';
import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import type { Command, Options } from './command.ts';
import { commands } from './table.ts';

/** A command with its words, ready to run. */
export interface Call {
  readonly command: Command;
  readonly words: readonly string[];
  readonly options: Options;
}

/** The command of a tree, without help, action and output: those differ by place. */
export function nodeOf(command: Command): Node {
  const node = new Node(command.name)
    .summary(command.summary)
    .description([sentence(command.summary), ...command.description].join('\n\n'));
  const { operands, wraps } = command;
  if (wraps !== undefined) node.passThroughOptions();
  if (operands !== undefined) node.argument(`[${operands.name}...]`, operands.description);
  for (const { flags, description, given } of command.options) {
    if (given === undefined) node.option(flags, description);
    else if (given === 'repeatedly') node.option(flags, description, together);
    else node.option(flags, description, (_, before) => (before === undefined ? true : 'twice'));
  }
  return node;
}

/** The command that the first word names, with the rest. Throws `usage`. */
export function callOf([name = '', ...rest]: readonly string[]): Call {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const names = commands.map((known) => known.name);
    throw new DumpError('usage', `unknown command '${name}'${suggestion(name, names)}`, {
      hint: `one of ${names.join(', ')}`,
    });
  }
  const node = nodeOf(command)
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    node.parse(rest, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const [message = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
    throw new DumpError('usage', `${name}: ${message}`, { hint: hints[0] });
  }
  return { command, words: node.args, options: node.opts() };
}

function together(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before} ${value}`;
}

function sentence(summary: string): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}.`;
}
