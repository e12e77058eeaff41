/** What is remembered of dumps: right for the dump that asks, whatever was asked before. */

import { describe, expect, test } from 'vitest';
import type { Dump } from '../../src/dump/types.ts';
import { Questioner } from '../../src/trial/answers.ts';
import { Remembered } from '../../src/trial/remembered.ts';
import { dumpLike, openFixture, withPages } from '../support/fixture.ts';

const dump = await openFixture();

function firstBytes(asked: number[], ...pfns: readonly number[]): Remembered<string> {
  return new Remembered(
    (of: Dump) => {
      asked.push(1);
      return pfns.map((pfn) => of.readPage(pfn).bytes?.[0]).join(' ');
    },
    ({ level }) => level,
  );
}

/** The dump with the first byte of a page set; new arrays each time, as a reader gives them. */
function withByte(pfn: number, value: number): Dump {
  return withPages(dump, (at, bytes) => {
    const copy = bytes.slice();
    if (at === pfn) copy[0] = value;
    return copy;
  });
}

describe('a remembered answer', () => {
  const stored = [...dump.runs()].find(({ state }) => state === 'stored')!;
  const [first, second, other] = [stored.first, stored.first + 1, stored.first + 2];

  test('serves again where what it was read from is the same, byte by byte', () => {
    const asked: number[] = [];
    const remembered = firstBytes(asked, first, second);
    const answer = remembered.of(dump);
    expect(remembered.of(withByte(other, 99))).toBe(answer);
    expect(asked).toHaveLength(1);
  });

  test('does not serve where a page that it was read from differs, nor another fact', () => {
    const asked: number[] = [];
    const remembered = firstBytes(asked, first, second);
    remembered.of(dump);
    expect(remembered.of(withByte(second, 99))).toMatch(/ 99$/);
    expect(remembered.of(withByte(second, 98))).toMatch(/ 98$/);
    remembered.of(dumpLike(dump, { level: 30 }));
    expect(asked).toHaveLength(4);
    remembered.of(withByte(second, 98));
    expect(asked).toHaveLength(4);
  });

  test('depends on a page that was not there', () => {
    const asked: number[] = [];
    const remembered = firstBytes(asked, first);
    const gone = withPages(dump, (pfn, bytes) => (pfn === first ? 'missing' : bytes));
    const answer = remembered.of(gone);
    expect(remembered.of(dump)).not.toBe(answer);
    expect(remembered.of(gone)).toBe(answer);
    expect(asked).toHaveLength(2);
  });

  test('that depends on another remembered one depends on what that was read from', () => {
    const inner = firstBytes([], second);
    const outer = new Remembered(
      (of: Dump) => `${of.readPage(first).bytes?.[0]} ${inner.of(of)}`,
      () => '',
    );
    inner.of(dump);
    outer.of(dump);
    expect(outer.of(withByte(second, 97))).toMatch(/ 97$/);
  });
});

test('a questioner says of each memory what one without a past says', () => {
  const questioner = new Questioner();
  const sound = questioner.ask(dump);
  expect(Object.values(sound).every((answer) => answer !== undefined)).toBe(true);
  const stored = [...dump.runs()].flatMap(({ first, end, state }) =>
    state === 'stored' ? Array.from({ length: end - first }, (_, at) => first + at) : [],
  );
  let changed = 0;
  for (let index = 0; index < 40; index++) {
    const pfn = stored[(index * 7919) % stored.length]!;
    const damaged = withPages(dump, (at, bytes) => (at === pfn ? bytes.slice().fill(0xa5) : bytes));
    const answers = questioner.ask(damaged);
    expect(answers).toEqual(new Questioner().ask(damaged));
    if (JSON.stringify(answers) !== JSON.stringify(sound)) changed++;
  }
  expect(questioner.ask(dump)).toEqual(sound);
  expect(changed).toBeGreaterThan(0);
});
