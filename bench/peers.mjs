/**
 * The foreign programs that we compare ourselves with, where this machine has them.
 * `TSDUMP_EXPECT` (`programs`, `symbols`) says what continuous integration has installed: missing
 * then is a failure, not a skip.
 */

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const expected = (process.env.TSDUMP_EXPECT ?? '').split(',');

/** The path of a program, undefined if there is none. Throws if CI has installed it. */
export function findProgram(name) {
  const path = pathOf(name);
  if (path === undefined && expected.includes('programs')) {
    throw new Error(`${name} was installed, and is not here`);
  }
  return path;
}

/** The path of a program that nobody is obliged to have. */
export function pathOf(name) {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' && error.code !== 'EACCES')
        throw error;
    }
  }
  return undefined;
}

/** The kernel with debug symbols of Debian's package. Throws if CI has installed it. */
export function findSymbols(release) {
  const path = `/usr/lib/debug/boot/vmlinux-${release}`;
  if (existsSync(path)) return path;
  if (expected.includes('symbols')) throw new Error(`${path} was installed, and is not here`);
  return undefined;
}
