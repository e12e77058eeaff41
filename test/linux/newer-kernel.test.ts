/**
 * A kernel of another generation (6.12, five-level paging) against what it said of itself on its
 * console before and while it died. See test/dumps/ORIGIN.md.
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backtrace } from '../../src/linux/backtrace.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { memoryUse, processArguments } from '../../src/linux/processes.ts';
import { taskState } from '../../src/linux/tasks.ts';
import { ourTrace, printedTrace } from '../support/console.ts';
import { dumpPath, openFile } from '../support/fixture.ts';

const console_ = readFileSync(dumpPath('linux-6.12.console.txt'), 'utf8').split('\n');
const truth = console_.slice(
  console_.indexOf('LAB-TRUTH-BEGIN') + 1,
  console_.indexOf('LAB-TRUTH-END'),
);

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFile(dumpPath('linux-6.12.kdump')));
});
afterAll(() => kernel.dump.close());

describe('Linux 6.12 with five-level paging, from its memory alone', () => {
  test('it is what it says: five levels, its own release', () => {
    expect(kernel.memory.root.levels).toBe(5);
    expect(kernel.vmcoreinfo.release).toBe('6.12.107+deb13-cloud-amd64');
  });

  test('symbols lie where /proc/kallsyms showed them', () => {
    const lines = truth.filter((line) => /^[0-9a-f]{16} \w \w+$/.test(line));
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      const [address, type, name] = line.split(' ');
      expect(kernel.symbol(name!)).toMatchObject({ address: BigInt(`0x${address}`), type });
    }
  });

  test('every task that /proc showed, with its name, parent and state', () => {
    const shown = truth.flatMap((line) => {
      const match = /^T (\d+) \((.*)\) (\w) (\d+)$/.exec(line);
      return match === null ? [] : [match.slice(1) as [string, string, string, string]];
    });
    expect(shown.length).toBeGreaterThan(60);
    const tasks = kernel.tasks();
    const byPid = new Map([...tasks].map((task) => [task.pid as number, task]));
    expect(tasks.complete).toBe(true);
    for (const [pid, name, , parent] of shown) {
      const task = byPid.get(Number(pid));
      // Between the listing and the panic the shell's `sleep 0.05` ended and another began.
      if (task === undefined) continue;
      // For a kworker /proc adds what it works on to its name.
      expect(name.startsWith(task.comm)).toBe(true);
      expect(task.real_parent.pid).toBe(Number(parent));
      // A worker or a waiting shell may have woken since; who sleeps for long has not.
      if (name === 'sleep') expect(taskState(task)).toBe('IN');
    }
    const lost = shown.filter(([pid]) => !byPid.has(Number(pid)));
    expect(lost.length).toBeLessThanOrEqual(1);
  });

  test('modules with base, size and state as /proc/modules showed them', () => {
    const shown = truth.filter((line) => / Live 0x/.test(line)).map((line) => line.split(' '));
    expect(shown).toHaveLength(5);
    const modules = new Map(kernel.modules.modules.map((module) => [module.name, module]));
    expect(modules.size).toBe(5);
    for (const words of shown) {
      const module = modules.get(words[0]!)!;
      expect(module.size).toBe(Number(words[1]));
      expect(module.base).toBe(BigInt(words.at(-1)!));
      expect(module.state).toBe('live');
      expect(module.symbols().length).toBeGreaterThan(20);
    }
  });

  test('the log is the console, line by line', () => {
    const printed = console_.filter((line) => /^\[ *\d+\.\d+\]/.test(line));
    expect(printed.length).toBeGreaterThan(350);
    const { records } = readLog(kernel);
    const lines = new Set(records.map((record) => record.text.split('\n')[0]!.trimEnd()));
    const text = (line: string): string => line.replace(/^\[ *\d+\.\d+\] ?/, '').trimEnd();
    const missing = printed.map(text).filter((line) => !lines.has(line));
    expect(missing).toEqual([]);
  });

  test('the backtrace of the panic task is the call trace that the kernel printed', () => {
    const printed = printedTrace(console_, (line) => line.endsWith(' <TASK>'));
    const init = [...kernel.tasks()].find((task) => task.pid === 1)!;
    const trace = backtrace(kernel, { task: init });
    const ours = ourTrace(trace);
    expect(trace.frames.every((frame) => frame.reliable)).toBe(true);
    // What panic() called when it printed had returned when the dump was taken.
    const fromPanic = printed.slice(printed.findIndex((line) => line.startsWith('panic+')) + 1);
    expect(ours.slice(-fromPanic.length)).toEqual(fromPanic);
  });

  test('resident pages come from per-CPU counters, arguments from user memory', () => {
    const all = [...kernel.tasks()];
    const sleep = all.find((task) => task.comm === 'sleep')!;
    expect(processArguments(kernel, sleep)?.args).toEqual(['sleep', '1000']);
    const use = memoryUse(kernel, sleep, [sleep]);
    expect(use?.virtualBytes).toBe(2260 * 1024);
    expect(use?.residentBytes).toBe(1444 * 1024);
    expect(addressOf(sleep)).toBeGreaterThan(kernel.pageOffset);
  });
});
