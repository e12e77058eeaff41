/** Tells files from each other, whatever their names are. */

import { statSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';

/** What the file system says of a file that nobody writes to. */
export type FileIdentity = string;

/** Of a file that is not there: empty. */
export function identityOf(file: string): FileIdentity {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : [stat.dev, stat.ino, stat.size, stat.mtimeNs].join(' ');
}

/** Throws `mismatch`; that the file is not there, opening it says. */
export function refuseOther(file: string, known: FileIdentity): void {
  const now = identityOf(file);
  if (now === '' || now === known) return;
  throw new DumpError('mismatch', 'is another file than when the shell began', {
    where: { file },
    hint: 'leave, and analyze it anew',
  });
}

/**
 * Nobody means to write over the dump that is read, whatever was said of overwriting. Throws
 * `usage`.
 */
export function refuseInput(output: string, input: string): void {
  const [one, other] = [output, input].map((file) => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? undefined : `${stat.dev} ${stat.ino}`;
  });
  if (one === undefined || one !== other) return;
  throw new DumpError('usage', 'is the dump itself, and would be lost', {
    where: { file: output },
    hint: 'write to another file',
  });
}
