/** Text beside the dump: a trace, a picture. Like a dump it has its name only when it is whole. */

import { encodeUtf8 } from '../bytes/text.ts';
import { fileSink } from '../host/file-sink.ts';
import type { Io } from './io.ts';

export interface TextOutput {
  add(text: string): void;
  finish(): void;
  /** Nothing, where it was finished. */
  abort(): void;
}

/** Characters that are collected before they are written. */
const pieceLength = 256 * 1024;

/** `-` is standard output. Throws `io` at once for a name that cannot be taken. */
export function textOutput(path: string, overwrite: 'overwrite' | 'keep', io: Io): TextOutput {
  const sink = path === '-' ? undefined : fileSink(path, { overwrite: overwrite === 'overwrite' });
  let text = '';
  let offset = 0;
  const flush = (): void => {
    if (sink === undefined) {
      io.out(text);
    } else {
      const bytes = encodeUtf8(text);
      sink.write(offset, bytes);
      offset += bytes.length;
    }
    text = '';
  };
  return {
    add(more) {
      text += more;
      if (text.length >= pieceLength && sink !== undefined) flush();
    },
    finish() {
      flush();
      sink?.finish();
    },
    abort: () => sink?.abort(),
  };
}

/** The whole of a file at once. */
export function writeText(
  path: string,
  text: string,
  existing: 'overwrite' | 'keep',
  io: Io,
): void {
  const output = textOutput(path, existing, io);
  try {
    output.add(text);
    output.finish();
  } finally {
    output.abort();
  }
}
