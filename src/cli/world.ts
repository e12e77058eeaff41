/** What the command line lends to the rooms below, and the machine that comes along. */

import { fileURLToPath } from 'node:url';
import { openDump } from '../dump/open.ts';
import type { Dump } from '../dump/types.ts';
import { fileSource } from '../host/file-source.ts';
import { nodeWorld } from '../host/world.ts';

/** The small real vmcore that `tsdump capture` takes where none is named. */
export const defaultMachine = fileURLToPath(
  new URL('../../fixtures/default.kdump', import.meta.url),
);

export const world = nodeWorld();

/** Opens a dump file. Throws DumpErrors. */
export async function openFile(path: string): Promise<Dump> {
  return openDump(fileSource(path), world);
}
