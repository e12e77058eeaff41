/**
 * Where each page of an LKCD file is, found by reading record headers in file order, no further
 * than a question needs. 12 bytes of memory a page, up to a third more while the scan goes on.
 *
 * Writers go through memory in one or a few ascending passes (by dump level), so the entries in
 * file order are a few sorted runs and looking up is a binary search in each. A file in wilder
 * order is scanned to its end and sorted once.
 *
 * A page that stands twice: the first counts. No LKCD kernel writes one; crash takes the second for
 * the end of the file, libkdumpfile refuses the file, and only the first can be known without
 * reading to the end.
 */

import { lowerBound } from '../../bytes/ranges.ts';
import type { Source } from '../../bytes/source.ts';
import { plural } from '../../bytes/text.ts';
import { PageFlags, PageRecord } from './layout.ts';

const maxRuns = 8;
const windowSize = 1024 * 1024;
const firstCapacity = 4096;
const sizeAt = PageRecord.offsetOf('dp_size');
const flagsAt = PageRecord.offsetOf('dp_flags');
/** PFNs are kept in 32 bits: 16 TiB of physical address space. */
const maxPfn = 0xffffffff;

export interface PageEntry {
  readonly pfn: number;
  /** File offset of the record. */
  readonly offset: number;
  /** A raw record of size 0: known to be zeros. */
  readonly zero: boolean;
}

/** Where the records are, and how they name pages. See LkcdHeader. */
export interface RecordsPlace {
  readonly pageSize: number;
  readonly firstRecord: number;
  readonly addressBase: number;
}

export class PageIndex {
  readonly #source: Source;
  readonly #pageSize: number;
  readonly #addressBase: number;
  #pfns = new Uint32Array(firstCapacity);
  /** File offsets; negative for a zero page. */
  #offsets = new Float64Array(firstCapacity);
  #count = 0;
  /** The entry that was asked for last. */
  #near = 0;
  /** Where each ascending run starts. */
  #runs: number[] = [];
  #next: number;
  #done = false;
  #problem: string | undefined;
  /** The first record that belongs to no page. */
  #skipped: string | undefined;
  #window: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };

  constructor(source: Source, place: RecordsPlace) {
    this.#source = source;
    this.#pageSize = place.pageSize;
    this.#addressBase = place.addressBase;
    this.#next = place.firstRecord;
  }

