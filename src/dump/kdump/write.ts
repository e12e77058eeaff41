/**
 * Writes KDUMP version 6, whole or in parts: what crash and makedumpfile open without an option.
 * Each part of a split dump has all headers and both bitmaps, and the descriptors and data of its
 * own pages, as makedumpfile --split writes them. The header says incomplete until all is written,
 * and where a page turned out unreadable.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { Sink } from '../../bytes/sink.ts';
import type { CompressionName } from '../../codec/types.ts';
import { type DumpContent, isCutShort, type WriteSummary } from '../content.ts';
import { describedWriter, type Plan, planOf } from '../described-write.ts';
import { compressionFlags, DiskDumpHeaders } from '../disk-dump.ts';
import { descOffset, encodeNotes, eraseinfoName, NT_PRSTATUS } from '../notes.ts';
import { type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import type { ElfNote, PfnRange } from '../types.ts';
import { NewUtsname } from '../utsname.ts';
import { DumpStatus, KdumpSubHeaders, newestVersion, signature } from './layout.ts';

const KdumpSubHeader = KdumpSubHeaders.x86_64;

export interface KdumpOptions {
  readonly compression: Exclude<CompressionName, 'rle'>;
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
}

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeKdump(
  sink: Sink,
  content: DumpContent,
  options: KdumpOptions & PageOptions,
): WriteSummary {
  return writePages(kdumpWriter(sink, content, options), content.image, options);
}

export function kdumpWriter(sink: Sink, content: DumpContent, options: KdumpOptions): PageWriter {
  return partWriter(jobOf(content), sink, options, 'whole');
}

/**
 * A writer for each part of a split dump, with about the same number of pages in each; they are
 * begun one after another. `total`: pages of all parts.
 */
export function kdumpPartWriters(
  sinks: readonly Sink[],
  content: DumpContent,
  options: KdumpOptions,
): { readonly total: number; begin(): PageWriter }[] {
  const job = jobOf(content);
  const { endPfn, pages } = job.plan;
  let first = 0;
  return sinks.map((sink, index) => {
    const isLast = index === sinks.length - 1;
    const share = Math.round((pages * (index + 1)) / sinks.length);
    const wanted = Math.ceil(pfnOfRank(job.plan, share) / partAlign) * partAlign;
    const part = { first, end: isLast ? endPfn : Math.min(endPfn, wanted) };
    first = part.end;
    return { total: pages, begin: () => partWriter(job, sink, options, part) };
  });
}

/** crash counts the pages of a part from its first word of 64 bits of the bitmap on. */
const partAlign = 64;

/** The first PFN that has so many stored pages before it. */
function pfnOfRank({ stored, endPfn }: Plan, rank: number): number {
  let low = 0;
  let high = endPfn;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (stored.rank(middle) < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What all parts have in common. */
interface Job {
  readonly content: DumpContent;
  readonly notes: readonly ElfNote[];
  readonly noteBytes: Uint8Array;
  /** The text of what was erased: not among the notes. */
  readonly eraseinfo: Uint8Array;
  readonly plan: Plan;
}

function jobOf(content: DumpContent): Job {
  const { image, architecture = 'x86_64' } = content;
  if (architecture !== 'x86_64') {
    throw new DumpError('unsupported', `a KDUMP file of ${architecture} is not written`, {
      hint: 'LKCD and diskdump are',
    });
  }
  const notes = content.notes.filter(({ name }) => name !== eraseinfoName);
  const erased = content.notes.find(({ name }) => name === eraseinfoName);
  const eraseinfo = erased?.desc ?? new Uint8Array(0);
  const noteBytes = encodeNotes(notes);
  const plan = planOf(image, KdumpSubHeader.size + noteBytes.length + eraseinfo.length);
  return { content, notes, noteBytes, eraseinfo, plan };
}

function partWriter(
  job: Job,
  sink: Sink,
  options: KdumpOptions,
  part: PfnRange | 'whole',
): PageWriter {
  const { plan } = job;
  const held = part === 'whole' ? { first: 0, end: plan.endPfn } : part;
  const statusOf = (counts: Pick<WriteSummary, 'unreadable'>): number =>
    isCutShort(job.content, counts) ? DumpStatus.incomplete : 0;
  const first = sink.isPipe === true ? statusOf({ unreadable: 0 }) : DumpStatus.incomplete;
  writeHeaders(job, sink, options, part, first);
  return describedWriter(sink, plan, options.compression, held, (counts) => {
    const last = statusOf(counts);
    if (last !== first) writeHeaders(job, sink, options, part, last);
  });
}

function writeHeaders(
  { content, notes, noteBytes, eraseinfo, plan }: Job,
  sink: Sink,
  options: KdumpOptions,
  part: PfnRange | 'whole',
  status: number,
): void {
  const { blockSize, endPfn } = plan;
  const seconds = Math.floor(content.time);
  const cpus = notes.filter(isPrstatus).length;
  const header = new Uint8Array(blockSize);
  DiskDumpHeaders.x86_64.write(header, 0, {
    signature,
    header_version: newestVersion,
    utsname: NewUtsname.encode(content.uts),
    tv_sec: BigInt(seconds),
    tv_usec: BigInt(Math.round((content.time - seconds) * 1e6)),
    status: status | compressionFlags.get(options.compression)!,
    block_size: blockSize,
    sub_hdr_size: plan.subHeaderBlocks,
    bitmap_blocks: plan.bitmapBlocks,
    max_mapnr: Math.min(endPfn, 0xffffffff),
    nr_cpus: Math.max(1, cpus),
  });
  sink.write(0, header);
  const notesAt = blockSize + KdumpSubHeader.size;
  const sub = new Uint8Array(plan.subHeaderBlocks * blockSize);
  KdumpSubHeader.write(sub, 0, {
    phys_base: content.physBase,
    dump_level: options.level,
    ...(part === 'whole' ? undefined : rangeFields(part)),
    ...vmcoreinfoPlace(notes, notesAt),
    offset_note: noteBytes.length > 0 ? notesAt : 0,
    size_note: noteBytes.length,
    offset_eraseinfo: eraseinfo.length > 0 ? notesAt + noteBytes.length : 0,
    size_eraseinfo: eraseinfo.length,
    max_mapnr_64: endPfn,
  });
  sub.set(noteBytes, KdumpSubHeader.size);
  sub.set(eraseinfo, KdumpSubHeader.size + noteBytes.length);
  sink.write(blockSize, sub);
}

function rangeFields({ first, end }: PfnRange): Parameters<typeof KdumpSubHeader.encode>[0] {
  return {
    split: 1,
    start_pfn: BigInt(first),
    end_pfn: BigInt(end),
    start_pfn_64: BigInt(first),
    end_pfn_64: BigInt(end),
  };
}

function isPrstatus({ name, type }: ElfNote): boolean {
  return name === 'CORE' && type === NT_PRSTATUS;
}

/** The text stands inside the notes; the sub header points at it. */
function vmcoreinfoPlace(
  notes: readonly ElfNote[],
  notesAt: number,
): { offset_vmcoreinfo: number; size_vmcoreinfo: number } {
  const index = notes.findIndex(({ name }) => name === 'VMCOREINFO');
  if (index < 0) return { offset_vmcoreinfo: 0, size_vmcoreinfo: 0 };
  return {
    offset_vmcoreinfo: notesAt + descOffset(notes, index),
    size_vmcoreinfo: notes[index]!.desc.length,
  };
}
