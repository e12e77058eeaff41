/** `tsdump completion SHELL`, and `completion query`, by which the shell asks back. */

import type { Command } from 'commander';
import { oneOf } from '../capture-options.ts';
import { exitStatus } from '../exit-status.ts';
import type { Io } from '../io.ts';
import { complete } from './complete.ts';
import { shellScript, shells, wordsOfLine } from './shells.ts';

/** Prints what the shell is to source; the result is the exit status. Throws `usage`. */
export function printCompletion(shell: string, io: Io): number {
  io.out(shellScript(oneOf('completion', shell, shells)));
  return exitStatus.done;
}

/**
 * Prints what fits at the end of `words`, or of `--line LINE`, whose first word is the name of the
 * program.
 */
export async function answerQuery(
  program: Command,
  words: readonly string[],
  io: Io,
): Promise<number> {
  const isLine = words[0] === '--line';
  const behind = isLine ? wordsOfLine(words[1] ?? '').slice(1) : words;
  const { candidates, files } = await complete(program, behind);
  const lines = candidates.map(({ value, meaning }) => `${value}\t${meaning.replace(/\s+/g, ' ')}`);
  if (files !== undefined) lines.push([':files', ...files].join(' '));
  io.out(lines.map((line) => `${line}\n`).join(''));
  return exitStatus.done;
}
