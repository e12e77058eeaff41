/** The line that tells how far the writing of a dump is. */

import { expect, test } from 'vitest';
import { progressLine } from '../../src/cli/progress.ts';

/** A line over a clock of our own, and all that was written. */
function made(label?: string) {
  const clock = { ms: 0 };
  const said: string[] = [];
  const io = { err: (text: string) => void said.push(text) };
  return { line: progressLine(io, 4096, label, () => clock.ms), clock, said };
}

test('after a second it says rate and time left', () => {
  const { line, clock, said } = made();
  line.update(0, 51200);
  clock.ms = 2000;
  line.update(25600, 51200);
  expect(said).toEqual(['\r  0 % of 51200 pages', '\r 50 % of 51200 pages, 50 MB/s, 0:02 left']);
});

test('it is drawn five times a second at most, and at the end', () => {
  const { line, clock, said } = made();
  for (let done = 0; done <= 1000; done++) {
    clock.ms = done;
    line.update(done, 1000);
  }
  expect(said.length).toBe(6);
  expect(said.at(-1)).toContain('100 % of 1000 pages');
});

test('what is being done is said before', () => {
  const { line, said } = made('searching: ');
  line.update(1, 100);
  expect(said).toEqual(['\rsearching:   1 % of 100 pages']);
});

test('hours are told, and a shorter line covers the longer one', () => {
  const { line, clock, said } = made();
  clock.ms = 10_000;
  line.update(1, 1001);
  expect(said[0]).toContain(', 2:46:40 left');
  clock.ms = 10_000_000;
  line.update(1000, 1001);
  expect(said[1]!.length).toBe(said[0]!.length);
  line.clear();
  expect(said.at(-1)).toBe('\r\u001b[K');
});

test('nothing was drawn: nothing is cleared', () => {
  const { line, said } = made();
  line.clear();
  expect(said).toEqual([]);
});
