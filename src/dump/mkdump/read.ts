/**
 * Reads mkdump's container. Pages behind what the writer had done, or behind the file's end, are
 * missing, and the dump is incomplete.
 */

import { DumpError, within } from '../../bytes/errors.ts';
import { lowerBound } from '../../bytes/ranges.ts';
import { readExactly, type Source } from '../../bytes/source.ts';
import { readStruct, type Values } from '../../bytes/struct.ts';
import { architectureOf } from '../architecture.ts';
import { zeroPageOf } from '../content.ts';
import { isBlockSize } from '../disk-dump.ts';
import type { DumpFacts, OpenContext, OpenedFile, PageReader } from '../format.ts';
import { cpuStatesOf, maxNotesSize, parseNotes, vmcoreinfoOf } from '../notes.ts';
import { joinRuns } from '../runs.ts';
import type { ElfNote, Page, PageRun, PageState } from '../types.ts';
import { NewUtsname, utsnameOf } from '../utsname.ts';
import { formatVersion, MkdumpHeader, MkdumpRange, RangeKind, Status } from './layout.ts';

type Header = Values<typeof MkdumpHeader.fields>;

/** x86-64's physical addresses have 52 bits. */
const pfnLimit = 2 ** 40;

export async function openMkdump(source: Source, _context: OpenContext): Promise<OpenedFile> {
  const header = readHeader(source);
  const table = readRanges(source, header);
  const { notes, problem } = readNotes(source, header);
  const problems = problem === undefined ? [] : [problem];
  const lack = lackOf(header);
  if (lack !== undefined) problems.push(lack);
  const { machine } = NewUtsname.read(header.utsname);
  const architecture = architectureOf(machine) ?? 'x86_64';
  const hasPanicked = header.panic_cpu >= 0;
  const facts: DumpFacts = {
    format: 'mkdump',
    description: `mkdump v${header.version}`,
    architecture,
    uts: utsnameOf(header.utsname),
    time: header.tv_sec === 0n ? undefined : Number(header.tv_sec),
    notes,
    cpus: cpuStatesOf(notes, architecture),
    vmcoreinfo: vmcoreinfoOf(notes),
    physBase: BigInt.asIntN(64, header.phys_base),
    panic: hasPanicked ? { message: header.panic, task: header.panic_task } : undefined,
    level: header.level,
  };
  return { facts, pages: new MkdumpPages(source, header, table, problems) };
}

export function readHeader(source: Source): Header {
  const header = readStruct(source, 0, MkdumpHeader);
  const whereOf = (field: keyof Header): { file: string; offset: number } => {
    return { file: source.name, offset: MkdumpHeader.offsetOf(field) };
  };
  if (header.version !== formatVersion) {
    throw new DumpError('unsupported', `mkdump version ${header.version}`, {
      where: whereOf('version'),
      hint: `version ${formatVersion} is known`,
    });
  }
  if (!isBlockSize(header.page_size)) {
    throw new DumpError('corrupt', `mkdump header: page size ${header.page_size}`, {
      where: whereOf('page_size'),
    });
  }
  return header;
}

/** Why the memory is not whole, by the header. */
export function lackOf({ status, data_done }: Header): string | undefined {
  if (status === Status.complete) return undefined;
  return status === Status.partial
    ? 'what it was written from was not whole'
    : `the writer was interrupted after ${data_done} bytes of memory`;
}

interface Range {
  readonly first: number;
  readonly end: number;
  readonly kind: number;
  /** File offset of the first page, for those that have any. */
  readonly offset: number;
}

export function readRanges(source: Source, header: Header): Range[] {
  const size = header.range_count * MkdumpRange.size;
  const bytes = readExactly(source, header.ranges_offset, size, 'table of ranges');
  const ranges: Range[] = [];
  let offset = header.data_offset;
  for (let index = 0; index < header.range_count; index++) {
    const at = index * MkdumpRange.size;
    const where = { file: source.name, offset: header.ranges_offset + at };
    const range = within(`range ${index}`, where, () => MkdumpRange.read(bytes, at));
    const { first_pfn: first, pages, kind } = range;
    const end = first + pages;
    const isKnown = kind <= RangeKind.lost;
    if (!isKnown || pages < 1 || end > pfnLimit || first < (ranges.at(-1)?.end ?? 0)) {
      const message = `range ${index}: ${pages} pages from ${first} on, kind ${kind}`;
      throw new DumpError('corrupt', message, { where });
    }
    ranges.push({ first, end, kind, offset });
    if (kind === RangeKind.stored || kind === RangeKind.lost) offset += pages * header.page_size;
  }
  return ranges;
}

interface NotesOfFile {
  readonly notes: readonly ElfNote[];
  readonly problem: string | undefined;
}

