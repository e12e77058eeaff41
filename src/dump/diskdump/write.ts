/**
 * Writes diskdump files, as savecore made them: what crash opens, of a kernel with KASLR with
 * `--kaslr` and `-m phys_base`. An interrupted write leaves a header that says incomplete.
 */

import type { Sink } from '../../bytes/sink.ts';
import { type DumpContent, isCutShort, type WriteSummary } from '../content.ts';
import { describedWriter, planOf } from '../described-write.ts';
import { type PageOptions, type PageWriter, writePages } from '../page-writer.ts';
import { type DiskdumpOptions, encodeMainHeader, encodeSubHeader } from './encode.ts';
import { DumpStatus } from './layout.ts';

/** Writes the whole file; finishing or aborting the sink is the caller's. */
export function writeDiskdump(
  sink: Sink,
  content: DumpContent,
  options: DiskdumpOptions & PageOptions,
): WriteSummary {
  return writePages(diskdumpWriter(sink, content, options), content.image, options);
}

export function diskdumpWriter(
  sink: Sink,
  content: DumpContent,
  options: DiskdumpOptions,
): PageWriter {
  const subHeader = encodeSubHeader(content, options.level);
  const plan = planOf(content.image, subHeader.length);
  const header = (status: number): Uint8Array =>
    encodeMainHeader(content, options, {
      status,
      subHeaderBlocks: plan.subHeaderBlocks,
      bitmapBlocks: plan.bitmapBlocks,
      ramPages: plan.ram.count,
      deviceBlocks: 0,
      writtenBlocks: 0,
    });
  const statusOf = (counts: Pick<WriteSummary, 'unreadable'>): number =>
    isCutShort(content, counts) ? DumpStatus.incompleted : DumpStatus.completed;
  const first = sink.isPipe === true ? statusOf({ unreadable: 0 }) : DumpStatus.incompleted;
  sink.write(0, header(first));
  const subHeaderBlocks = new Uint8Array(plan.subHeaderBlocks * plan.blockSize);
  subHeaderBlocks.set(subHeader);
  sink.write(plan.blockSize, subHeaderBlocks);
  const all = { first: 0, end: plan.endPfn };
  return describedWriter(sink, plan, options.compression, all, (counts) => {
    const last = statusOf(counts);
    if (last !== first) sink.write(0, header(last));
  });
}
