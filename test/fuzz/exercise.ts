/**
 * What every reader must stand, whatever the file: it opens or is refused with a DumpError that
 * names a place; runs are a partition of the pages; a page is what its run says, or damaged; and
 * what is read and kept is bounded.
 */

import { DumpError } from '../../src/bytes/errors.ts';
import { memorySource, type Source } from '../../src/bytes/source.ts';
import type { Dump } from '../../src/dump/types.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';

/** Reading all of a file through windows, some of it twice, and a page again and again. */
const maxReads = 20_000;
const maxBytesRead = 64 * 1024 * 1024;
const maxPagesRead = 300;
const maxRuns = 50_000;

export type Outcome = 'opened' | 'refused';
export type Opener = (source: Source) => Promise<Dump>;

/** Opens the bytes with `open` and asks for everything. Throws where something is broken. */
export async function exercise(file: Uint8Array, open: Opener): Promise<Outcome> {
  try {
    const dump = await open(counted(file));
    // Before anything has made the reader look at the whole file, and in no order.
    for (const pfn of [63, 1, 0]) checkPage(dump, pfn);
    readFacts(dump);
    readRuns(dump);
    for (const pfn of [-1, dump.endPfn, dump.endPfn * 2 + 1, 2 ** 53 - 1]) {
      if (dump.readPage(pfn).bytes !== undefined) throw new Error(`page ${pfn} of ${dump.endPfn}`);
      if (dump.state(pfn) !== 'missing') throw new Error(`${pfn} is ${dump.state(pfn)}`);
    }
    dump.close();
    return 'opened';
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    if (error.message === '' || error.where.file === undefined) {
      throw new Error(`an error without place: ${error.message}`, { cause: error });
    }
    return 'refused';
  }
}

/** Counts what a reader asks for, and stops one that would go on for ever. */
function counted(file: Uint8Array): Source {
  const inner = memorySource('fuzz', file);
  // Readers go other ways to a file whose reads are costly: half of all files are none.
  const isQuick = file.subarray(0, 1024).reduce((sum, byte) => sum + byte, 0) % 2 === 0;
  let reads = 0;
  let bytes = 0;
  return {
    ...inner,
    isQuick,
    read(offset, length) {
      reads++;
      const result = inner.read(offset, length);
      bytes += result.length;
      if (reads > maxReads || bytes > maxBytesRead) {
        throw new Error(`${reads} reads, ${bytes} bytes of a file of ${file.length}`);
      }
      return result;
    },
  };
}

function readFacts(dump: Dump): void {
  const { uts, time, panic, level, incomplete, cpus, notes, description } = dump;
  const said = [uts, time, panic, level, incomplete, notes.length, description];
  JSON.stringify([...said, cpus], (_, value) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  if (time !== undefined && !Number.isFinite(time)) throw new Error(`time ${time}`);
  if (dump.vmcoreinfo !== undefined) readVmcoreinfo(dump.vmcoreinfo);
}

export function readVmcoreinfo(text: string): void {
  const info = new Vmcoreinfo(text);
  const { release, physBase, kernelOffset } = info;
  if (release === '') return;
  for (const value of [physBase, kernelOffset, info.symbol('init_uts_ns')]) {
    if (value !== undefined && typeof value !== 'bigint') throw new Error(`${value}`);
  }
  for (const value of [info.size('list_head'), info.offset('page.flags'), info.length('x')]) {
    if (value !== undefined && !Number.isSafeInteger(value)) throw new Error(`${value}`);
  }
}

function readRuns(dump: Dump): void {
  let pages = 0;
  let end = 0;
  let runs = 0;
  for (const run of dump.runs()) {
    // Maximal, ascending, without gaps.
    if (run.first !== end || run.end <= run.first) throw new Error('runs are no partition');
    end = run.end;
    // A bitmap of a megabyte may have millions of runs.
    if (++runs > maxRuns) return;
    for (const pfn of [run.first, run.end - 1]) {
      if (dump.state(pfn) !== run.state) throw new Error(`state of ${pfn} is not its run's`);
    }
    for (let pfn = run.first; pfn < run.end && pages < maxPagesRead; pfn++, pages++) {
      const state = checkPage(dump, pfn);
      if (state !== run.state && state !== 'damaged') throw new Error(`${run.state}: ${state}`);
      if (run.state !== 'stored' && run.state !== 'zero' && run.end - run.first > 64) pfn += 63;
    }
  }
  if (end !== dump.endPfn) throw new Error('runs end before endPfn');
}

function checkPage(dump: Dump, pfn: number): string {
  const glanced = dump.glance?.(pfn);
  const seen = glanced?.bytes?.slice();
  const { state, bytes, present, problem } = dump.readPage(pfn);
  const held = state === 'stored' || state === 'zero';
  if (held !== (bytes?.length === dump.pageSize)) throw new Error(`page ${pfn}: ${state}`);
  if (glanced !== undefined && (glanced.state !== state || !isEqual(seen, bytes))) {
    throw new Error(`page ${pfn}: ${state}, at a glance ${glanced.state}`);
  }
  if (state === 'damaged' && problem === undefined) throw new Error(`page ${pfn}: no problem`);
  if (present !== undefined) {
    const { start, end } = present;
    if (start < 0 || end > dump.pageSize || start >= end) throw new Error(`${start} to ${end}`);
  }
  return state;
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
