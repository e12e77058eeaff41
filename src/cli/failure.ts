/** A command that failed as a whole: the error for people, and the document for programs. */

import { DumpError } from '../bytes/errors.ts';
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
export function sayFailure(error: unknown, { file, schema, settings, io }: Failed): number {
  if (!(error instanceof DumpError)) throw error;
  if (settings.json) {
    const origin = { version: packageVersion(), schema, input: file };
    io.out(`${JSON.stringify(failureEnvelope(origin, error))}\n`);
  }
  for (const line of errorLines(error)) io.err(`${line}\n`);
  if (settings.verbose) io.err(`${error.stack}\n`);
  return exitStatusOf(error);
}
