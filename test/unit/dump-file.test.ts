/** What all formats share: the page cache in front of them, the notes in them. */

import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { DumpFile } from '../../src/dump/dump-file.ts';
import type { DumpFacts, PageReader } from '../../src/dump/format.ts';
import { maxNotes, parseNotes } from '../../src/dump/notes.ts';

const facts: DumpFacts = {
  format: 'kdump',
  description: 'a dump',
  architecture: 'x86_64',
  uts: undefined,
  time: undefined,
  notes: [],
  cpus: [],
  vmcoreinfo: undefined,
  panic: undefined,
  level: undefined,
};

/** A thousand pages, the odd ones missing; remembers what was loaded. */
function countingDump(cachePages: number): { dump: DumpFile; loads: number[] } {
  const loads: number[] = [];
  const pages: PageReader = {
    pageSize: 4096,
    endPfn: 1000,
    incomplete: undefined,
    state: (pfn) => (pfn % 2 === 0 ? 'stored' : 'missing'),
    load(pfn) {
      loads.push(pfn);
      if (pfn % 2 === 1) return { state: 'missing', bytes: undefined };
      return { state: 'stored', bytes: new Uint8Array(4096).fill(pfn / 2) };
    },
    runs: () => [],
  };
  const source = memorySource('counted', new Uint8Array(1));
  return { dump: new DumpFile(source, { facts, pages }, cachePages), loads };
}

test('a page that was just read is not loaded again', () => {
  const { dump, loads } = countingDump(8);
  expect(dump.readPage(4)).toBe(dump.readPage(4));
  expect(loads).toEqual([4]);
});

test('a page in steady use stays, however many others pass by', () => {
  const { dump, loads } = countingDump(8);
  for (let pfn = 0; pfn < 200; pfn += 2) {
    dump.readPage(0);
    dump.readPage(pfn);
  }
  expect(loads.filter((pfn) => pfn === 0)).toHaveLength(1);
});

test('the cache is bounded: of many pages the first are forgotten', () => {
  const { dump, loads } = countingDump(8);
  for (let pfn = 0; pfn < 40; pfn += 2) dump.readPage(pfn);
  loads.length = 0;
  for (let pfn = 0; pfn < 40; pfn += 2) dump.readPage(pfn);
  expect(loads).toHaveLength(20);
});

test('pages that are not there push nothing out', () => {
  const { dump, loads } = countingDump(8);
  dump.readPage(2);
  for (let pfn = 1; pfn < 400; pfn += 2) dump.readPage(pfn);
  dump.readPage(2);
  expect(loads.filter((pfn) => pfn === 2)).toHaveLength(1);
});

test('a blob of nothing but empty notes is read up to a limit, and that is said', () => {
  const blob = new Uint8Array(12 * (maxNotes + 1));
  for (let at = 0; at < blob.length; at += 12) blob[at + 8] = 7;
  const { notes, problem } = parseNotes(blob);
  expect(notes.length).toBe(maxNotes);
  expect(problem).toBe('more than 65536 notes');
});
