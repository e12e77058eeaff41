/**
 * Kernels of other generations than those that name their tables, against what they said of
 * themselves on their consoles before and while they died. See test/dumps/ORIGIN.md.
 *
 * - 5.10: no kallsyms in VMCOREINFO, printk's first ring, BTF
 * - 5.4: no note in the file either, log_buf, no BTF
 * - 4.15: the same, with kallsyms of before v4.20 (markers of eight bytes)
 */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/analyze/table.ts';
import { attempt } from '../../src/bytes/errors.ts';
import { backtrace } from '../../src/linux/backtrace.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { lastLogRecord, readLog } from '../../src/linux/log.ts';
import { utsname } from '../../src/linux/system.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { ourTrace, printedTrace } from '../support/console.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import { schemaProblems } from '../support/schemas.ts';

interface Told {
  readonly console: readonly string[];
  /** What the guest wrote of itself just before it died. */
  readonly truth: readonly string[];
}

function toldBy(version: string): Told {
  const console = readFileSync(dumpPath(`linux-${version}.console.txt`), 'utf8').split('\n');
  const truth = console.slice(console.indexOf('LAB-TRUTH-BEGIN') + 1);
  return { console, truth };
}

const generations = [
  { version: '5.10', release: '5.10.0-32-cloud-amd64', note: true },
  { version: '5.4', release: '5.4.0-26-generic', note: false },
  { version: '4.15', release: '4.15.0-20-generic', note: false },
];

describe.each(generations)('Linux $version from its memory alone', ({ version, release, note }) => {
  const { console, truth } = toldBy(version);
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = openKernel(await openFile(dumpPath(`linux-${version}.kdump`)));
  });
  afterAll(() => kernel.dump.close());

  test('it is what it says, and VMCOREINFO does not name kallsyms', () => {
    expect(kernel.vmcoreinfo.release).toBe(release);
    expect(utsname(kernel)).toMatchObject({ sysname: 'Linux', release, nodename: 'oldguest' });
    expect(kernel.vmcoreinfo.symbol('kallsyms_names')).toBeUndefined();
    expect(kernel.vmcoreinfoOrigin).toBe(note ? 'note' : 'memory');
  });

  test('symbols are found by scan, as many as /proc/kallsyms had and where it had them', () => {
    const lines = truth.filter((line) => /^[0-9a-f]{16} \w \w+$/.test(line));
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) {
      const [address, type, name] = line.split(' ');
      expect(kernel.symbols.inKernel(name!)).toEqual({
        name,
        type,
        address: BigInt(`0x${address}`),
      });
    }
    const [all, ofModules] = truth.filter((line) => /^\d+$/.test(line)).map(Number);
    expect(kernel.symbols.kernelCount).toBe(all! - ofModules!);
  });

  test('the log is the console, line by line, numbered and stamped in order', () => {
    const printed = console.filter((line) => /^\[ *\d+\.\d+\] /.test(line));
    expect(printed.length).toBeGreaterThan(300);
    const { records, complete, overwritten } = readLog(kernel);
    expect({ complete, overwritten }).toEqual({ complete: true, overwritten: 0 });
    const text = (line: string): string => line.replace(/^\[ *\d+\.\d+\] /, '').trimEnd();
    const lines = new Set(
      records.flatMap((record) => record.text.split('\n')).map((line) => line.trimEnd()),
    );
    expect(printed.map(text).filter((line) => !lines.has(line))).toEqual([]);
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index));
    expect(lastLogRecord(kernel)).toEqual(records.at(-1));
    const device = records.find((record) => record.device !== undefined);
    expect(device).toMatchObject({ level: expect.any(Number), facility: 0 });
  });
});

describe('Linux 5.10 has types', () => {
  const { console, truth } = toldBy('5.10');
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = openKernel(await openFile(dumpPath('linux-5.10.kdump')));
  });
  afterAll(() => kernel.dump.close());

  test('every task that /proc showed, with its name and parent', () => {
    const shown = truth.flatMap((line) => {
      const match = /^T (\d+) \((.*)\) (\w) (\d+)$/.exec(line);
      return match === null ? [] : [match.slice(1) as [string, string, string, string]];
    });
    expect(shown.length).toBeGreaterThan(45);
    const tasks = kernel.tasks();
    const byPid = new Map([...tasks].map((task) => [task.pid as number, task]));
    expect(tasks.complete).toBe(true);
    const lost = shown.filter(([pid]) => !byPid.has(Number(pid)));
    // Between the listing and the panic the shell's `sleep 0.05` ended and another began.
    expect(lost.length).toBeLessThanOrEqual(1);
    for (const [pid, name, , parent] of shown) {
      const task = byPid.get(Number(pid));
      if (task === undefined) continue;
      expect(name.startsWith(task.comm)).toBe(true);
      expect(task.real_parent.pid).toBe(Number(parent));
    }
  });

  test('modules with base and size as /proc/modules showed them', () => {
    const shown = truth.filter((line) => / Live 0x/.test(line)).map((line) => line.split(' '));
    expect(shown).toHaveLength(4);
    const modules = new Map(kernel.modules.modules.map((module) => [module.name, module]));
    for (const words of shown) {
      const module = modules.get(words[0]!)!;
      expect(module.size).toBe(Number(words[1]));
      expect(module.base).toBe(BigInt(words.at(-2)!));
    }
  });

  test('the backtrace of the panic task is the call trace that the kernel printed', () => {
    const printed = printedTrace(console, (line) => line.endsWith(' panic+0x114/0x2f1'));
    const init = [...kernel.tasks()].find((task) => task.pid === 1)!;
    const trace = backtrace(kernel, { task: init });
    const ours = ourTrace(trace);
    expect(trace.frames.every((frame) => frame.reliable)).toBe(true);
    expect(printed.length).toBeGreaterThan(7);
    expect(ours.slice(-printed.length)).toEqual(printed);
  });
});

describe.each(['5.4', '4.15'])('Linux %s has no types', (version) => {
  test('what needs them is absent by name, what does not is answered', async () => {
    const dump = await openFile(dumpPath(`linux-${version}.kdump`));
    const kernel = openKernel(dump);
    const answered: string[] = [];
    for (const { name, schema, load } of commands) {
      const { run } = await load();
      // Anything but a DumpError leaves `attempt`.
      const answer = attempt(() => run(kernel, [], {}, { input: 'vmcore' }));
      if (answer === undefined) continue;
      const document = attempt(() =>
        answerEnvelope({ version: '1', input: 'vmcore', schema }, answer),
      );
      if (document === undefined) continue;
      expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
      if (document.complete || name === 'sys') answered.push(name);
    }
    expect(answered).toEqual(expect.arrayContaining(['sys', 'log']));
    expect(() => kernel.types.get('struct task_struct')).toThrow(/carries no types/);
    dump.close();
  });
});