  /** Why the pages found so far may not be all. */
  get problem(): string | undefined {
    const problems = [this.#skipped, this.#problem].filter((each) => each !== undefined);
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  /** Where the records end: behind the end record, else behind the last sound one. */
  get endOffset(): number {
    while (!this.#done) this.#scanRecord();
    return this.#next;
  }

  find(pfn: number): PageEntry | undefined {
    const known = this.#lookUp(pfn);
    if (known !== undefined) return known;
    while (!this.#done) {
      if (this.#runs.length > maxRuns) {
        this.complete();
        return this.#lookUp(pfn);
      }
      if (this.#scanRecord() === pfn) return this.#entry(this.#count - 1);
    }
    return undefined;
  }

  /** Scans to the end; afterwards entries are sorted and unique. */
  complete(): void {
    while (!this.#done) this.#scanRecord();
    if (this.#runs.length > 1) this.#sort();
  }

  /** Ascending by PFN; completes the index. */
  *entries(): Generator<PageEntry> {
    this.complete();
    for (let index = 0; index < this.#count; index++) yield this.#entry(index);
  }

  /** One past the highest PFN; completes the index. */
  get endPfn(): number {
    this.complete();
    return this.#count === 0 ? 0 : this.#pfns[this.#count - 1]! + 1;
  }

  #entry(index: number): PageEntry {
    const offset = this.#offsets[index]!;
    return { pfn: this.#pfns[index]!, offset: Math.abs(offset), zero: offset < 0 };
  }

  #lookUp(pfn: number): PageEntry | undefined {
    // Whoever goes through memory asks for the same page again, or for the next one.
    for (let index = this.#near; index < this.#near + 2 && index < this.#count; index++) {
      if (this.#pfns[index] !== pfn || this.#runs.length > 1) continue;
      this.#near = index;
      return this.#entry(index);
    }
    for (const [run, start] of this.#runs.entries()) {
      const end = this.#runs[run + 1] ?? this.#count;
      const pfns = this.#pfns.subarray(start, end);
      const at = lowerBound(pfns, pfn);
      if (pfns[at] !== pfn) continue;
      this.#near = start + at;
      return this.#entry(start + at);
    }
    return undefined;
  }

  /** Takes in one record; its PFN, or undefined where it has none or the records end. */
  #scanRecord(): number | undefined {
    const offset = this.#next;
    const bytes = this.#headerAt(offset);
    if (bytes === undefined) return this.#stop('the file is cut: no end record');
    const { pfn, size, flags } = this.#parse(bytes);
    if ((flags & PageFlags.end) !== 0) {
      this.#next = offset + PageRecord.size;
      const truncated = (flags & PageFlags.truncated) !== 0;
      return this.#stop(truncated ? 'the end record says that the dump was cut short' : undefined);
    }
    const flaw = recordFlaw({ pfn, size, flags }, this.#pageSize);
    const end = offset + PageRecord.size + size;
    if (flaw !== undefined && !this.#isRecord(end)) {
      return this.#stop(`the record at offset ${offset} is damaged (${flaw}); the rest is lost`);
    }
    if (end > this.#source.size) return this.#stop('the file is cut inside a page');
    this.#next = end;
    if (flaw !== undefined && !isPfn(pfn)) {
      this.#skipped ??= `the record at offset ${offset} is damaged (${flaw})`;
      return undefined;
    }
    this.#append(pfn, size === 0 && flaw === undefined ? -offset : offset);
    return pfn;
  }

  #parse(bytes: Uint8Array): { pfn: number; size: number; flags: number } {
    // Not by PageRecord.read, nor by a view for each: this is the inner loop.
    const address = u32(bytes, 0) + u32(bytes, 4) * 2 ** 32;
    return {
      pfn: (address - this.#addressBase) / this.#pageSize,
      size: u32(bytes, sizeAt),
      flags: u32(bytes, flagsAt),
    };
  }

  /** A damaged record can be passed over where the next one stands right behind it. */
  #isRecord(offset: number): boolean {
    const bytes = this.#source.read(offset, PageRecord.size);
    if (bytes.length < PageRecord.size) return false;
    const record = this.#parse(bytes);
    const isEnd = (record.flags & ~PageFlags.truncated) === PageFlags.end && record.size === 0;
    return isEnd || recordFlaw(record, this.#pageSize) === undefined;
  }

  #stop(problem: string | undefined): undefined {
    this.#done = true;
    this.#problem = problem;
    this.#resize(this.#count);
    this.#window = { start: 0, bytes: new Uint8Array(0) };
    return undefined;
  }

  /** One big window serves hundreds of records: faster than a call for each header. */
  #headerAt(offset: number): Uint8Array | undefined {
    if (this.#source.isQuick === true) {
      const header = this.#source.read(offset, PageRecord.size);
      return header.length < PageRecord.size ? undefined : header;
    }
    const { start, bytes } = this.#window;
    if (offset < start || offset + PageRecord.size > start + bytes.length) {
      this.#window = { start: offset, bytes: this.#source.read(offset, windowSize).slice() };
    }
    const at = offset - this.#window.start;
    const header = this.#window.bytes.subarray(at, at + PageRecord.size);
    return header.length < PageRecord.size ? undefined : header;
  }

  #append(pfn: number, offset: number): void {
    if (this.#count === this.#pfns.length) this.#resize(Math.ceil(this.#count * 1.33));
    if (this.#count === 0 || pfn <= this.#pfns[this.#count - 1]!) this.#runs.push(this.#count);
    this.#pfns[this.#count] = pfn;
    this.#offsets[this.#count] = offset;
    this.#count++;
  }

  #resize(capacity: number): void {
    const pfns = new Uint32Array(capacity);
    const offsets = new Float64Array(capacity);
    pfns.set(this.#pfns.subarray(0, this.#count));
    offsets.set(this.#offsets.subarray(0, this.#count));
    this.#pfns = pfns;
    this.#offsets = offsets;
  }

  #sort(): void {
    // PFN above, place in the file below: equal PFNs stay in file order.
    const keys = new BigUint64Array(this.#count);
    for (let index = 0; index < this.#count; index++) {
      keys[index] = (BigInt(this.#pfns[index]!) << 32n) | BigInt(index);
    }
    keys.sort();
    const halves = new Uint32Array(keys.buffer);
    const pfns = new Uint32Array(this.#count);
    const offsets = new Float64Array(this.#count);
    let count = 0;
    for (let key = 0; key < this.#count; key++) {
      const pfn = halves[2 * key + 1]!;
      if (count > 0 && pfns[count - 1] === pfn) continue;
      pfns[count] = pfn;
      offsets[count] = this.#offsets[halves[2 * key]!]!;
      count++;
    }
    const duplicates = this.#count - count;
    if (duplicates > 0) {
      const twice = `${plural(duplicates, 'page record')} repeated (the first counts)`;
      this.#problem = this.#problem === undefined ? twice : `${this.#problem}; ${twice}`;
    }
    this.#pfns = pfns;
    this.#offsets = offsets;
    this.#count = count;
    this.#runs = [0];
    this.#resize(count);
  }
}

function u32(bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return word >>> 0;
}

function isPfn(pfn: number): boolean {
  return Number.isInteger(pfn) && pfn >= 0 && pfn <= maxPfn;
}

/** What is wrong with a record that is not the end record. */
export function recordFlaw(
  record: { pfn: number; size: number; flags: number },
  pageSize: number,
): string | undefined {
  const { pfn, size, flags } = record;
  const kind = flags & (PageFlags.raw | PageFlags.compressed);
  if (kind !== PageFlags.raw && kind !== PageFlags.compressed) {
    return `flags 0x${flags.toString(16)}`;
  }
  if (!Number.isInteger(pfn) || pfn < 0)
    return `address 0x${(pfn * pageSize).toString(16)} is no page`;
  if (pfn > maxPfn) return `address 0x${(pfn * pageSize).toString(16)} is beyond 16 TiB`;
  if (kind === PageFlags.raw && size !== pageSize && size !== 0) return `raw page of ${size} bytes`;
  if (kind === PageFlags.compressed && (size === 0 || size > pageSize)) {
    return `compressed page of ${size} bytes`;
  }
  return undefined;
}
