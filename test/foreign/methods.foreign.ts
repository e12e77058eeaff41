/**
 * crash opens what each dump method leaves of one panic, finds that panic in it, and reads the same
 * words all over it as the memory had at the instant: a reader that knows nothing of the writers,
 * for every method and format. Two minutes; skipped loudly where crash or Debian's debug symbols
 * are missing.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { parseMethod } from '../../src/capture/catalogue.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { lastLogRecord } from '../../src/linux/log.ts';
import type { RunReport } from '../../src/trial/report.ts';
import type { CaptureRun } from '../../src/trial/run.ts';
import { capture } from '../machine/support.ts';
import { askCrash, located } from '../support/foreign.ts';
import { openPanic, strictest } from '../support/machines.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to read what is left');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-methods-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A page of many that are due, and two words in the midst of it. */
interface Place {
  readonly physical: number;
  readonly words: readonly string[];
}

const inPage = 0x7f0;

/** From all over the memory, as it was at the instant; none that the method writes to itself. */
function placesOf({ verdict }: RunReport, run: CaptureRun): Place[] {
  const { dump, ownWrites } = run.groundTruth();
  const due = verdict.places!.due.flatMap(([first, end]) =>
    Array.from({ length: end - first }, (_, index) => first + index),
  );
  const step = Math.max(1, Math.floor(due.length / 60));
  const pfns = due.filter((pfn, at) => at % step === 0 && ownWrites.of(pfn).length === 0);
  return pfns.map((pfn) => {
    const page = Buffer.from(dump.readPage(pfn).bytes!);
    const word = (at: number): string => page.readBigUInt64LE(at).toString(16).padStart(16, '0');
    return { physical: pfn * 4096 + inPage, words: [word(inPage), word(inPage + 8)] };
  });
}

const methods = [
  'lkcd-disk',
  'lkcd-net',
  'lkcd-mem',
  'diskdump',
  'netdump',
  'kexec',
  'mkdump',
  'hypervisor',
  'live',
];

describe.skipIf(!isComparable).concurrent('crash opens', () => {
  test.for(methods)('what %s left, and reads in it what was there', async (method, { expect }) => {
    const dump = await openPanic('null-process');
    const { run, report, bytes } = await capture({ dump, method, level: strictest(method) });
    expect(report.verdict.class).toBe('complete');
    const file = join(folder, method);
    writeFileSync(file, bytes);
    const { kernel, panic } = run.machine;
    const places = placesOf(report, run);
    expect(places.length).toBeGreaterThan(40);
    const task = panic.task.toString(16);
    const { format } = parseMethod(method).method;
    const [log, running, stack, ...words] = await askCrash({
      crash: crash!,
      words: [...(format === 'kdump' ? [] : located(kernel)), symbols!, file],
      questions: [
        'log',
        'ps -p',
        `bt ${task}`,
        ...places.map(({ physical }) => `rd -p ${physical.toString(16)} 2`),
      ],
      commandFile: `${file}.commands`,
    });
    expect(log).toContain(lastLogRecord(openKernel(run.groundTruth().dump))!.text);
    expect(running).toContain(`TASK: ${task}`);
    expect(stack).toMatch(/panics_dereference/);
    const found = words.map((text) => / ([0-9a-f]{16}) ([0-9a-f]{16}) /.exec(text)?.slice(1, 3));
    expect(found).toEqual(places.map((place) => place.words));
  });
});
