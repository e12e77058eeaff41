/** The kexec of 2004: the first 640 KB are copied before the second kernel overwrites them. */

import { beforeAll, describe, expect, test } from 'vitest';
import type { Dump } from '../../src/dump/types.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { Bench, openPanic } from '../support/machines.ts';

const choice = { method: 'kexec:2004', level: 0 };
const lowPages = 160;

/** Physical addresses: the copy, and purgatory's words before it. */
function placesOf({ edits }: Machine): { readonly copy: number; readonly words: number } {
  const found = edits.find(({ what }) => what === 'room for a backup of the first 640 KB')!;
  const copy = Number(found.after!.split('-')[0]);
  return { copy, words: copy - 4096 };
}

const hex = (address: number): string => `0x${address.toString(16)}`;

interface Subject {
  readonly name: string;
  /** Is low memory in the input? */
  readonly low: 'held' | 'not held';
  open(): Promise<Dump>;
}

const subjects: Subject[] = [
  { name: 'the default machine', low: 'held', open: () => openPanic('null-process') },
  { name: 'Linux 6.12', low: 'not held', open: () => openFile(dumpPath('linux-6.12.kdump')) },
];
const image = findImage('null.kdump');
if (image !== undefined) {
  subjects.push({ name: 'null.kdump', low: 'held', open: () => openFile(image) });
}

describe.each(subjects)('$name', ({ low, open }) => {
  let bench: Bench;
  let places: ReturnType<typeof placesOf>;
  beforeAll(async () => {
    bench = new Bench(await open());
    places = placesOf(bench.machine(choice));
  });

  test('is complete, although its second kernel overwrites what it boots in', async () => {
    const { verdict, stages } = await bench.run(choice);
    expect(verdict.class).toBe('complete');
    const purgatory = stages.find(({ name }) => name === 'purgatory')!;
    expect(purgatory.remarks).toEqual(['655360 bytes of low memory copied']);
  });

  test.runIf(low === 'held')(
    'a lost size loses low memory, and nobody notices; today nothing is copied',
    async () => {
      const size = [`memory:by=dma,at=${hex(places.words + 16)},bytes=8,pattern=zero`];
      const { verdict } = await bench.run(choice, size);
      expect(verdict.class).toBe('inaccurate');
      const { different } = verdict.places!;
      expect(different.every(([, end]) => end <= lowPages)).toBe(true);
      for (const method of ['kexec', 'mkdump']) {
        const other = await bench.run({ method, level: 0 }, size);
        expect(other.verdict.class, method).toBe('complete');
      }
    },
  );

  test.runIf(low === 'held')(
    'damage to the copy after it was made shows, damage before does not',
    async () => {
      const at = `memory:by=dma,at=${hex(places.copy + 0x2000)},bytes=64`;
      expect((await bench.run(choice, [at])).verdict.class).toBe('complete');
      const later = await bench.run(choice, [`${at},when=run,within=1000`]);
      expect(later.verdict).toMatchObject({ class: 'inaccurate', pages: { different: 1 } });
    },
  );

  test('a destination that is no memory ends it behind the jump', async () => {
    const fault = `memory:by=dma,at=${hex(places.words + 14)},bytes=1,pattern=random`;
    const { failed } = await bench.run(choice, [fault], 3);
    expect(failed?.name).toBe('purgatory');
  });
});
