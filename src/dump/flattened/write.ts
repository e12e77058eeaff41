/**
 * A sink that puts a dump of any format into a pipe: every write becomes a record, as it comes, and
 * nothing is kept back. What a writer writes twice (headers, where a page turned out unreadable)
 * becomes two records; the later one wins, here as with `makedumpfile -R`. crash picks either.
 */

import { assert } from '../../bytes/errors.ts';
import type { Pipe, Sink } from '../../bytes/sink.ts';
import { FlatHeader, FlatRecord, flatType, flatVersion, headerSize, signature } from './layout.ts';

/** Finishing the sink ends and finishes the pipe. */
export function flattened(pipe: Pipe): Sink {
  const head = new Uint8Array(headerSize);
  FlatHeader.write(head, 0, { signature, type: flatType, version: flatVersion });
  let state: 'new' | 'open' | 'ended' = 'new';
  const begin = (): void => {
    assert(state !== 'ended', `write to ${pipe.name} after its end`);
    if (state === 'new') pipe.append(head);
    state = 'open';
  };
  return {
    name: pipe.name,
    isPipe: true,
    write(offset, bytes) {
      // A record without bytes is damage to readers.
      if (bytes.length === 0) return;
      begin();
      pipe.append(recordOf(BigInt(offset), BigInt(bytes.length)));
      pipe.append(bytes);
    },
    finish() {
      begin();
      pipe.append(recordOf(-1n, -1n));
      state = 'ended';
      pipe.finish();
    },
    abort() {
      state = 'ended';
      pipe.abort();
    },
  };
}

function recordOf(offset: bigint, size: bigint): Uint8Array {
  return FlatRecord.encode({ offset, buf_size: size });
}
