/** Commands of `tsdump analyze FILE`, one a line, from a pipe or a file on standard input. */

import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommanderError } from 'commander';
import { DumpError } from '../bytes/errors.ts';
import { answerCall, type Session } from './analyze.ts';
import { exitStatus } from './exit-status.ts';
import { createProgram } from './program.ts';

/**
 * Only a real pipe or a file: standard input may also be a terminal, /dev/null, or a socket that
 * whoever started us never closes.
 */
export function commandsComeFromPipe(): boolean {
  const stat = fstatSync(0);
  return stat.isFIFO() || stat.isFile();
}

/** Every command is tried; the exit status is the highest of all. Lines with # are comments. */
export async function answerPipe(session: Session): Promise<number> {
  let worst: number = exitStatus.done;
  for await (const line of createInterface({ input: process.stdin })) {
    const words = splitWords(line);
    if (words.length === 0) continue;
    worst = Math.max(worst, await answerLine(session, words));
  }
  return worst;
}

async function answerLine(session: Session, words: readonly string[]): Promise<number> {
  const { io } = session;
  let status: number = exitStatus.done;
  const program = createProgram({
    version: '',
    out: (text) => io.out(text),
    err: (text) => io.err(text),
    welcome: () => {},
    analyze: async ({ command, words: operands, options }, settings) => {
      if (command === undefined) return;
      const json = session.settings.json || settings.json;
      const line = { ...session, settings: { ...session.settings, json } };
      status = await answerCall(line, { command, words: operands, options });
    },
    capture: () => {
      throw new DumpError('usage', 'only commands of analyze can come from a pipe');
    },
  });
  try {
    await program.parseAsync(['analyze', ...words], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  }
}

/** Words between blanks; quotes of either kind hold blanks together; # begins a comment. */
export function splitWords(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|#.*|[^\s#"']\S*/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith('#'));
  return words
    .slice(0, comment < 0 ? words.length : comment)
    .map((word) => (/^["']/.test(word) ? word.slice(1, -1) : word));
}
