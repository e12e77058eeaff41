/** Is there room for a dump: before an hour is spent on writing what cannot fit. */

import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import { humanSize } from '../bytes/text.ts';

/** Bytes that the file system still takes; undefined where it does not say. */
function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    // That the folder is not there, creating the file says better.
    return undefined;
  }
}

/**
 * `least`: bytes that the file surely takes; `most`: what it may take. Throws `io` where `least` do
 * not fit; the result is a remark where `most` may not.
 */
export function refuseLackOfSpace(path: string, least: number, most: number): string | undefined {
  const free = freeBytes(path);
  if (free === undefined) return undefined;
  if (least > free) {
    const message = `needs ${humanSize(least)}, and ${humanSize(free)} are free`;
    throw new DumpError('io', message, {
      where: { file: path },
      hint: 'choose another file system, a format that compresses, or --level',
    });
  }
  if (most <= free) return undefined;
  return `may need up to ${humanSize(most)}, and ${humanSize(free)} are free for ${path}`;
}