/** Damaged notes do not lose the memory. */
function readNotes(source: Source, { notes_offset, notes_size }: Header): NotesOfFile {
  const there = Math.max(0, Math.min(notes_size, maxNotesSize, source.size - notes_offset));
  const { notes, problem } = parseNotes(source.read(notes_offset, there));
  const cut = there < notes_size ? `${there} of ${notes_size} bytes can be read` : undefined;
  const reason = problem ?? cut;
  return { notes, problem: reason === undefined ? undefined : `ELF notes: ${reason}` };
}

class MkdumpPages implements PageReader {
  readonly pageSize: number;
  readonly endPfn: number;
  readonly incomplete: string | undefined;
  readonly #source: Source;
  readonly #ranges: readonly Range[];
  readonly #ends: readonly number[];
  /** One past the last byte that can be a page's. */
  readonly #dataEnd: number;

  constructor(source: Source, header: Header, ranges: readonly Range[], problems: string[]) {
    this.pageSize = header.page_size;
    this.#source = source;
    this.#ranges = ranges;
    this.#ends = ranges.map(({ end }) => end);
    this.endPfn = this.#ends.at(-1) ?? 0;
    this.#dataEnd = Math.min(source.size, header.data_offset + header.data_done);
    const needed = ranges.reduce(
      (most, { first, end, kind, offset }) =>
        kind === RangeKind.stored ? offset + (end - first) * header.page_size : most,
      0,
    );
    const all = [...problems];
    if (needed > source.size) {
      all.push(`the file is cut at ${source.size} bytes, its pages need ${needed}`);
    } else if (needed > this.#dataEnd && header.status === Status.complete) {
      all.push(`the header says that only ${header.data_done} bytes of memory were written`);
    }
    if (ranges.some(({ kind }) => kind === RangeKind.lost)) {
      all.push('pages were lost when it was written');
    }
    this.incomplete = all.length === 0 ? undefined : all.join('; ');
  }

  state(pfn: number): PageState {
    const range = this.#rangeOf(pfn);
    return range === undefined ? 'missing' : this.#stateIn(range, pfn);
  }

  runs(): Iterable<PageRun> {
    return joinRuns(this.#pieces());
  }

  lost(): Iterable<PageRun> {
    return joinRuns(this.#lost());
  }

  *#lost(): Generator<PageRun> {
    for (const run of this.#pieces()) {
      const isDue = run.end > run.first && this.#rangeOf(run.first) !== undefined;
      if (run.state === 'missing' && isDue) yield run;
    }
  }

  load(pfn: number): Page {
    const range = this.#rangeOf(pfn);
    const state = this.state(pfn);
    if (range === undefined || state === 'excluded') return { state, bytes: undefined };
    if (state === 'zero') return { state, bytes: zeroPageOf(this.pageSize) };
    const offset = this.#offsetIn(range, pfn);
    const where = { file: this.#source.name, offset, pfn };
    if (range.kind === RangeKind.lost) {
      const problem = new DumpError('absent', 'the page could not be read for the dump', { where });
      return { state: 'missing', bytes: undefined, problem };
    }
    if (state === 'missing') {
      const problem = new DumpError('truncated', 'the page was not written any more', {
        where,
        hint: 'the pages before it can be read',
      });
      return { state, bytes: undefined, problem };
    }
    return { state, bytes: readExactly(this.#source, offset, this.pageSize, 'page').slice() };
  }

  *#pieces(): Generator<PageRun> {
    let at = 0;
    for (const range of this.#ranges) {
      const { first, end } = range;
      yield { first: at, end: first, state: 'missing' };
      // Where the data ends, a range is cut in two; what a container lost may be anywhere.
      const left = Math.floor((this.#dataEnd - range.offset) / this.pageSize);
      const cut = Math.max(first, Math.min(end, first + left));
      if (range.kind !== RangeKind.stored) {
        yield { first, end, state: this.#stateIn(range, first) };
      } else if (this.#source.lost === undefined) {
        yield { first, end: cut, state: 'stored' };
        yield { first: cut, end, state: 'missing' };
      } else {
        for (let pfn = first; pfn < cut; pfn++) {
          yield { first: pfn, end: pfn + 1, state: this.#stateIn(range, pfn) };
        }
        yield { first: cut, end, state: 'missing' };
      }
      at = end;
    }
  }

  #rangeOf(pfn: number): Range | undefined {
    const range = this.#ranges[lowerBound(this.#ends, pfn + 1)];
    return range !== undefined && pfn >= range.first ? range : undefined;
  }

  #stateIn(range: Range, pfn: number): PageState {
    if (range.kind === RangeKind.zero) return 'zero';
    if (range.kind === RangeKind.excluded) return 'excluded';
    if (range.kind === RangeKind.lost) return 'missing';
    const offset = this.#offsetIn(range, pfn);
    const isThere = offset + this.pageSize <= this.#dataEnd;
    const isLost = this.#source.lost?.(offset, this.pageSize) === true;
    return isThere && !isLost ? 'stored' : 'missing';
  }

  #offsetIn({ first, offset }: Range, pfn: number): number {
    return offset + (pfn - first) * this.pageSize;
  }
}
