/** A record appended to the log of a real kernel, read back by the ordinary reader. */

import { describe, expect, test } from 'vitest';
import { openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { Machine } from '../../src/machine/machine.ts';
import { appendToLog } from '../../src/machine/ring-log.ts';
import { blueprint, finish, prepared } from './stages.ts';

function logOf(machine: Machine) {
  return readLog(openKernel(machine.asDump()));
}

test('one record more, with the next number, the CPU and a later time; the others are the same', () => {
  const machine = Machine.of(blueprint);
  const before = logOf(machine);
  expect(appendToLog(machine, { text: 'hello', cpu: 1, afterNs: 5_000 })).toBe(true);
  const after = logOf(machine);
  expect(after.complete).toBe(before.complete);
  const added = after.records.at(-1)!;
  const last = before.records.at(-1)!;
  expect(added).toMatchObject({
    text: 'hello',
    sequence: last.sequence + 1,
    level: 4,
    timestampNs: last.timestampNs + 5_000n,
    callerId: 0x8000_0001,
  });
  const texts = before.records.map(({ text }) => text);
  expect(after.records.slice(0, -1).map(({ text }) => text)).toEqual(texts);
});

describe('rings that are full', () => {
  const lines = Array.from(
    { length: 9_000 },
    (_, index) => `line ${index} ${'x'.repeat(index % 90)}`,
  );

  test('the oldest records make room, through every wrap of both rings', () => {
    const machine = Machine.of(blueprint);
    const first = logOf(machine).records.at(-1)!.sequence + 1;
    let added = 0;
    for (const text of lines) {
      expect(appendToLog(machine, { text, cpu: 0, afterNs: 1 })).toBe(true);
      added++;
      if (added % 1_500 !== 0) continue;
      const { records, complete } = logOf(machine);
      expect(complete).toBe(true);
      expect(records.at(-1)?.sequence).toBe(first + added - 1);
      const own = records.filter(({ sequence }) => sequence >= first);
      expect(own.map((record) => record.text)).toEqual(lines.slice(added - own.length, added));
    }
    expect(logOf(machine).overwritten).toBeGreaterThan(first);
  });
});

test('a CPU that takes no NMI says one line after a second, and the report says it is made up', () => {
  const run = prepared('mkdump');
  const cpu = run.machine.cpus.find((candidate) => candidate !== run.machine.panicCpu)!;
  cpu.condition.takesNmi = false;
  finish(run);
  const said = logOf(run.machine).records.filter(({ text }) => text.includes('(synthetic line)'));
  expect(said.map(({ text }) => text)).toEqual([
    `CPU ${cpu.number} goes on running (synthetic line)`,
  ]);
  expect(run.machine.edits.map(({ what }) => what)).toContain(
    `synthetic: a log line of CPU ${cpu.number}, done`,
  );
});
