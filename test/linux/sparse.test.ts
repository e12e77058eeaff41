/**
 * The kernel's own tables with pages that are lost or hold something else: what is left says the
 * same as in the whole tables, and no more is lost than those pages touch.
 */

import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { attempt, DumpError } from '../../src/bytes/errors.ts';
import type { Btf } from '../../src/linux/btf.ts';
import { lostName } from '../../src/linux/kallsyms-names.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { readSparse } from '../../src/linux/sparse.ts';
import { openFixture, withPages } from '../support/fixture.ts';
import { Random } from '../support/mutate.ts';
import { PatchedDump } from '../support/patched.ts';

const original = await openFixture();
const whole = openKernel(original);
const patched = new PatchedDump(original);
afterEach(() => patched.restore());
afterAll(() => original.close());

const { kallsyms, btf } = whole.tables;
const page = 4096n;

function strike(address: bigint, way: 'removed' | 'overwritten', random: Random): void {
  const start = address & ~(page - 1n);
  if (way === 'removed') patched.remove(start, 1);
  else
    patched.write(
      start,
      Uint8Array.from({ length: 4096 }, () => random.below(256)),
    );
}

const blob = {
  start: whole.symbol('__start_BTF').address,
  end: whole.symbol('__stop_BTF').address,
};
/** Where the types end and their names begin. */
const names = blob.start + 24n + BigInt(whole.memory.u32(blob.start + 16n));
const seeds = [1, 2, 3, 4, 5, 6];
const ways = ['removed', 'overwritten'] as const;

describe.each(ways)('pages %s', (way) => {
  test.each(seeds)('kallsyms, seed %i: what is left is what it was', (seed) => {
    const random = new Random(seed);
    const { tables } = kallsyms;
    // Neither the number of symbols, between addresses and names, nor the markers behind these.
    const last = 270;
    const offsets = kallsyms.count * 4 - 4096;
    const pages = seed * 4;
    for (let count = 0; count < pages; count++) {
      strike(tables.names + BigInt(1 + random.below(last)) * page, way, random);
      strike(tables.offsets! + BigInt(random.below(offsets)), way, random);
    }
    const sparse = openKernel(patched.dump).tables.kallsyms;
    expect(sparse.count).toBe(kallsyms.count);
    let nameless = 0;
    let gone = 0;
    const wrong: string[] = [];
    for (let index = 0; index < sparse.count; index++) {
      const name = sparse.name(index);
      if (name === lostName) nameless++;
      else if (name !== kallsyms.name(index)) wrong.push(`${name}, not ${kallsyms.name(index)}`);
      if (!sparse.isThere(index)) gone++;
      else if (sparse.address(index) !== kallsyms.address(index)) wrong.push(`${name}: address`);
    }
    expect(wrong).toEqual([]);
    expect(sparse.lost).toMatchObject({ names: nameless, addresses: gone });
    // A page has about 370 names, and touches three groups of 256 at most.
    expect(nameless).toBeLessThanOrEqual(pages * 3 * 256);
    expect(nameless).toBeGreaterThan(0);
    expect(gone).toBeLessThanOrEqual(pages * 1025);
    for (let tried = 0; tried < 2000; tried++) {
      const index = random.below(kallsyms.count);
      const found = sparse.at(kallsyms.address(index) + 1n);
      if (found >= 0) expect(found).toBe(kallsyms.at(kallsyms.address(index) + 1n));
    }
  });

  test.each(seeds)('BTF, seed %i: types keep their numbers', (seed) => {
    const random = new Random(seed * 7);
    const pages = seed * 3;
    const bytes = Number(names - blob.start);
    for (let count = 0; count < pages; count++) {
      strike(blob.start + page + BigInt(random.below(bytes - 4096)), way, random);
    }
    const sparse = openKernel(patched.dump).tables.btf;
    const { different, gone } = compared(sparse);
    expect(different).toEqual([]);
    expect(gone).toBeGreaterThan(0);
    // A type takes 12 bytes at least; behind a page of something else it may take a while.
    expect(gone).toBeLessThan(pages * 600);
    if (!sparse.isOpen) expect(sparse.endId).toBe(btf.endId);
  });
});

function compared(sparse: Btf): { different: string[]; gone: number } {
  const different: string[] = [];
  let gone = 0;
  for (let id = 1; id < btf.endId; id++) {
    const kind = attempt(() => sparse.kind(id));
    if (kind === undefined) {
      gone++;
      continue;
    }
    const [own, theirs] = [sparse, btf].map(
      (of) => `${of.kind(id)} ${of.typeName(id)} ${of.length(id)} ${of.sizeOrType(id)}`,
    );
    if (own !== theirs) different.push(`${id}: ${own}, not ${theirs}`);
  }
  return { different, gone };
}

