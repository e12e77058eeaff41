/**
 * The file inside a flattened file, as a Source. Opening walks the record headers (16 bytes each,
 * payloads are skipped); nothing else can tell where a byte of the inner file is. Where records
 * overlap, the later one wins, as it does when `makedumpfile -R` writes them one after another.
 *
 * A cut file keeps what it has: the payload of the last record is clipped. Bytes that no record
 * wrote read as zeros, which is what the writer meant by leaving them out (makedumpfile leaves out
 * the rest of the header's block); where the walk did not reach the end record, they are lost.
 */

import { DumpError } from '../../bytes/errors.ts';
import { firstWins, pieceFrom, type RangeMap } from '../../bytes/ranges.ts';
import { type Source, windowed } from '../../bytes/source.ts';
import { readStruct } from '../../bytes/struct.ts';
import type { OpenContext, OpenedFile } from '../format.ts';
import { FlatHeader, FlatRecord, flatType, headerSize } from './layout.ts';

/** A claimed inner size beyond this many times the file is damage: holes are rare and small. */
const maxGrowth = 4;
const alwaysAllowedSize = 16 * 1024 * 1024;

export async function openFlattened(source: Source, context: OpenContext): Promise<OpenedFile> {
  const header = readStruct(source, 0, FlatHeader);
  if (header.type !== flatType) {
    throw new DumpError('corrupt', `flattened header: type ${header.type}, not ${flatType}`, {
      where: { file: source.name, offset: FlatHeader.offsetOf('type') },
    });
  }
  const records = scanRecords(source);
  const { facts, pages, part } = await context.openInner(innerSource(source, records));
  const flawed = records.problem;
  return {
    facts: { ...facts, description: `${facts.description}, flattened` },
    part,
    pages:
      flawed === undefined
        ? pages
        : {
            pageSize: pages.pageSize,
            get endPfn() {
              return pages.endPfn;
            },
            get incomplete() {
              return pages.incomplete === undefined ? flawed : `${flawed}; ${pages.incomplete}`;
            },
            state: (pfn) => pages.state(pfn),
            load: (pfn) => pages.load(pfn),
            runs: () => pages.runs(),
            lost: () => pages.lost?.() ?? [],
          },
  };
}

export interface Records {
  /** Target ranges in the inner file; owners index `payloadAt` and `targetAt`. */
  readonly map: RangeMap;
  readonly payloadAt: readonly number[];
  readonly targetAt: readonly number[];
  readonly innerSize: number;
  /** Why the walk did not meet the end record. */
  readonly problem: string | undefined;
}

/** Throws `truncated` where there is not one. */
export function scanRecords(source: Source): Records {
  const payloadAt: number[] = [];
  const targetAt: number[] = [];
  const targetEnd: number[] = [];
  const limit = Math.max(alwaysAllowedSize, source.size * maxGrowth);
  // Records are up to 64 KiB apart or close together: small windows serve both.
  const headers = windowed(source, 4096, 2);
  let innerSize = 0;
  let problem: string | undefined;
  for (let at = headerSize; ; ) {
    const bytes = headers.read(at, FlatRecord.size);
    if (bytes.length < FlatRecord.size) {
      problem = `the flattened file is cut at ${source.size} bytes`;
      break;
    }
    const record = FlatRecord.read(bytes);
    if (record.offset === -1n && record.buf_size === -1n) break;
    const target = Number(record.offset);
    const size = Number(record.buf_size);
    // Nobody writes an empty record: a file that was cut to zeros is full of them.
    if (target < 0 || size <= 0 || target + size > limit) {
      const claim = `offset ${record.offset}, size ${record.buf_size}`;
      problem = `the flattened record at offset ${at} is damaged (${claim}); what follows is lost`;
      break;
    }
    const payload = at + FlatRecord.size;
    const there = Math.min(size, source.size - payload);
    payloadAt.push(payload);
    targetAt.push(target);
    targetEnd.push(target + there);
    innerSize = Math.max(innerSize, target + there);
    at = payload + size;
  }
  if (innerSize === 0) {
    throw new DumpError('truncated', problem ?? 'the flattened file holds no data', {
      where: { file: source.name, offset: headerSize },
    });
  }
  // firstWins, but the last record is to win: hand them over in reverse.
  for (const list of [payloadAt, targetAt, targetEnd]) list.reverse();
  return { map: firstWins(targetAt, targetEnd), payloadAt, targetAt, innerSize, problem };
}

export function innerSource(source: Source, records: Records): Source {
  const { map, payloadAt, targetAt, innerSize, problem } = records;
  return {
    name: source.name,
    size: innerSize,
    lost: (offset, length) => problem !== undefined && !covers(map, offset, offset + length),
    read(offset, length) {
      const end = Math.min(offset + length, innerSize);
      const bytes = new Uint8Array(Math.max(0, end - offset));
      for (let piece = pieceFrom(map, offset); piece < map.start.length; piece++) {
        const from = Math.max(offset, map.start[piece]!);
        const to = Math.min(end, map.end[piece]!);
        if (from >= end) break;
        const owner = map.owner[piece]!;
        const payload = payloadAt[owner]! + (from - targetAt[owner]!);
        bytes.set(source.read(payload, to - from), from - offset);
      }
      return bytes;
    },
    close: () => source.close(),
  };
}

function covers(map: RangeMap, start: number, end: number): boolean {
  let at = start;
  for (let piece = pieceFrom(map, start); at < end; piece++) {
    if (piece >= map.start.length || map.start[piece]! > at) return false;
    at = map.end[piece]!;
  }
  return true;
}
