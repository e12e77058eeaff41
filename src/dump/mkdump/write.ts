/**
 * Writes mkdump's container, to a file or a partition: nothing is left as a hole, since a partition
 * has none. Pages of zeros that are known without looking are not written at all.
 *
 * The table of ranges has room for more than are planned: a range with an unreadable page is split
 * around it, and the table is written again at the end. When the room is used up, the rest of such
 * a range is given up.
 */

import { Appender, type Sink } from '../../bytes/sink.ts';
import { type DumpContent, keptRuns, type WriteSummary, zeroPageOf } from '../content.ts';
import { encodeNotes } from '../notes.ts';
import { type PageKind, type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import type { MemoryImage, PageState } from '../types.ts';
import { NewUtsname } from '../utsname.ts';
import {
  formatVersion,
  MkdumpHeader,
  MkdumpRange,
  RangeKind,
  Status,
  signature,
} from './layout.ts';

export interface MkdumpOptions {
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
}

const pieceBytes = 1024 * 1024;
/** What an interrupted dump may lose, and be told apart from. */
const bytesPerHeader = 64 * 1024 * 1024;
const spareRanges = 256;

/** In PFNs. */
interface Range {
  readonly first: number;
  readonly end: number;
  readonly kind: number;
}

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeMkdump(
  sink: Sink,
  content: DumpContent,
  options: MkdumpOptions & PageOptions,
): WriteSummary {
  return writePages(mkdumpWriter(sink, content, options), content.image, options);
}

export function mkdumpWriter(sink: Sink, content: DumpContent, options: MkdumpOptions): PageWriter {
  const { image } = content;
  const plan = planOf(image);
  const notes = encodeNotes(content.notes);
  const notesAt = image.pageSize;
  const tableAt = roundUp(notesAt + notes.length, 8);
  const room = plan.length + spareRanges;
  const dataAt = roundUp(tableAt + room * MkdumpRange.size, image.pageSize);
  const writeHead = (ranges: readonly Range[], status: number, done: number): void => {
    const head = new Uint8Array(dataAt);
    MkdumpHeader.write(head, 0, {
      ...factsOf(content, options),
      status,
      range_count: ranges.length,
      notes_offset: notesAt,
      notes_size: notes.length,
      ranges_offset: tableAt,
      data_offset: dataAt,
      data_done: done,
    });
    head.set(notes, notesAt);
    for (const [index, { first, end, kind }] of ranges.entries()) {
      const at = tableAt + index * MkdumpRange.size;
      MkdumpRange.write(head, at, { first_pfn: first, pages: end - first, kind });
    }
    sink.write(0, head);
  };
  const statusNow = (): number => (content.isIncomplete?.() ? Status.partial : Status.complete);
  const isPipe = sink.isPipe === true;
  const first = isPipe ? statusNow() : Status.writing;
  writeHead(plan, first, isPipe ? dataSize(plan, image.pageSize) : 0);
  const data = new Appender(sink, dataAt, pieceBytes);
  const ranges = new Ranges(plan, room);
  const zeros = zeroPageOf(image.pageSize);
  let saved = dataAt;
  return {
    compression: 'none',
    zeros: 'apart',
    due: [...keptRuns(image)],
    add(pfn, kind, bytes) {
      const place = ranges.add(pfn, kind);
      if (place === 'nowhere') return true;
      data.append(place === 'lost' ? zeros : bytes);
      if (place === 'lost') return false;
      if (!isPipe && data.offset - saved >= bytesPerHeader) {
        data.flush();
        saved = data.offset;
        writeHead(ranges.now(), Status.writing, saved - dataAt);
      }
      return true;
    },
    finish(counts) {
      data.flush();
      const last = statusNow();
      if (!isPipe || counts.unreadable > 0 || last !== first) {
        writeHead(ranges.end(), last, data.offset - dataAt);
      }
      return { bytes: data.offset, ...counts };
    },
  };
}

function planOf(image: MemoryImage): Range[] {
  const kinds: ReadonlyMap<PageState, number> = new Map([
    ['stored', RangeKind.stored],
    ['zero', RangeKind.zero],
    ['excluded', RangeKind.excluded],
  ]);
  return [...image.runs()].flatMap(({ first, end, state }) => {
    const kind = kinds.get(state);
    return kind === undefined ? [] : [{ first, end, kind }];
  });
}

/** Bytes of the pages that have a place. */
function dataSize(plan: readonly Range[], pageSize: number): number {
  const stored = plan.filter(({ kind }) => kind === RangeKind.stored);
  return stored.reduce((sum, { first, end }) => sum + (end - first) * pageSize, 0);
}

/** The ranges as they are written: split around the pages that turn out unreadable. */
class Ranges {
  readonly #plan: readonly Range[];
  readonly #room: number;
  readonly #written: Range[] = [];
  /** The range of the plan that is being written; what of it is in no written one, and its kind. */
  #index = 0;
  #first: number;
  #kind: number = RangeKind.stored;

  constructor(plan: readonly Range[], room: number) {
    this.#plan = plan;
    this.#room = room;
    this.#first = plan[0]?.first ?? 0;
  }

  /** What becomes of the next page; pages of a range of zeros are nowhere in the file. */
  add(pfn: number, kind: PageKind): 'stored' | 'lost' | 'nowhere' {
    while (pfn >= this.#plan[this.#index]!.end) this.#leave();
    if (this.#plan[this.#index]!.kind !== RangeKind.stored) return 'nowhere';
    const behind = this.#plan.length - this.#index - 1;
    // After this one there may be another lost one.
    const canTurn = this.#written.length + 3 + behind <= this.#room;
    const isLost = kind === 'lost' || (this.#kind === RangeKind.lost && !canTurn);
    const wanted = isLost ? RangeKind.lost : RangeKind.stored;
    if (wanted !== this.#kind) this.#turn(pfn, wanted);
    return isLost ? 'lost' : 'stored';
  }

  /** The table as it is now. */
  now(): readonly Range[] {
    const rest = this.#plan.slice(this.#index);
    const [current] = rest.splice(0, 1);
    if (current === undefined) return this.#written;
    return [...this.#written, { first: this.#first, end: current.end, kind: this.#kind }, ...rest];
  }

  end(): readonly Range[] {
    while (this.#index < this.#plan.length) this.#leave();
    return this.#written;
  }

  #leave(): void {
    const range = this.#plan[this.#index]!;
    if (range.kind === RangeKind.stored) this.#turn(range.end, RangeKind.stored);
    else this.#written.push(range);
    this.#index++;
    this.#first = this.#plan[this.#index]?.first ?? 0;
    this.#kind = RangeKind.stored;
  }

  #turn(pfn: number, next: number): void {
    const range = { first: this.#first, end: pfn, kind: this.#kind };
    if (pfn > range.first) this.#written.push(range);
    this.#first = pfn;
    this.#kind = next;
  }
}

function factsOf(
  { image, uts, time, physBase, panic }: DumpContent,
  { level }: MkdumpOptions,
): Parameters<typeof MkdumpHeader.encode>[0] {
  const seconds = Math.floor(time);
  return {
    signature,
    version: formatVersion,
    page_size: image.pageSize,
    level,
    tv_sec: BigInt(seconds),
    tv_usec: BigInt(Math.round((time - seconds) * 1e6)),
    phys_base: physBase,
    panic_task: panic?.task ?? 0n,
    panic_cpu: panic?.cpu ?? -1,
    utsname: NewUtsname.encode(uts),
    panic: panic?.message.slice(0, 255) ?? '',
  };
}

function roundUp(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit;
}
