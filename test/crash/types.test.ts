/**
 * The commands about types and values against crash, line for line: 8.0.6 on the real dumps, 8.0.2
 * on the dump that is always here. Every line is equal. Not asked is what crash refuses (paths of
 * more than one step, expressions as addresses), and what it is known to be off in: offsets in a
 * union that has a name, one of several symbols at an address.
 */

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import * as facts from './facts.ts';

const opened = new Map<string, Promise<Kernel>>();

function kernelOf(path: string): Promise<Kernel> {
  const known = opened.get(path) ?? openFile(path).then((dump) => openKernel(dump));
  opened.set(path, known);
  return known;
}

afterAll(async () => {
  for (const kernel of opened.values()) (await kernel).dump.close();
});

/** `$1` counts the values of a session: it says nothing about one of them. */
function comparable(lines: readonly string[]): string[] {
  const text = lines.join('\n').replace(/\$\d+ = /g, '$N = ');
  return text.trimEnd().split('\n');
}

describe.each(facts.realDumps)('$file', (image) => {
  if (!image.isHere) {
    test.skip(`skipped: no ${image.file} (set TSDUMP_IMAGES)`, () => {});
    return;
  }
  test.each([
    ['task 1', 'task-1', 1000],
    ['struct -o task_struct', 'struct-o-task_struct', 250],
    ['struct list_head', 'struct-list_head', 5],
    ['p init_task.comm', 'p-init_task.comm', 1],
    ['p jiffies', 'p-jiffies', 1],
  ])('%s: every line', async (line, section, atLeast) => {
    const crash = comparable(facts.crashAnswer(image, section));
    expect(crash.length).toBeGreaterThanOrEqual(atLeast);
    expect(comparable(await linesOf(await kernelOf(image.path), line))).toEqual(crash);
  });
});

interface Question {
  readonly line: string;
  readonly answer: string[];
}

/** What crash 8.0.2 said of test/dumps/sysrq.kdump: `ask-8.0.2.mjs` writes it. */
function questions(): Question[] {
  const path = new URL('answers/sysrq-8.0.2/types.txt', import.meta.url);
  const [, ...parts] = readFileSync(path, 'utf8').split(/^crash> /m);
  return parts.map((part) => {
    const [line = '', ...answer] = part.split('\n');
    return { line, answer };
  });
}

/** Expressions as a shell has to be given them. */
function quoted(line: string): string {
  const match = /^(p|eval|whatis) ((?:-\w )*)(.+)$/.exec(line);
  return match === null ? line : `${match[1]} ${match[2]}"${match[3]}"`;
}

describe('sysrq.kdump and crash 8.0.2', () => {
  test('the questions are here', () => {
    expect(questions().length).toBeGreaterThan(130);
  });

  test.each(questions())('$line', async ({ line, answer }) => {
    const ours = await linesOf(await kernelOf(dumpPath('sysrq.kdump')), quoted(line));
    expect(comparable(ours)).toEqual(comparable(answer));
  });
});
