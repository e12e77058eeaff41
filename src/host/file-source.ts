/** A file as a Source. Whatever the operating system refuses is a DumpError `io`. */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { DumpError } from '../bytes/errors.ts';
import type { Source } from '../bytes/source.ts';

export function fileSource(path: string): Source {
  // A FIFO without a writer would otherwise not open before there is one.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = attempt(path, 'cannot be opened', () => openSync(path, flags));
  const stat = attempt(path, 'cannot be examined', () => fstatSync(fd));
  const refusal = refusalOf(stat);
  if (refusal !== undefined) {
    closeSync(fd);
    throw new DumpError('unsupported', refusal.message, {
      where: { file: path },
      hint: refusal.hint,
    });
  }
  let open = true;
  const readInto = (offset: number, target: Uint8Array): number => {
    const wanted = Math.max(0, Math.min(target.length, stat.size - offset));
    for (let done = 0; done < wanted; ) {
      const got = attempt(path, `cannot be read at offset ${offset + done}`, () =>
        readSync(fd, target, done, wanted - done, offset + done),
      );
      // Somebody cut the file after it was opened.
      if (got === 0) return done;
      done += got;
    }
    return wanted;
  };
  return {
    name: path,
    size: stat.size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, stat.size - offset)));
      return bytes.subarray(0, readInto(offset, bytes));
    },
    readInto,
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function refusalOf(stat: {
  size: number;
  isFile(): boolean;
  isDirectory(): boolean;
}): { message: string; hint: string } | undefined {
  if (stat.isDirectory()) {
    return { message: 'is a directory', hint: 'name the dump file inside it' };
  }
  if (!stat.isFile()) {
    return { message: 'is not a regular file', hint: 'copy the dump to a file first' };
  }
  if (stat.size === 0) {
    return { message: 'is empty', hint: 'nothing was saved: look for the cause where it was made' };
  }
  return undefined;
}

function attempt<T>(path: string, what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const hints: Record<string, string> = {
      ENOENT: 'check the name',
      EACCES: 'you may not read it: ask for permission',
    };
    throw new DumpError('io', `${what}: ${code}`, {
      where: { file: path },
      hint: hints[code],
      cause,
    });
  }
}
