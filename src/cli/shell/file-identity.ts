/** Tells a dump from another that has come to its name while a shell was open. */

import { statSync } from 'node:fs';
import { DumpError } from '../../bytes/errors.ts';

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
