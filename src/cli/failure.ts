/** A command that failed as a whole: the error for people, and the document for programs. */

import { DumpError, reasonOf } from '../bytes/errors.ts';
import { failureEnvelope } from '../render/envelope.ts';
import { errorLines } from '../render/errors.ts';
import { exitStatusOf } from './exit-status.ts';
import type { Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { packageVersion } from './version.ts';

export interface Failed {
  /** As the user named it. */
  readonly file: string | null;
  /** Of the answer that is not there. */
  readonly schema: string;
  readonly settings: Settings;
  readonly io: Io;
}

/** The result is the exit status. Whatever is no DumpError is thrown on. */
export function sayFailure(error: unknown, failed: Failed): number {
  if (!(error instanceof DumpError)) throw error;
  const { settings, io } = failed;
  io.out(failureDocument(error, failed));
  for (const line of errorLines(error)) io.err(`${line}\n`);
  if (settings.verbose) io.err(`${error.stack}\n`);
  return exitStatusOf(error);
}

/** What --json prints in place of an answer; empty without it. */
export function failureDocument(
  error: DumpError,
  { file, schema, settings }: Omit<Failed, 'io'>,
): string {
  if (!settings.json) return '';
  const origin = { version: packageVersion(), schema, input: file };
  return `${JSON.stringify(failureEnvelope(origin, error))}\n`;
}

/** What ended a command without an answer; the result is the exit status. */
export function sayError(error: unknown, detail: 'line' | 'stack', io: Io): number {
  if (error instanceof DumpError) {
    io.err(`${errorLines(error).join('\n')}\n`);
  } else {
    const reason = reasonOf(error).split('\n')[0];
    io.err(`tsdump: internal error: ${reason} (--verbose shows where)\n`);
  }
  if (detail === 'stack' && error instanceof Error) io.err(`${error.stack}\n`);
  return exitStatusOf(error);
}
