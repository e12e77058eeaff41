/** Many runs over one image: what is remembered is held against what is in the file. */

import { expect, test } from 'vitest';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { Codecs } from '../../src/codec/types.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { Common, Trials } from '../../src/trial/trials.ts';
import { openPanic } from '../support/machines.ts';

const dump = await openPanic('null-process');
const choice = { method: 'mkdump', level: 31 } as const;

/** Writes another page than it remembers to have written. */
class Lying extends Common {
  override readonly remembering: Codecs;

  constructor(codecs: Codecs) {
    super(codecs);
    const pages = new WeakMap<Uint8Array, Uint8Array>();
    const zlib = codecs.get('zlib');
    this.remembering = {
      prepare: (name) => codecs.prepare(name),
      get: (name) =>
        name !== 'zlib'
          ? codecs.get(name)
          : {
              name,
              compress(page) {
                const other = page.slice();
                other[0] = other[0]! ^ 1;
                const packed = zlib.compress(other);
                if (packed !== undefined) pages.set(packed, page);
                return packed;
              },
              decompress: (input, size) => pages.get(input) ?? zlib.decompress(input, size),
            },
    };
  }
}

test('one run in a hundred is judged from the bytes of its file: a memory that lies is found', async () => {
  const lying = new Lying(createCodecs(nodeZlib));
  const trials = new Trials(dump, { sha256 }, lying);
  await expect(trials.run({ ...choice, seed: 1 })).rejects.toThrow('judged in full');
  // Believed, as nothing but what is remembered was asked.
  expect((await trials.run({ ...choice, seed: 2 })).verdict.class).toBe('complete');
  const others = Array.from({ length: 200 }, () => lying.isToBeCheckedInFull());
  expect(others.flatMap((isChecked, at) => (isChecked ? [at + 2] : []))).toEqual([100, 200]);
});

test('a hang that nobody ends never calls the method; a panic needs nobody', async () => {
  const common = new Common(createCodecs(nodeZlib));
  const hang = new Trials(await openPanic('hang'), { sha256 }, common);
  const report = await hang.run({ ...choice, trigger: 'nobody' });
  expect(report.verdict.class).toBe('not-triggered');
  expect(report.stages).toEqual([]);
  expect(report.saved).toBeUndefined();
  const panicked = new Trials(dump, { sha256 }, common);
  expect((await panicked.run({ ...choice, trigger: 'nobody' })).verdict.class).toBe('complete');
});
