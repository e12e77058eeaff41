/** The package as a library: its types in a strict program, its functions on a real dump. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  addressOf,
  backtrace,
  log,
  Machine,
  memorySource,
  openDump,
  openKernel,
  panicTask,
  taskState,
  typeOf,
} from '../../src/index.ts';
import { machine, root } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('on the default machine', () => {
  test('a path and a source open the same dump', async () => {
    const byPath = await openDump(machine);
    const bySource = await openDump(memorySource('memory', readFileSync(machine)));
    expect([...bySource.runs()]).toEqual([...byPath.runs()]);
    expect(bySource.description).toBe(byPath.description);
    byPath.close();
    bySource.close();
  });

  test('a kernel yields tasks, their state, their backtraces, its log', async () => {
    const dump = await openDump(machine);
    const kernel = openKernel(dump);
    const tasks = kernel.tasks();
    const states = new Map([...tasks].map((task) => [task['pid'], taskState(task)]));
    expect(tasks.complete).toBe(true);
    expect(states.get(1)).toBe('RU');
    const { task } = panicTask(kernel)!;
    expect(typeOf(task)).toBe('struct task_struct');
    expect(task['comm']).toBe('init');
    const symbols = backtrace(kernel, { task }).frames.map(({ symbol }) => symbol);
    expect(symbols).toContain('sysrq_handle_crash');
    expect(log(kernel).records.at(-1)?.text).toContain('end Kernel panic');
    dump.close();
  });

  test('a machine is rewound to the panic, and says what was changed for it', async () => {
    const dump = await openDump(machine);
    const { panic, edits, cpus } = Machine.fromDump(dump);
    expect(panic.cpu).toBe(0);
    expect(panic.task).toBe(addressOf(panicTask(openKernel(dump))!.task));
    expect(cpus).toHaveLength(2);
    expect(edits.map(({ what }) => what)).toContain('__cpu_online_mask');
    dump.close();
  });
});

test('the types serve a strict program of somebody else', { timeout: 120_000 }, () => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/tsdump'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const program = (state: string): string => `
    import { addressOf, backtrace, type Dump, DumpError, type Kernel, log } from 'tsdump';
    import { Machine, openDump, openKernel, taskState } from 'tsdump';
    const dump: Dump = await openDump('vmcore');
    const kernel: Kernel = openKernel(dump);
    for (const task of kernel.tasks()) {
      const address: bigint = addressOf(task);
      const state: ${state} = taskState(task);
      const frames: number = backtrace(kernel, { task }).frames.length;
      void [address, state, frames, task['comm']];
    }
    const machine: Machine = Machine.fromDump(dump, { watchdogSeconds: 10 });
    void [machine.cpus.length, log(kernel).records, new DumpError('io', 'x').code];
  `;
  const compile = (state: string): string => {
    writeFileSync(join(folder, 'use.ts'), program(state));
    const words = '--noEmit --strict --module nodenext --target es2023 --types'.split(' ');
    const tsc = join(root, 'node_modules/.bin/tsc');
    return spawnSync(tsc, [...words, '', 'use.ts'], { cwd: folder, encoding: 'utf8' }).stdout;
  };
  expect(compile('string')).toBe('');
  expect(compile('number')).toContain("Type 'string' is not assignable to type 'number'");
});
