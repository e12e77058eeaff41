/** Standard output as a pipe for bytes: a flattened dump goes there. */

import { writeSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import type { Pipe } from '../bytes/sink.ts';

export interface CountingPipe extends Pipe {
  /** What went through so far. */
  readonly bytes: number;
}

const standardOutput = 1;
/** Milliseconds until a reader that does not keep up is tried again. */
const patience = 5;

/** Throws `io` where nobody reads any more. What was written stays, without an end. */
export function standardPipe(): CountingPipe {
  const name = 'standard output';
  let bytes = 0;
  return {
    name,
    get bytes() {
      return bytes;
    },
    append(piece) {
      for (let done = 0; done < piece.length; ) {
        try {
          done += writeSync(standardOutput, piece, done);
        } catch (cause) {
          const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
          if (code !== 'EAGAIN') {
            const message = `cannot be written at offset ${bytes + done}: ${code}`;
            throw new DumpError('io', message, { where: { file: name }, cause });
          }
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patience);
        }
      }
      bytes += piece.length;
    },
    finish() {},
    abort() {},
  };
}
