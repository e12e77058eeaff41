/**
 * A file as a Sink. Bytes go to a temporary name beside the target; `finish` makes them durable and
 * gives the file its name, so that a name never stands for half a dump. The temporary file is there
 * from the first write on, and gone however the program ends (but by SIGKILL).
 */

import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import { beforeEndBySignal } from './signals.ts';

export interface FileSinkOptions {
  /** Replace a file of that name; otherwise it is refused, at the start and at the end. */
  readonly overwrite: boolean;
}

export function fileSink(path: string, options: FileSinkOptions): Sink {
  refuseTaken(path, options);
  const temporary = `${path}.${process.pid}.part`;
  const create = (): number => attempt(path, 'cannot be created', () => openSync(temporary, 'wx'));
  const remove = (): void => rmSync(temporary, { force: true });
  // What cannot be created is refused now, not after all the work.
  closeSync(create());
  remove();
  let file: { readonly fd: number; readonly release: () => void } | undefined;
  const opened = (): number => {
    file ??= { fd: create(), release: beforeEndBySignal(remove) };
    return file.fd;
  };
  const close = (): void => {
    if (file !== undefined) closeSync(file.fd);
    file?.release();
    file = undefined;
  };
  return {
    name: path,
    write(offset, bytes) {
      const fd = opened();
      for (let done = 0; done < bytes.length; ) {
        const left = bytes.length - done;
        done += attempt(path, `cannot be written at offset ${offset + done}`, () =>
          writeSync(fd, bytes, done, left, offset + done),
        );
      }
    },
    finish() {
      const fd = opened();
      try {
        attempt(path, 'cannot be made durable', () => fsyncSync(fd));
        close();
        giveName(temporary, path, options);
      } finally {
        close();
        remove();
      }
      syncDirectory(path);
    },
    abort() {
      if (file === undefined) return;
      close();
      remove();
    },
  };
}

/** Replacing goes for files only: a rename would put a file in the place of a device as well. */
function refuseTaken(path: string, { overwrite }: FileSinkOptions): void {
  const options = { throwIfNoEntry: false } as const;
  const entry = attempt(path, 'cannot be created', () => lstatSync(path, options));
  if (entry === undefined) return;
  const stat = attempt(path, 'cannot be created', () => statSync(path, options));
  if (stat?.isDirectory()) {
    throw new DumpError('io', 'is a directory', {
      where: { file: path },
      hint: 'name a file inside it',
    });
  }
  if (stat?.isFile() === false) {
    throw new DumpError('io', 'is not a regular file', {
      where: { file: path },
      hint: 'a dump is written to a file',
    });
  }
  if (!overwrite) throw existing(path);
}

/** Unlike a rename, a link fails where the name has been taken meanwhile. */
function giveName(temporary: string, path: string, { overwrite }: FileSinkOptions): void {
  if (!overwrite) {
    try {
      linkSync(temporary, path);
      return;
    } catch (cause) {
      if (codeOf(cause) === 'EEXIST') throw existing(path);
      // A file system without hard links.
    }
  }
  attempt(path, 'cannot be named', () => renameSync(temporary, path));
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

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the file system is full: nothing was kept; choose another, or a smaller dump',
  EDQUOT: 'the quota is used up: nothing was kept; choose another place, or a smaller dump',
};

function attempt<T>(path: string, what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const code = codeOf(cause);
    const hint = hints[code];
    throw new DumpError('io', `${what}: ${code}`, { where: { file: path }, hint, cause });
  }
}
