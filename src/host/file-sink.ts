/**
 * A file as a Sink. Bytes go to a temporary name beside the target; `finish` makes them durable and
 * gives the file its name, so that a name never stands for half a dump.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';

export interface FileSinkOptions {
  /** Replace a file of that name; otherwise it is refused, at the start and at the end. */
  readonly overwrite: boolean;
}

export function fileSink(path: string, options: FileSinkOptions): Sink {
  if (!options.overwrite && existsSync(path)) throw existing(path);
  const temporary = `${path}.${process.pid}.part`;
  const fd = attempt(path, 'cannot be created', () => openSync(temporary, 'wx'));
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  return {
    name: path,
    write(offset, bytes) {
      for (let done = 0; done < bytes.length; ) {
        const left = bytes.length - done;
        done += attempt(path, `cannot be written at offset ${offset + done}`, () =>
          writeSync(fd, bytes, done, left, offset + done),
        );
      }
    },
    finish() {
      attempt(path, 'cannot be made durable', () => fsyncSync(fd));
      close();
      if (options.overwrite) {
        attempt(path, 'cannot be named', () => renameSync(temporary, path));
      } else {
        nameNew(temporary, path);
      }
      syncDirectory(path);
    },
    abort() {
      if (!open) return;
      close();
      rmSync(temporary, { force: true });
    },
  };
}

/** Unlike a rename, a link fails where the name has been taken meanwhile. */
function nameNew(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') {
      rmSync(temporary, { force: true });
      throw existing(path);
    }
    // A file system without hard links.
    attempt(path, 'cannot be named', () => renameSync(temporary, path));
    return;
  }
  rmSync(temporary, { force: true });
}

/** The new name is durable only when its directory is. */
function syncDirectory(path: string): void {
  attempt(path, 'cannot be made durable', () => {
    const directory = openSync(dirname(path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  });
}

function existing(path: string): DumpError {
  return new DumpError('io', 'exists already', {
    where: { file: path },
    hint: 'choose another name, or --force to replace it',
  });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}

function attempt<T>(path: string, what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new DumpError('io', `${what}: ${codeOf(cause)}`, { where: { file: path }, cause });
  }
}
