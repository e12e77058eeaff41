/**
 * An installed crash disassembles functions from all over the kernel's text and its modules: what
 * we say of them is what it says, but for names (it has debug symbols, we have kallsyms) and where
 * a function ends that is followed by one without a name.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { linesOf } from '../support/ask.ts';
import { dumpPath, openFixture } from '../support/fixture.ts';
import { Random } from '../support/mutate.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const count = 400;
const seed = Number(process.env['TSDUMP_SEED'] ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'tsdump-foreign-'));

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => {
  kernel.dump.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Names that only one function has; text of the kernel's start has long been overwritten. */
function functionNames(): string[] {
  const [start, end] = ['__init_begin', '__init_end'].map((name) => kernel.symbol(name).address);
  const seen = new Map<string, number>();
  for (const { name, type, address } of kernel.symbols.all()) {
    const isCode = /^[tT]$/.test(type) && !(address >= start! && address < end!);
    // A label at the end of a section is no function.
    if (isCode && !/_(end|start|begin)$/.test(name)) seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  const names = [...seen].filter(([, times]) => times === 1).map(([name]) => name);
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.pick(names));
}

/** crash's lines by the function. */
function askCrash(names: readonly string[]): Map<string, string[]> {
  const file = join(folder, 'commands');
  const commands = names.map((name) => `!echo '@@ ${name}'\ndis ${name}\n`);
  writeFileSync(file, `${commands.join('')}exit\n`);
  const words = ['--no_scroll', '-s', '-i', file, symbols ?? '', dumpPath('sysrq.kdump')];
  const { stdout } = spawnSync(crash ?? '', words, {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const parts = stdout.split(/^@@ /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [name, ...lines] = part.split('\n');
      return [name!, lines.filter((line) => line.startsWith('0x'))];
    }),
  );
}

const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to ask for code');

describe.skipIf(!isComparable)('dis', () => {
  test(`${count} functions: 99 of 100 lines, and all but 2 of 1000 instructions`, async () => {
    const bare = (line: string): string => line.replace(/ <[^<>]*>/g, '');
    const total = { lines: 0, equal: 0, functions: 0, whole: 0 };
    const different: string[] = [];
    for (const [name, theirs] of askCrash(functionNames())) {
      if (theirs.length === 0) continue;
      const ours = await linesOf(kernel, `dis ${name}`);
      total.functions++;
      if (ours.join('\n') === theirs.join('\n')) total.whole++;
      for (const [index, line] of theirs.entries()) {
        const own = ours[index] ?? '';
        total.lines++;
        if (line === own) total.equal++;
        else if (bare(line) !== bare(own)) different.push(`${line}\n  ${own}`);
      }
    }
    console.log(
      `crash 8.0.2, dis (seed ${seed}): ${total.whole} of ${total.functions} functions, ` +
        `${total.equal} of ${total.lines} lines are equal, ${different.length} instructions differ`,
    );
    expect(total.functions).toBeGreaterThan(count * 0.9);
    expect(total.equal / total.lines).toBeGreaterThan(0.99);
    expect(different.length / total.lines).toBeLessThan(0.002);
  });
});
