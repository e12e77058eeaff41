/** The shell at a terminal: a prompt, a history, completion by Tab, Ctrl-C. */

import { createInterface, type Interface } from 'node:readline';
import { DumpError } from '../../bytes/errors.ts';
import { errorLines } from '../../render/errors.ts';
import { overviewCommands } from '../analyze.ts';
import { exitStatus } from '../exit-status.ts';
import { sayError } from '../failure.ts';
import type { Io } from '../io.ts';
import type { Session } from '../session.ts';
import { Interrupted, OwnThread } from './asker.ts';
import { History, historyFile, historyLines } from './history.ts';
import { Shell } from './shell.ts';

const prompt = 'tsdump> ';

export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/**
 * Runs the lines of `first`, or tells what crashed, and asks for more until `exit` or Ctrl-D. The
 * result is the exit status.
 */
export async function talk(
  session: Session,
  first: readonly string[] | undefined,
): Promise<number> {
  const { io } = session;
  const asker = new OwnThread(session);
  const shell = new Shell(asker, io);
  let interrupt = new AbortController();
  // Given as long as the shell lives, so that there is no moment without it.
  process.on('SIGINT', () => interrupt.abort());
  const run = async (line: string): Promise<void> => {
    interrupt = new AbortController();
    try {
      await shell.run(line, interrupt.signal);
    } catch (error) {
      if (error instanceof Interrupted) io.err('interrupted\n');
      else sayError(error, error instanceof DumpError ? 'line' : 'stack', io);
    }
  };
  for (const line of first ?? overviewCommands) {
    if (shell.hasLeft) break;
    await run(line);
    if (first === undefined) io.out('\n');
  }
  if (!shell.hasLeft) await ask(shell, asker, io, run);
  await asker.close();
  return exitStatus.done;
}

async function ask(
  shell: Shell,
  asker: OwnThread,
  io: Io,
  run: (line: string) => Promise<void>,
): Promise<void> {
  const history = new History(historyFile(process.env));
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt,
    history: [...history.lines].reverse(),
    historySize: historyLines,
    removeHistoryDuplicates: true,
    completer: (line: string, done: Completed) => completeLine(asker, io, line, done),
  });
  terminal.on('SIGINT', () => {
    io.out('^C\n');
    discardLine(terminal);
    terminal.prompt();
  });
  // Somebody stopped the shell by Ctrl-Z, and has it in front again.
  terminal.on('SIGCONT', () => terminal.prompt(true));
  let canKeep = true;
  io.out('`help` lists the commands, Tab completes, `exit` leaves.\n');
  terminal.prompt();
  for await (const line of terminal) {
    if (canKeep) canKeep = kept(history, line, io);
    // While a command runs, the terminal is its own and that of its pager: Ctrl-C is a signal.
    terminal.pause();
    process.stdin.setRawMode(false);
    await run(line);
    process.stdin.setRawMode(true);
    if (shell.hasLeft) break;
    terminal.prompt();
  }
  terminal.close();
  if (!shell.hasLeft) io.out('\n');
}

type Completed = (error: null, result: [string[], string]) => void;

function completeLine(asker: OwnThread, io: Io, line: string, done: Completed): void {
  asker.complete(line).then(
    ([names, replaced]) => {
      // As readline does elsewhere: there is nothing to insert.
      if (names.length !== 1) io.out('\x07');
      done(null, [[...names], replaced]);
    },
    (error) => {
      sayError(error, 'stack', io);
      done(null, [[], line]);
    },
  );
}

function discardLine(terminal: Interface): void {
  terminal.write(null, { ctrl: true, name: 'e' });
  terminal.write(null, { ctrl: true, name: 'u' });
}

/** Whether the history can be kept; where it cannot, that is said once. */
function kept(history: History, line: string, io: Io): boolean {
  try {
    history.add(line);
    return true;
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    for (const text of errorLines(error)) io.err(`${text}\n`);
    return false;
  }
}
