/**
 * The judge: from the dump file alone, read with the ordinary readers, against the machine's memory
 * at the instant. The method is never asked how it went. Due are the pages that the machine really
 * has, that are System RAM and that the level asks for; excused are the method's recorded writes.
 */

import type { Bitmap } from '../bytes/bitmap.ts';
import { sameBytes } from '../bytes/compare.ts';
import { DumpError } from '../bytes/errors.ts';
import { isZeroPage } from '../dump/content.ts';
import type { Dump } from '../dump/types.ts';
import type { OwnWrites } from '../machine/own-writes.ts';
import { type Answer, compareAnswers, Questioner } from './answers.ts';
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

/** PFNs, end exclusive; ascending. */
export type PfnRun = readonly [first: number, end: number];

/** Where in memory the pages lie that the counts are about. */
export interface PagePlaces {
  readonly due: readonly PfnRun[];
  readonly excused: readonly PfnRun[];
  readonly different: readonly PfnRun[];
  readonly absent: readonly PfnRun[];
  readonly damaged: readonly PfnRun[];
}

export interface Verdict {
  readonly class: VerdictClass;
  /** Why; the first one decides. */
  readonly reasons: readonly string[];
  /** Undefined where no file could be opened. */
  readonly pages: PageCounts | undefined;
  readonly places: PagePlaces | undefined;
  /** Whether the analyzer says the same of the dump as of the memory at the instant. */
  readonly answers: Readonly<Record<string, Answer>> | undefined;
}

export interface GroundTruth {
  /** The machine at the instant. */
  readonly dump: Dump;
  /** Pages of System RAM that the level does not filter out, by their struct pages. */
  readonly kept: Bitmap;
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
  questioner = new Questioner(),
): Promise<Verdict> {
  const nothing = { pages: undefined, places: undefined, answers: undefined };
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
    // What the host refuses says nothing of the file.
    if (!(error instanceof DumpError) || error.code === 'io') throw error;
    return { class: 'unreadable', reasons: [error.message], ...nothing };
  }
  try {
    return judgeDump(dump, truth(), questioner);
  } finally {
    dump.close();
  }
}

/** The verdict on a dump that opens. */
export function judgeDump(dump: Dump, truth: GroundTruth, questioner = new Questioner()): Verdict {
  const { pages, places } = comparePages(dump, truth);
  const answers = compareAnswers(questioner.ask(truth.dump), questioner.ask(dump));
  const differing = Object.entries(answers).filter(([, answer]) => answer === 'different');
  const wrong: string[] = [];
  if (pages.different > 0) wrong.push(`${pages.different} pages differ from the memory`);
  const lost: string[] = [];
  if (pages.absent > 0) lost.push(`${pages.absent} of ${pages.due} pages due are not there`);
  if (pages.damaged > 0) lost.push(`${pages.damaged} pages cannot be decoded`);
  const flagged = dump.incomplete;
  // What is lost and flagged is honest; the analyzer's answers then follow from the loss.
  if (wrong.length === 0 && flagged !== undefined) {
    // Pages that are not due, such as zeros, do not make it a dump.
    const isEmpty = pages.due > 0 && (pages.equal === 0 || pages.absent === pages.due);
    return {
      class: isEmpty ? 'unreadable' : 'partial',
      reasons: [`flagged incomplete: ${flagged}`, ...lost],
      pages,
      places,
      answers,
    };
  }
  wrong.push(...lost, ...differing.map(([what]) => `the dump gives another answer: ${what}`));
  if (wrong.length > 0) return { class: 'inaccurate', reasons: wrong, pages, places, answers };
  return {
    class: 'complete',
    reasons: ['every page due is there and equal'],
    pages,
    places,
    answers,
  };
}

function comparePages(dump: Dump, truth: GroundTruth): { pages: PageCounts; places: PagePlaces } {
  const image = truth.dump;
  const places = {
    due: new Runs(),
    equal: new Runs(),
    excused: new Runs(),
    different: new Runs(),
    absent: new Runs(),
    damaged: new Runs(),
  };
  const inFile = dump.endPfn;
  const glance = dump.glance?.bind(dump) ?? dump.readPage.bind(dump);
  for (let pfn = 0; pfn < Math.max(inFile, truth.kept.length); pfn++) {
    const isOwn = truth.ownWrites.covers(pfn);
    const expected = image.readPage(pfn).bytes;
    const due = !isOwn && isDue(truth, pfn, expected);
    if (due) places.due.add(pfn);
    const found = pfn < inFile ? glance(pfn) : undefined;
    if (found?.state === 'damaged') places.damaged.add(pfn);
    else if (found?.bytes !== undefined) {
      const outcome = isOwn ? 'excused' : comparePage(truth, pfn, expected, found.bytes);
      places[outcome].add(pfn);
    } else if (due) places.absent.add(pfn);
  }
  const { due, equal, excused, different, absent, damaged } = places;
  return {
    pages: {
      due: due.pages,
      equal: equal.pages + excused.pages,
      excused: excused.pages,
      different: different.pages,
      absent: absent.pages,
      damaged: damaged.pages,
    },
    places: {
      due: due.runs,
      excused: excused.runs,
      different: different.runs,
      absent: absent.runs,
      damaged: damaged.runs,
    },
  };
}

/** PFNs, given ascending, as runs. */
class Runs {
  readonly runs: [first: number, end: number][] = [];
  pages = 0;

  add(pfn: number): void {
    const last = this.runs.at(-1);
    if (last?.[1] === pfn) last[1]++;
    else this.runs.push([pfn, pfn + 1]);
    this.pages++;
  }
}

function isDue(truth: GroundTruth, pfn: number, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined || !truth.kept.has(pfn)) return false;
  return truth.withoutZeroPages === 'not allowed' || !isZeroPage(bytes);
}

function comparePage(
  { dump, ownWrites }: GroundTruth,
  pfn: number,
  expected: Uint8Array | undefined,
  found: Uint8Array,
): 'equal' | 'excused' | 'different' {
  // A page that the machine does not have is an invention, whatever it holds.
  if (expected === undefined || expected.length !== found.length) return 'different';
  if (sameBytes(expected, found)) return 'equal';
  const start = pfn * dump.pageSize;
  const writes = ownWrites.of(pfn);
  for (let at = 0; at < found.length; at++) {
    if (found[at] === expected[at]) continue;
    if (!writes.some((write) => start + at >= write.start && start + at < write.end)) {
      return 'different';
    }
  }
  return 'excused';
}
