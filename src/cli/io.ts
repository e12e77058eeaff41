/**
 * Standard output, standard error and the terminal, as the commands see them. Nothing else in the
 * program writes to either.
 */

import { spawnSync } from 'node:child_process';
import { exitStatus } from './exit-status.ts';

export interface Io {
  /** A whole answer at once: on a terminal a long one goes through $PAGER. */
  out(text: string): void;
  err(text: string): void;
  /** May standard output carry colour. */
  readonly colour: boolean;
  /** Columns of the terminal that standard output is; undefined where it is none. */
  readonly width: number | undefined;
  /** Is there a person in front of standard error, who wants to see progress. */
  readonly progress: boolean;
}

export interface IoSettings {
  readonly quiet: boolean;
  readonly color: boolean;
}

export function processIo(settings: IoSettings): Io {
  const { stdout, stderr, env } = process;
  const mayColour = settings.color && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return {
    out(text) {
      if (stdout.isTTY && page(text, stdout.rows)) return;
      stdout.write(text);
    },
    err(text) {
      stderr.write(text);
    },
    colour: mayColour && stdout.isTTY === true,
    width: stdout.isTTY ? stdout.columns : undefined,
    progress: stderr.isTTY === true && !settings.quiet,
  };
}

/** Shows a text that is longer than the terminal in $PAGER; false where that is not to be. */
function page(text: string, rows: number): boolean {
  const pager = process.env['PAGER'] ?? '';
  if (pager === '' || text.split('\n').length <= rows) return false;
  const { error, status } = spawnSync(pager, {
    shell: true,
    input: text,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  // 127: the shell found no such program.
  return error === undefined && status !== 127;
}

/**
 * `tsdump analyze vmcore log | head` closes the pipe early: that is no error, and the rest of the
 * output has nowhere to go. Anything else, such as a full disk, is one: whoever reads the output
 * must not take it for whole.
 */
export function endOnFailingOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      process.stderr.write(`tsdump: io: the output cannot be written: ${error.code}\n`);
      process.exit(exitStatus.io);
    });
  }
}
