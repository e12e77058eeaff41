/**
 * The files of a dump server in one directory. A file is called `NAME-incomplete` until it is
 * whole: then it is made durable and gets its name, which no other file may have. What was written
 * before the program is killed stays.
 */

import { randomInt } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { DumpFiles, Peer } from '../capture/_net/dump-server.ts';

const suffix = '-incomplete';

/** Throws `io` where the directory cannot be made. `now`: milliseconds since 1970. */
export function dumpFiles(directory: string, now: () => number = Date.now): DumpFiles {
  const open = new Map<string, number>();
  attempt(directory, 'cannot be made', () => mkdirSync(directory, { recursive: true }));
  const path = (name: string): string => join(directory, name);
  const close = (name: string): void => {
    const fd = open.get(name);
    if (fd !== undefined) closeSync(fd);
    open.delete(name);
  };
  const descriptor = (name: string): number => {
    const known = open.get(name);
    if (known !== undefined) return known;
    const file = path(name + suffix);
    const fd = attempt(file, 'cannot be created', () => openSync(file, 'wx', 0o600));
    open.set(name, fd);
    return fd;
  };
  const names = new Set<string>();
  const isTaken = (name: string): boolean =>
    names.has(name) || existsSync(path(name)) || existsSync(path(name + suffix));
  return {
    newName(peer) {
      const stem = stemOf(peer, now());
      let name = stem;
      for (let number = 2; isTaken(name); number++) name = `${stem}-${number}`;
      names.add(name);
      return name;
    },
    draw: () => randomInt(2 ** 32),
    incomplete: (name) => sinkOf(path(name + suffix), () => descriptor(name)),
    complete(name) {
      const from = path(name + suffix);
      attempt(from, 'cannot be made durable', () => fsyncSync(descriptor(name)));
      close(name);
      // Unlike a rename, a link fails where the name has been taken meanwhile.
      attempt(path(name), 'cannot be named', () => linkSync(from, path(name)));
      attempt(from, 'cannot be removed', () => unlinkSync(from));
      syncDirectory(directory);
    },
    release(name) {
      close(name);
      names.delete(name);
    },
  };
}

/** `10.0.0.7-20040527T101500-vmcore`: nothing of it is the client's to choose but its address. */
function stemOf({ address, protocol }: Peer, ms: number): string {
  const host = address.replaceAll(/[^0-9a-f.]/gi, '_').slice(0, 45);
  const time = new Date(ms).toISOString().replaceAll(/[-:]|\.\d+Z/g, '');
  return `${host}-${time}-${protocol === 'netdump' ? 'vmcore' : 'lkcd'}`;
}

function sinkOf(file: string, descriptor: () => number): Sink {
  return {
    name: file,
    write(offset, bytes) {
      for (let done = 0; done < bytes.length; ) {
        const left = bytes.length - done;
        done += attempt(file, 'cannot be written', () =>
          writeSync(descriptor(), bytes, done, left, offset + done),
        );
      }
    },
    finish() {},
    abort() {},
  };
}

function syncDirectory(directory: string): void {
  attempt(directory, 'cannot be made durable', () => {
    const fd = openSync(directory, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

function attempt<T>(file: string, what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DumpError('io', `${what}: ${code}`, { where: { file }, cause });
  }
}
