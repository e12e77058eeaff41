/**
 * A machine with one CPU, and commands that speak of CPUs, against what the guest said of itself on
 * its console. See test/dumps/ORIGIN.md.
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { printedTrace } from '../support/console.ts';
import { dumpPath, openFile } from '../support/fixture.ts';

const console_ = readFileSync(dumpPath('linux-6.1-one-cpu.console.txt'), 'utf8').split('\n');
const truth = console_.slice(
  console_.indexOf('LAB-TRUTH-BEGIN') + 1,
  console_.indexOf('LAB-TRUTH-END'),
);
/** What /proc/PID/stat said of each task. */
const shown = truth.flatMap((line) => {
  const match = /^T (\d+) \((.*)\) (\w) (\d+)$/.exec(line);
  return match === null ? [] : [match.slice(1) as [string, string, string, string]];
});

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFile(dumpPath('linux-6.1-one-cpu.kdump')));
});
afterAll(() => kernel.dump.close());

/** The answer in words, which has to be whole. */
async function whole(line: string): Promise<string> {
  const answer = await answerOf(kernel, line);
  const text = [...answer.text()].join('\n');
  expect({ line, missing: answer.missing }).toEqual({ line, missing: [] });
  return text;
}

describe('a machine with one CPU', () => {
  test('there is one CPU in the mask, in sys, and in each per-CPU answer', async () => {
    expect(kernel.cpus).toEqual([0]);
    expect(await whole('sys')).toMatch(/^ +CPUS: 1$/m);
    for (const line of [
      'ptov runqueues:all',
      'struct rq.nr_running,curr runqueues:a',
      'print cpu_number:a',
      'ps -m -C 0',
    ]) {
      const text = await whole(line);
      const cpus = [
        ...text.matchAll(/^ *\[(\d+)\](?=:| {2})|^per_cpu\(\w+, (\d+)\)|^CPU: (\d+)$/gm),
      ];
      expect({ line, cpus: cpus.map((match) => match[1] ?? match[2] ?? match[3]) }).toEqual({
        line,
        cpus: ['0'],
      });
    }
  });

  test('one task runs: the one that panicked, on CPU 0', async () => {
    const running = (await linesOf(kernel, 'ps')).filter((line) => line.startsWith('>'));
    expect(running).toHaveLength(1);
    const [, pid, parent, cpu] = running[0]!.split(/\s+/);
    const told = console_.find((line) => line.includes('] CPU: '))!;
    expect(told).toContain(`CPU: ${cpu} PID: ${pid} Comm: ${running[0]!.split(/\s+/).at(-1)} `);
    expect(parent).toBe('0');
    const names = (await whole('foreach active set')).match(/COMMAND: .*/g);
    expect(new Set(names).size).toBe(1);
  });

  test('bt -a is one backtrace: the call trace that the kernel printed', async () => {
    const trace = printedTrace(console_, (line) => line.endsWith(' <TASK>'));
    const printed = trace.map((line) => line.replace(/\+.*/, ''));
    const text = await whole('bt -a');
    expect(text.match(/^PID: /gm)).toHaveLength(1);
    const ours = [...text.matchAll(/^ ?#\d+ \[\w+\] (\S+) at/gm)].map((match) => match[1]);
    // What panic() called when it printed had returned when the dump was taken.
    const fromPanic = printed.slice(printed.indexOf('panic'));
    expect(fromPanic.length).toBeGreaterThan(7);
    expect(ours.slice(-fromPanic.length)).toEqual(fromPanic);
  });

  test('every task that /proc showed is there, with its name and its parent', async () => {
    expect(shown.length).toBeGreaterThan(55);
    const rows = (await whole('ps')).split('\n').map((line) => line.slice(1).trim().split(/\s+/));
    const byPid = new Map(rows.map((row) => [row[0], row]));
    for (const [pid, name, , parent] of shown) {
      const row = byPid.get(pid);
      // For a worker /proc adds what it works on to its name.
      expect({ pid, fits: name.startsWith(row?.at(-1)?.replace(/^\[|\]$/g, '') ?? '?') }).toEqual({
        pid,
        fits: true,
      });
      expect(row?.[1]).toBe(parent);
    }
    // And the idle task of the one CPU, which has no entry in /proc.
    expect(rows.filter((row) => row[0] === '0')).toHaveLength(1);
    expect(rows.length - 2).toBe(shown.length);
  });

  test('modules and symbols are where /proc showed them', async () => {
    const modules = truth.filter((line) => / Live 0x/.test(line)).map((line) => line.split(' '));
    expect(modules).toHaveLength(2);
    const text = await whole('mod');
    for (const [name, size, ...rest] of modules) {
      const base = rest.at(-2)!.startsWith('0x') ? rest.at(-2)! : rest.at(-1)!;
      expect(text).toMatch(new RegExp(`${name} +${base.slice(2)} +${size} `));
    }
    const symbols = truth.filter((line) => /^[0-9a-f]{16} \w \w+$/.test(line));
    expect(symbols.length).toBeGreaterThan(2);
    for (const line of symbols) {
      const [address, type, name] = line.split(' ');
      expect(await whole(`sym ${name}`)).toBe(`${address} (${type}) ${name}`);
    }
  });

  test('the log is the console, line by line', async () => {
    const printed = console_.filter((line) => /^\[ *\d+\.\d+\]/.test(line));
    expect(printed.length).toBeGreaterThan(300);
    const lines = new Set((await whole('log')).split('\n').map((line) => line.trimEnd()));
    expect(printed.filter((line) => !lines.has(line.trimEnd()))).toEqual([]);
  });

  test.each([
    ...['set', 'task 1', 'vm -p 1', 'files 1', 'vtop init_task', 'rd -s init_task 40'],
    ...['print runqueues:0', 'stat', 'trace', 'report', 'strace -l 1', 'mmap', 'module'],
    ...['dis -r schedule+20', 'list -H modules -o module.list -s module.name,state'],
    ...['tree -t rbtree -o vmap_area.rb_node vmap_area_root -l', 'page 1000', 'ps -m'],
    ...['foreach bt', 'foreach files', 'foreach vm'],
  ])('%s answers, and misses nothing', async (line) => {
    expect(await whole(line)).not.toBe('');
  });
});
