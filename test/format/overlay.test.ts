/** An overlay over its base: its pages win, what does not fit is refused, what is lost is said. */

import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { overlaid } from '../../src/dump/overlay.ts';
import type { Dump, Page, PageState } from '../../src/dump/types.ts';
import { dumpLike, openFixture } from '../support/fixture.ts';

const base = await openFixture();
const stored = [...base.runs()].find(
  ({ state, first, end }) => state === 'stored' && end - first > 3,
)!;
const [changed, lost, left] = [stored.first, stored.first + 1, stored.first + 2];
const bytes = new Uint8Array(base.pageSize).fill(0x5a);
const problem = new DumpError('absent', 'lost when it was written');

function overlay(changes: Partial<Dump> = {}): Dump {
  const readPage = (pfn: number): Page => {
    if (pfn === changed) return { state: 'stored', bytes };
    return { state: 'missing', bytes: undefined, ...(pfn === lost ? { problem } : {}) };
  };
  const state = (pfn: number): PageState => readPage(pfn).state;
  return dumpLike(base, { name: 'over', state, readPage, ...changes });
}

describe('overlaid', () => {
  test('its pages win, the base has the others, and a page that it lost is lost', () => {
    const dump = overlaid(base, overlay());
    expect(dump.readPage(changed).bytes).toBe(bytes);
    expect(dump.readPage(left).bytes).toBe(base.readPage(left).bytes);
    expect(dump.state(left)).toBe('stored');
    expect(dump.readPage(lost)).toMatchObject({ state: 'missing', problem });
    expect([...dump.runs()].at(-1)?.end).toBe(base.endPfn);
  });

  test('another page size, another kernel, another boot: a mismatch that names the file', () => {
    const others: Partial<Dump>[] = [
      { pageSize: 65536 },
      { endPfn: base.endPfn + 1 },
      { uts: { ...base.uts!, release: '1.2.13' } },
      { vmcoreinfo: base.vmcoreinfo!.replace(/^KERNELOFFSET=.*$/m, 'KERNELOFFSET=1234') },
    ];
    for (const other of others) {
      const mismatch = { code: 'mismatch', where: { file: 'over' } };
      expect(() => overlaid(base, overlay(other))).toThrow(expect.objectContaining(mismatch));
    }
  });

  test('is incomplete where one of both is, and closes both', () => {
    let closed = 0;
    const close = (): void => void closed++;
    const dump = overlaid(
      dumpLike(base, { incomplete: 'cut', close }),
      overlay({ incomplete: 'lost', close }),
    );
    expect(dump.incomplete).toBe('cut; lost');
    dump.close();
    expect(closed).toBe(2);
  });
});
