/**
 * crash says the same of what a dump server wrote as of what kexec's capture kernel did, of one
 * panic. Half a minute; skipped loudly where crash or Debian's debug symbols are missing.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { capture } from '../machine/support.ts';
import { askCrash, located } from '../support/foreign.ts';
import { openPanic } from '../support/machines.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to read what we write');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-network-'));
afterAll(() => rmSync(folder, { recursive: true }));

const questions = ['bt', 'log', 'ps', 'rd linux_banner 8', 'rd jiffies'];

async function said(words: readonly string[], bytes: Uint8Array): Promise<string> {
  const file = join(folder, 'dump');
  writeFileSync(file, bytes);
  const commandFile = join(folder, 'commands');
  const all = [...words, symbols!, file];
  return (await askCrash({ crash: crash!, words: all, questions, commandFile })).join('\n');
}

test.skipIf(!isComparable)('crash opens what netdump left, and finds the same in it', async () => {
  const dump = await openPanic('null-process');
  const { bytes: expected } = await capture({ dump, method: 'kexec', level: 31 });
  const { bytes, run } = await capture({ dump, method: 'netdump', level: 0 });
  const answer = await said(located(run.machine.kernel), bytes);
  expect(answer).toContain('panics_dereference');
  expect(answer).toBe(await said([], expected));
});
