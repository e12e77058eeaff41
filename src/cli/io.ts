/**
 * Standard output, standard error and the terminal, as the commands see them. Nothing else in the
 * program writes to either.
 */

import { exitStatus } from './exit-status.ts';
import { type Output, pagedOutput, pagerCommand, standardOutput } from './output.ts';

export interface Io {
  out(text: string): void;
  /** For one answer; where paging is on, a terminal shows a long one through $PAGER. */
  open(paging: 'on' | 'off'): Output;
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
      stdout.write(text);
    },
    open(paging) {
      const pager = pagerCommand(env);
      if (paging === 'off' || !stdout.isTTY || pager === undefined) return standardOutput();
      return pagedOutput(pager, stdout);
    },
    err(text) {
      stderr.write(text);
    },
    colour: mayColour && stdout.isTTY === true,
    width: stdout.isTTY ? stdout.columns : undefined,
    progress: stderr.isTTY === true && !settings.quiet,
  };
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
