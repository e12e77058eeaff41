/**
 * Damaged memory: a real dump whose pages were changed at random places. Each command answers,
 * perhaps with gaps, or refuses with a DumpError; it never fails in another way and never hangs.
 */

import { expect, test } from 'vitest';
import type { Options } from '../../src/analyze/command.ts';
import { commands } from '../../src/analyze/table.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import type { PageState } from '../../src/dump/types.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { openFixture, withPages } from '../support/fixture.ts';

const seeds = Array.from({ length: 40 }, (_, index) => index + 1);

const calls: readonly (readonly [name: string, words: readonly string[], options: Options])[] = [
  ['sys', [], {}],
  ['log', [], { ctime: true, level: true }],
  ['ps', [], { stack: true }],
  ['ps', [], { parents: true }],
  ['ps', [], { children: true }],
  ['ps', [], { times: true }],
  ['ps', [], { arguments: true }],
  ['bt', [], {}],
  ['bt', [], { active: true, full: true }],
  ['bt', [], { raw: true }],
  ['bt', ['1', '2'], { exceptions: true }],
  ['mod', [], {}],
  ['sym', ['schedule', 'jiffies'], {}],
  ['strace', [], { all: true }],
  ['walk', ['task_struct', 'tasks', 'init_task.tasks'], { head: 'n' }],
  ['module', ['virtio'], { full: true }],
  ['mmap', [], { next: true, full: true }],
  ['page', ['1000', 'ffffffff'], { full: true }],
  ['report', [], {}],
];

/** Xorshift: the same damage for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** One page in `rate` gets up to 40 words of garbage, or is gone. */
function damager(seed: number): (pfn: number, bytes: Uint8Array) => Uint8Array | PageState {
  const random = randomOf(seed);
  const rate = [50, 200, 1000, 3000][seed % 4]!;
  const pages = new Map<number, Uint8Array | PageState>();
  const damage = (bytes: Uint8Array): Uint8Array | PageState => {
    if (random(rate) !== 0) return bytes;
    if (random(10) === 0) return 'missing';
    const copy = bytes.slice();
    const words = new BigUint64Array(copy.buffer);
    for (let count = random(40); count >= 0; count--) {
      const at = random(words.length);
      const garbage = [0n, 0xffff_ffff_ffff_ffffn, words[random(words.length)]!, words[at]! ^ 64n];
      words[at] = garbage[random(garbage.length)]!;
    }
    return copy;
  };
  return (pfn, bytes) => {
    const page = pages.get(pfn) ?? damage(bytes);
    pages.set(pfn, page);
    return page;
  };
}

test('every command answers or refuses, whatever was damaged', { timeout: 300_000 }, async () => {
  const dump = await openFixture();
  let answered = 0;
  for (const seed of seeds) {
    const damaged = withPages(dump, damager(seed));
    for (const [name, words, options] of calls) {
      const { run } = await commands.find((command) => command.name === name)!.load();
      try {
        const answer = run(openKernel(damaged), words, options, { input: 'vmcore' });
        JSON.stringify(answer.json());
        for (const line of answer.text()) expect(typeof line).toBe('string');
        answered++;
      } catch (error) {
        if (error instanceof DumpError) continue;
        throw new Error(`seed ${seed}: ${name} ${words} ${JSON.stringify(options)}`, {
          cause: error,
        });
      }
    }
  }
  dump.close();
  // Otherwise the damage hides what it should show.
  expect(answered).toBeGreaterThan((seeds.length * calls.length) / 4);
});
