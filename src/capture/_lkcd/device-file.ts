/**
 * An LKCD file on the dump device. The first 64 KB of the device stay as they are, because a swap
 * header may stand there; nothing else of the device is looked at. Source: LKCD's dump_blockdev.c.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { BlockWrite } from '../../machine/files.ts';
import type { Machine } from '../../machine/machine.ts';
import { LkcdFile, type Written } from './file.ts';

/** Where the file begins on its device. */
export const deviceOffset = 64 * 1024;

/** Its writes throw `io` where the device does not take them. */
export function deviceFile(machine: Machine, state: Written, write: BlockWrite): LkcdFile {
  const { start, size, name } = machine.disk.partition('dump');
  return new LkcdFile(state, (offset, parts, length) => {
    if (deviceOffset + offset + length > size) {
      throw new DumpError('io', `ENOSPC: ${name} has no room for what comes after ${offset} bytes`);
    }
    write(start + deviceOffset + offset, parts);
  });
}
