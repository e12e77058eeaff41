/**
 * crash refuses a dump whose VMCOREINFO says a wrong phys_base, and opens it when it is mended.
 * Half a minute; skipped loudly where crash or Debian's debug symbols are missing.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { contentOf } from '../../src/convert/content.ts';
import { brokenDumps } from '../support/broken.ts';
import { tsdump } from '../support/cli.ts';
import { openFixture } from '../support/fixture.ts';
import { askCrash } from '../support/foreign.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to open what is mended');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-mended-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a program that failed had printed. */
interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

async function ask(name: string): Promise<string> {
  const words = [symbols!, join(folder, name)];
  const commandFile = join(folder, 'commands');
  const [said] = await askCrash({ crash: crash!, words, questions: ['sys'], commandFile });
  return said!;
}

describe.skipIf(!isComparable)('crash', () => {
  test('refuses a wrong phys_base, and opens the dump that repair makes of it', async () => {
    const dump = await openFixture();
    await brokenDumps['base']!(folder, contentOf(dump, 'kdump').content);
    dump.close();
    const refused = await ask('base.kdump').catch((error: Partial<Said>) => error);
    expect(refused).toBeInstanceOf(Error);
    const { stdout = '', stderr = '' } = refused as Partial<Said>;
    expect(stdout + stderr).toContain('do not match');
    expect(tsdump(['repair', 'base.kdump', '-o', 'mended'], { cwd: folder }).status).toBe(0);
    expect(await ask('mended')).toContain('PANIC: "Kernel panic - not syncing: sysrq triggered');
  });
});
