/**
 * The commands about types and values against crash 8.0.2, line for line, on the dump that is
 * always here: every line is equal. Not asked is what crash refuses (paths of more than one step,
 * expressions as addresses), and what it is known to be off in: offsets in a union that has a name,
 * one of several symbols at an address.
 */

import { afterAll, beforeAll } from 'vitest';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { openFixture } from '../support/fixture.ts';
import { saysAsCrash } from './told.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

/** Expressions as a shell has to be given them. */
function quoted(line: string): string {
  const match = /^(p|eval|whatis) ((?:-\w )*)(.+)$/.exec(line);
  return match === null ? line : `${match[1]} ${match[2]}"${match[3]}"`;
}

saysAsCrash('types', (line) => linesOf(kernel, quoted(line)));
