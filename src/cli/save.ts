/** Bytes of a dump that a command was asked to keep in a file: `rd -r FILE`. */

import type { Answer } from '../analyze/command.ts';
import { DumpError } from '../bytes/errors.ts';
import { fileSink } from '../host/file-sink.ts';

/** Never over a file that is there. Throws `io`. */
export function saveBytes({ file, bytes }: NonNullable<Answer['saves']>): void {
  try {
    const sink = fileSink(file, { overwrite: false });
    sink.write(0, bytes);
    sink.finish();
  } catch (error) {
    // No command has a --force.
    if (!(error instanceof DumpError) || !/--force/.test(error.hint ?? '')) throw error;
    const { code, message, where, cause } = error;
    throw new DumpError(code, message, { where, hint: 'choose another name', cause });
  }
}
