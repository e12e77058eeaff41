/**
 * Writes KDUMP version 6: what crash and makedumpfile open without an option. Where a page turns
 * out unreadable, the header says incomplete.
 */

import type { Sink } from '../../bytes/sink.ts';
import type { Codecs, CompressionName } from '../../codec/types.ts';
import type { DumpContent, Progress, WriteSummary } from '../content.ts';
import { type Plan, planOf, writeDescribed } from '../described-write.ts';
import { compressionFlags, DiskDumpHeaders } from '../disk-dump.ts';
import { descOffset, encodeNotes, NT_PRSTATUS } from '../notes.ts';
import type { ElfNote } from '../types.ts';
import { NewUtsname } from '../utsname.ts';
import { DumpStatus, KdumpSubHeader, newestVersion, signature } from './layout.ts';

export interface KdumpOptions {
  readonly compression: Exclude<CompressionName, 'rle'>;
  /** makedumpfile's filter bits that the image was filtered by; 0 for all pages. */
  readonly level: number;
  readonly codecs: Codecs;
  readonly progress?: Progress;
}

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeKdump(sink: Sink, content: DumpContent, options: KdumpOptions): WriteSummary {
  const notes = encodeNotes(content.notes);
  const plan = planOf(content.image, KdumpSubHeader.size + notes.length);
  writeHeaders(sink, content, options, plan, 0);
  const written = writeDescribed(sink, content.image, options, plan);
  if (written.unreadable > 0) {
    writeHeaders(sink, content, options, plan, DumpStatus.incomplete);
  }
  return written;
}

function writeHeaders(
  sink: Sink,
  content: DumpContent,
  options: KdumpOptions,
  plan: Plan,
  status: number,
): void {
  const { blockSize, endPfn } = plan;
  const notes = encodeNotes(content.notes);
  const seconds = Math.floor(content.time);
  const cpus = content.notes.filter(isPrstatus).length;
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
    ...vmcoreinfoPlace(content.notes, notesAt),
    offset_note: notes.length > 0 ? notesAt : 0,
    size_note: notes.length,
    max_mapnr_64: endPfn,
  });
  sub.set(notes, KdumpSubHeader.size);
  sink.write(blockSize, sub);
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
