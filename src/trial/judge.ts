/**
 * The judge: from the dump file alone, read with the ordinary readers, against the machine's memory
 * at the instant. The method is never asked how it went. Due are the pages that the machine really
 * has, that are System RAM and that the level asks for; excused are the method's recorded writes.
 */

import type { Bitmap } from '../bytes/bitmap.ts';
import { DumpError } from '../bytes/errors.ts';
import { isZeroPage } from '../dump/content.ts';
import type { Dump, MemoryImage } from '../dump/types.ts';
import type { OwnWrites } from '../machine/own-writes.ts';
import { type Answer, answersOf, compareAnswers } from './answers.ts';
import type { VerdictClass } from './verdict-classes.ts';

export interface PageCounts {
  /** Pages that must be in the dump. */
  readonly due: number;
  /** In the dump and equal to the memory at the instant, but for the method's own writes. */
  readonly equal: number;
  /** Equal only because the method's own writes are excused. */
  readonly excused: number;
  /** In the dump and different, due or not. */
  readonly different: number;
  /** Due and not in the dump. */
  readonly absent: number;
  /** In the dump and undecodable. */
  readonly damaged: number;
}

export interface Verdict {
  readonly class: VerdictClass;
  /** Why; the first one decides. */
  readonly reasons: readonly string[];
  /** Undefined where no file could be opened. */
  readonly pages: PageCounts | undefined;
  /** Whether the analyzer says the same of the dump as of the memory at the instant. */
  readonly answers: Readonly<Record<string, Answer>> | undefined;
}

export interface GroundTruth {
  /** The machine at the instant. */
  readonly dump: Dump;
  /** Pages of System RAM that the level does not filter out, by their struct pages. */
  readonly chosen: Bitmap;
  /** Zero pages may be left out. */
  readonly withoutZeroPages: 'allowed' | 'not allowed';
  /** Excused; a page that is wholly the method's own is not due. */
  readonly ownWrites: OwnWrites;
}

/** What the machine knows besides the file. */
export interface Circumstances {
  /** Bytes outside of the method's partition that the run wrote. */
  readonly bytesOutside: number;
  /** The run touched a page that the input does not hold. */
  readonly lacking: string | undefined;
  /** Why there is no file, if there is none. */
  readonly noFile: string;
}

/** `open` opens the file that was saved; undefined where there was none. */
export async function judge(
  open: (() => Promise<Dump>) | undefined,
  truth: () => GroundTruth,
  { bytesOutside, lacking, noFile }: Circumstances,
): Promise<Verdict> {
  const nothing = { pages: undefined, answers: undefined };
  if (bytesOutside > 0) {
    const reason = `${bytesOutside} bytes outside of the dump area were overwritten`;
    return { class: 'destructive', reasons: [reason], ...nothing };
  }
  if (lacking !== undefined) return { class: 'undecidable', reasons: [lacking], ...nothing };
  if (open === undefined) return { class: 'none', reasons: [noFile], ...nothing };
  let dump: Dump;
  try {
    dump = await open();
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { class: 'unreadable', reasons: [error.message], ...nothing };
  }
  try {
    return judgeDump(dump, truth());
  } finally {
    dump.close();
  }
}

/** The verdict on a dump that opens. */
export function judgeDump(dump: Dump, truth: GroundTruth): Verdict {
  const pages = comparePages(dump, truth);
  const answers = compareAnswers(answersOf(truth.dump), answersOf(dump));
  const differing = Object.entries(answers).filter(([, answer]) => answer === 'different');
  const wrong: string[] = [];
  if (pages.different > 0) wrong.push(`${pages.different} pages differ from the memory`);
  const lost: string[] = [];
  if (pages.absent > 0) lost.push(`${pages.absent} of ${pages.due} pages due are not there`);
  if (pages.damaged > 0) lost.push(`${pages.damaged} pages cannot be decoded`);
  const flagged = dump.incomplete;
  // What is lost and flagged is honest; the analyzer's answers then follow from the loss.
  if (wrong.length === 0 && flagged !== undefined) {
    return {
      class: 'partial',
      reasons: [`flagged incomplete: ${flagged}`, ...lost],
      pages,
      answers,
    };
  }
  wrong.push(...lost, ...differing.map(([what]) => `the dump gives another answer: ${what}`));
  if (wrong.length > 0) return { class: 'inaccurate', reasons: wrong, pages, answers };
  return { class: 'complete', reasons: ['every page due is there and equal'], pages, answers };
}

function comparePages(dump: Dump, truth: GroundTruth): PageCounts {
  const counts = { due: 0, equal: 0, excused: 0, different: 0, absent: 0, damaged: 0 };
  const image = truth.dump;
  for (let pfn = 0; pfn < Math.max(dump.endPfn, truth.chosen.length); pfn++) {
    const due = isDue(image, truth, pfn);
    if (due) counts.due++;
    const state = pfn < dump.endPfn ? dump.state(pfn) : 'missing';
    const inDump = state === 'stored' || state === 'zero';
    if (!inDump && !due) continue;
    const found = inDump ? dump.readPage(pfn) : { state, bytes: undefined };
    if (found.state === 'damaged') counts.damaged++;
    else if (found.bytes === undefined) counts.absent += due ? 1 : 0;
    else {
      const outcome = comparePage(image, truth.ownWrites, pfn, found.bytes);
      counts[outcome]++;
      if (outcome === 'excused') counts.equal++;
    }
  }
  return counts;
}

function isDue(image: MemoryImage, truth: GroundTruth, pfn: number): boolean {
  if (!truth.chosen.has(pfn) || truth.ownWrites.covers(pfn)) return false;
  const { bytes } = image.readPage(pfn);
  if (bytes === undefined) return false;
  return truth.withoutZeroPages === 'not allowed' || !isZeroPage(bytes);
}

function comparePage(
  image: MemoryImage,
  ownWrites: OwnWrites,
  pfn: number,
  found: Uint8Array,
): 'equal' | 'excused' | 'different' {
  if (ownWrites.covers(pfn)) return 'excused';
  const expected = image.readPage(pfn).bytes;
  // A page that the machine does not have is an invention, whatever it holds.
  if (expected === undefined || expected.length !== found.length) return 'different';
  if (sameBytes(expected, found)) return 'equal';
  const start = pfn * image.pageSize;
  const writes = ownWrites.of(pfn);
  for (let at = 0; at < found.length; at++) {
    if (found[at] === expected[at]) continue;
    if (!writes.some((write) => start + at >= write.start && start + at < write.end)) {
      return 'different';
    }
  }
  return 'excused';
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
