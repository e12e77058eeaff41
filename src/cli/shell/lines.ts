/** Where the commands of `tsdump analyze FILE` come from when it names none itself. */

import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Options } from '../../analyze/command.ts';
import { overview } from '../analyze.ts';
import { exitStatus } from '../exit-status.ts';
import type { Session } from '../session.ts';
import { readText } from '../world.ts';
import { SameThread } from './asker.ts';
import { Shell } from './shell.ts';
import { isTerminal, talk } from './terminal.ts';

const lineEnd = /\r?\n/;

type Lines = Iterable<string> | AsyncIterable<string>;

/**
 * From -i FILE, then from -c, else from a terminal or a pipe. Where there is none of them, or a
 * pipe has no command in it, as a job without a terminal may have, it is an overview. The result is
 * the highest exit status of all commands.
 */
export async function answerAsked(session: Session, options: Options): Promise<number> {
  const { input, commands } = options;
  if (isTerminal() && commands === undefined && input !== '-' && !session.settings.json) {
    // It could be opened: the thread that answers has it for itself.
    session.close();
    return talk(session, typeof input === 'string' ? linesOf(input) : undefined);
  }
  const sources: Lines[] = [];
  if (typeof input === 'string') sources.push(input === '-' ? standardInput() : linesOf(input));
  if (typeof commands === 'string') sources.push(commands.split(lineEnd));
  if (sources.length === 0 && commandsComeFromPipe()) sources.push(standardInput());
  const shell = new Shell(new SameThread(session), session.io);
  let worst: number | undefined;
  for (const lines of sources) {
    const status = await answerLines(shell, lines);
    if (status !== undefined) worst = Math.max(worst ?? exitStatus.done, status);
    if (shell.hasLeft) break;
  }
  return worst ?? overview(session);
}

function linesOf(file: string): readonly string[] {
  return readText(file).split(lineEnd);
}

function standardInput(): Lines {
  return createInterface({ input: process.stdin });
}

/**
 * Only a real pipe or a file: standard input may also be a terminal, /dev/null, or a socket that
 * whoever started us never closes. `-i -` reads any of them.
 */
function commandsComeFromPipe(): boolean {
  const stat = fstatSync(0);
  return stat.isFIFO() || stat.isFile();
}

/** Every command is tried; undefined where there was none. */
async function answerLines(shell: Shell, lines: Lines): Promise<number | undefined> {
  let worst: number | undefined;
  for await (const line of lines) {
    const status = await shell.run(line);
    if (status !== undefined) worst = Math.max(worst ?? exitStatus.done, status);
    if (shell.hasLeft) return worst ?? exitStatus.done;
  }
  return worst;
}
