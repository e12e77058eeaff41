/** Leaving faults out: what is to blame is found by runs, and by no more of them than needed. */

import { describe, expect, test } from 'vitest';
import { type NumberedFault, numbered } from '../../src/trial/faults/strike.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import type { VerdictClass } from '../../src/trial/verdict-classes.ts';
import { whyItFailed } from '../../src/trial/why.ts';

/** Faults a, b, c ...; the run fails while one of `culprits` is wholly among them. */
function failing(names: string, culprits: readonly string[]) {
  const faults = numbered([...names].map((kind) => ({ kind, parameters: {} })));
  let runs = 0;
  const again = async (left: readonly NumberedFault[]): Promise<CaptureReport> => {
    runs++;
    const kinds = left.map(({ kind }) => kind).join('');
    const isHit = culprits.some((each) => [...each].every((kind) => kinds.includes(kind)));
    const verdict: VerdictClass = isHit ? 'none' : 'complete';
    return { verdict: { class: verdict } } as unknown as CaptureReport;
  };
  const why = async () => ({ ...(await whyItFailed(faults, ({ kind }) => kind, again)), runs });
  return why();
}

describe('the smallest change', () => {
  test('is the one fault without which the run succeeds', async () => {
    const { smallest, removals } = await failing('abc', ['b']);
    expect(smallest).toEqual(['b']);
    expect(removals).toEqual([
      { fault: 'a', verdict: 'none' },
      { fault: 'b', verdict: 'complete' },
      { fault: 'c', verdict: 'none' },
    ]);
  });

  test('is one of two that only fail together', async () => {
    expect((await failing('abc', ['ac'])).smallest).toEqual(['a']);
  });

  test('is all that fail each by itself, and no more', async () => {
    expect((await failing('abcd', ['b', 'd'])).smallest).toEqual(['b', 'd']);
  });

  test('is nothing where the run fails without any fault', async () => {
    expect((await failing('ab', [''])).smallest).toEqual([]);
    expect((await failing('a', [''])).smallest).toEqual([]);
  });

  test('costs at most 2n + 1 runs', async () => {
    expect((await failing('abcdef', ['a', 'f'])).runs).toBeLessThanOrEqual(13);
    expect((await failing('abcdef', ['c'])).runs).toBe(6);
  });
});

test('faults that only fail in pairs: a set is left out without which the run succeeds', async () => {
  const { smallest } = await failing('abcd', ['ab', 'cd']);
  expect(smallest).toHaveLength(2);
  const left = [...'abcd'].filter((kind) => !smallest.includes(kind)).join('');
  expect(['ac', 'ad', 'bc', 'bd']).toContain(left);
});
