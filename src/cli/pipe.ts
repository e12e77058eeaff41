/** Commands of `tsdump analyze FILE`, one a line, from a pipe or a file on standard input. */

import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommanderError } from 'commander';
import { DumpError } from '../bytes/errors.ts';
import { answerCall, overview, type Session } from './analyze.ts';
import { exitStatus } from './exit-status.ts';
import type { Settings } from './handlers.ts';
import { createProgram } from './program.ts';
import { packageVersion } from './version.ts';

/**
 * Only a real pipe or a file: standard input may also be a terminal, /dev/null, or a socket that
 * whoever started us never closes.
 */
export function commandsComeFromPipe(): boolean {
  const stat = fstatSync(0);
  return stat.isFIFO() || stat.isFile();
}

/** How scripts written for crash end. */
const leavingWords: ReadonlySet<string> = new Set(['exit', 'quit', 'q']);

/**
 * Every command is tried; the exit status is the highest of all. Lines with # are comments. A pipe
 * without any command, as a job without a terminal may have it, is as good as none: an overview.
 */
export async function answerPipe(session: Session): Promise<number> {
  let worst: number | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    const words = splitWords(line);
    if (words.length === 0) continue;
    if (words.length === 1 && leavingWords.has(words[0]!)) return worst ?? exitStatus.done;
    worst = Math.max(worst ?? exitStatus.done, await answerLine(session, words));
  }
  return worst ?? overview(session);
}

function refuse(): never {
  throw new DumpError('usage', 'only commands of analyze can come from a pipe');
}

async function answerLine(session: Session, words: readonly string[]): Promise<number> {
  const { io } = session;
  let status: number = exitStatus.done;
  const program = createProgram({
    version: packageVersion(),
    out: (text) => io.out(text),
    err: (text) => io.err(text),
    welcome: () => {},
    analyze: async ({ command, words: operands, options }, settings) => {
      if (command === undefined) return;
      const line = { ...session, settings: either(session.settings, settings) };
      status = await answerCall(line, { command, words: operands, options });
    },
    capture: refuse,
    scenario: refuse,
  });
  try {
    await program.parseAsync(['analyze', ...words], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  }
}

/** What was asked for on the command line or on the line of one command. */
function either(session: Settings, line: Settings): Settings {
  return {
    json: session.json || line.json,
    quiet: session.quiet || line.quiet,
    verbose: session.verbose || line.verbose,
    color: session.color && line.color,
    strict: session.strict || line.strict,
  };
}

/** Words between blanks; quotes of either kind hold blanks together; # begins a comment. */
export function splitWords(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|#.*|[^\s#"']\S*/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith('#'));
  return words
    .slice(0, comment < 0 ? words.length : comment)
    .map((word) => (/^["']/.test(word) ? word.slice(1, -1) : word));
}