describe('names of types', () => {
  test('what is lost is no other name, and hides no other type', () => {
    const at = names + 0x2_0000n;
    patched.remove(at, 1);
    const sparse = openKernel(patched.dump);
    expect(sparse.tables.btf.lost).toMatchObject({ types: undefined });
    const named = new Set(btf.names());
    const left = [...sparse.tables.btf.names()].filter((name) => name !== '(lost)');
    expect(left.filter((name) => !named.has(name))).toEqual([]);
    expect(left.length).toBeGreaterThan(named.size * 0.9);
    for (const name of left.slice(0, 3000)) {
      expect(sparse.tables.btf.named(name)).toEqual(btf.named(name));
    }
  });

  test('the end of a name that reaches into the hole is not taken for all of it', () => {
    const hole = (names + 0x2_0000n) & ~(page - 1n);
    const before = new TextDecoder().decode(whole.memory.read(hole - 64n, 64));
    const cut = before.slice(before.lastIndexOf('\0') + 1);
    patched.remove(hole, 1);
    const sparse = openKernel(patched.dump).tables.btf;
    expect(cut).not.toBe('');
    expect(sparse.named(cut)).toEqual([]);
  });
});

describe('a kernel with holes in its tables', () => {
  test.each(seeds)('one page in a thousand, seed %i: every task that is left', (seed) => {
    const random = new Random(seed);
    const stored = [...original.runs()].filter(({ state }) => state === 'stored');
    const all = stored.flatMap(({ first, end }) =>
      Array.from({ length: end - first }, (_, index) => first + index),
    );
    const hit = new Set(Array.from({ length: all.length / 1000 }, () => random.pick(all)));
    const poor = openKernel(
      withPages(original, (pfn, bytes) => (hit.has(pfn) ? 'missing' : bytes)),
    );
    const isLeft = (task: bigint): boolean =>
      [0n, 4096n, 8192n].every((offset) => {
        return !hit.has(Number(whole.memory.translate(task + offset).physical >> 12n));
      });
    const left = [...whole.tasks()].map(addressOf).filter(isLeft);
    expect(left.length).toBeGreaterThan(50);
    expect([...poor.tasks()].map(addressOf)).toEqual(expect.arrayContaining(left));
  });

  test('says so with each answer, and what is not found may be lost', () => {
    patched.remove(kallsyms.tables.names + 0x4000n, 1);
    patched.remove(blob.start + 0x8000n, 1);
    const kernel = openKernel(patched.dump);
    expect(kernel.tables.missing).toEqual([]);
    expect([...kernel.tasks()].map(addressOf)).toEqual([...whole.tasks()].map(addressOf));
    expect(kernel.tables.missing).toMatchObject([
      { what: 'names and addresses of symbols', why: expect.stringContaining('left out') },
      { what: 'types of the kernel', why: expect.stringContaining('left out') },
    ]);
    expect(() => kernel.symbol('no_such_symbol')).toThrow(
      expect.objectContaining({ hint: 'some names are lost with their pages' }),
    );
  });

  test('without the tokens there are no names at all', () => {
    patched.remove(kallsyms.tables.tokenIndex, 1);
    const kernel = openKernel(patched.dump);
    expect(() => kernel.symbols).toThrow(DumpError);
  });

  test('symbols that were looked for in vain are not looked for again', () => {
    patched.remove(kallsyms.tables.tokenIndex, 1);
    const kernel = openKernel(patched.dump);
    expect(() => kernel.symbols).toThrow(DumpError);
    const reads = vi.spyOn(patched.dump, 'readPage');
    for (let again = 0; again < 3; again++) expect(() => kernel.symbols).toThrow(DumpError);
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
  });

  test('of a long hole only the first page is asked for why', () => {
    patched.remove(blob.start, 40 * 4096);
    const { memory } = openKernel(patched.dump);
    const reads = vi.spyOn(patched.dump, 'readPage');
    const { holes, problem } = readSparse(memory, blob.start, 40 * 4096);
    expect({ holes, code: problem?.code }).toEqual({
      holes: [{ start: 0, end: 40 * 4096 }],
      code: 'excluded',
    });
    const lost = reads.mock.results.filter(({ value }) => value.bytes === undefined);
    expect(lost.length).toBeLessThanOrEqual(2);
    reads.mockRestore();
  });
});
