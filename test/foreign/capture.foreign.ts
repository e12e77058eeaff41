/**
 * crash opens what dump methods leave of the image null-process, and finds the machine's own panic
 * in it: a reader that knows nothing of the writer. Skipped loudly where crash or Debian's debug
 * symbols are missing.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { openKernel } from '../../src/linux/kernel.ts';
import { lastLogRecord } from '../../src/linux/log.ts';
import { capture } from '../machine/support.ts';
import { askCrash, located, save } from '../support/foreign.ts';
import { openPanic } from '../support/machines.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable)
  console.warn('skipped: no crash with debug symbols here to read what is captured');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-capture-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!isComparable)('crash', () => {
  test.each([
    ['diskdump', 31, 'none'],
    ['diskdump', 31, 'zlib'],
    ['diskdump:1.0', 0, 'none'],
  ] as const)('opens the dump of %s, level %i, %s', async (method, level, compression) => {
    const dump = await openPanic('null-process');
    const { run, bytes } = await capture({ dump, method, level, compression });
    const name = `${method.replace(':', '-')}-${compression}`;
    const file = save(join(folder, name), (sink) => sink.write(0, bytes));
    const { kernel, panic } = run.machine;
    const task = panic.task.toString(16);
    const [log, running, stack] = await askCrash({
      crash: crash!,
      words: [...located(kernel), symbols!, file],
      questions: ['log', 'ps -p', `bt ${task}`],
      commandFile: join(folder, 'commands'),
    });
    const last = lastLogRecord(openKernel(run.groundTruth().dump))!;
    expect(log).toContain(last.text);
    expect(running).toContain(`TASK: ${task}`);
    expect(stack).toMatch(/panics_dereference/);
  });
});
