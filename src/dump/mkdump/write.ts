/**
 * Writes mkdump's container, to a file or a partition: nothing is left as a hole, since a partition
 * has none. Pages of zeros that are known without looking are not written at all.
 *
 * The table of ranges has room for more than are planned: a range with an unreadable page is split
 * around it, and the table is written again at the end. When the room is used up, the rest of such
 * a range is given up.
 */

import { Appender, type Sink } from '../../bytes/sink.ts';
import {
  type DumpContent,
  isZeroPage,
  type Progress,
  pagesDue,
  type WriteSummary,
  zeroPageOf,
} from '../content.ts';
import { encodeNotes } from '../notes.ts';
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
  readonly progress?: Progress;
}

const pagesPerProgress = 1024;
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
  options: MkdumpOptions,
): WriteSummary {
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
  writeHead(plan, Status.writing, 0);
  const data = new Appender(sink, dataAt, pieceBytes);
  let saved = dataAt;
  const onPage = (ranges: () => readonly Range[]): void => {
    if (data.offset - saved < bytesPerHeader) return;
    data.flush();
    saved = data.offset;
    writeHead(ranges(), Status.writing, saved - dataAt);
  };
  const { ranges, ...written } = writePages(data, image, options, { plan, room, onPage });
  data.flush();
  writeHead(ranges, Status.complete, data.offset - dataAt);
  return { bytes: data.offset, ...written };
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

interface Steps {
  readonly plan: readonly Range[];
  /** How many ranges there may be. */
  readonly room: number;
  /** Called after each page; `ranges` makes the table as it is then. */
  onPage(ranges: () => readonly Range[]): void;
}

type Written = Omit<WriteSummary, 'bytes'> & { readonly ranges: readonly Range[] };

function writePages(
  data: Appender,
  image: MemoryImage,
  { progress }: MkdumpOptions,
  { plan, room, onPage }: Steps,
): Written {
  const ranges: Range[] = [];
  const total = pagesDue(image);
  const done = { pages: 0, zeroPages: 0, unreadable: 0 };
  for (const [index, range] of plan.entries()) {
    if (range.kind !== RangeKind.stored) {
      ranges.push(range);
      if (range.kind !== RangeKind.zero) continue;
      done.pages += range.end - range.first;
      done.zeroPages += range.end - range.first;
      continue;
    }
    let { first } = range;
    let kind: number = RangeKind.stored;
    const turn = (pfn: number, next: number): void => {
      if (pfn > first) ranges.push({ first, end: pfn, kind });
      first = pfn;
      kind = next;
    };
    const behind = plan.length - index - 1;
    const table = (): Range[] => [
      ...ranges,
      { first, end: range.end, kind },
      ...plan.slice(index + 1),
    ];
    for (let pfn = range.first; pfn < range.end; pfn++) {
      const { bytes } = image.readPage(pfn);
      // After this one there may be another lost one.
      const canTurn = ranges.length + 3 + behind <= room;
      const isLost = bytes === undefined || (kind === RangeKind.lost && !canTurn);
      const wanted = isLost ? RangeKind.lost : RangeKind.stored;
      if (wanted !== kind) turn(pfn, wanted);
      data.append(isLost ? zeroPageOf(image.pageSize) : bytes);
      if (isLost) done.unreadable++;
      else done.pages++;
      if (!isLost && isZeroPage(bytes)) done.zeroPages++;
      if ((done.pages + done.unreadable) % pagesPerProgress === 0) progress?.(done.pages, total);
      if (!isLost) onPage(table);
    }
    turn(range.end, RangeKind.stored);
  }
  progress?.(done.pages, total);
  return { ...done, ranges };
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
