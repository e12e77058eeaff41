/**
 * The flag of a dump that is not whole, set in a file that was written from one that was not: its
 * writer wrote every page that it was given, and cannot know.
 */

import type { Sink } from '../bytes/sink.ts';
import type { CompressionName } from '../codec/types.ts';
import type { DumpContent, WriteSummary } from '../dump/content.ts';
import { compressionFlags, DiskDumpHeaders } from '../dump/disk-dump.ts';
import { DumpStatus as DiskdumpStatus } from '../dump/diskdump/layout.ts';
import { Elf64Header, flagIncomplete } from '../dump/elf/layout.ts';
import { DumpStatus as KdumpStatus } from '../dump/kdump/layout.ts';
import { PageFlags, PageRecord } from '../dump/lkcd/layout.ts';
import { MkdumpHeader, Status } from '../dump/mkdump/layout.ts';

export interface Written {
  readonly format: string;
  readonly compression: CompressionName;
  readonly architecture: NonNullable<DumpContent['architecture']>;
  readonly summary: WriteSummary;
}

/** Before the sink is finished. Formats without such a flag stay as they are. */
export function markIncomplete(sink: Sink, written: Written): void {
  const { format, compression, architecture, summary } = written;
  const put = (offset: number, value: number): void => {
    const word = new Uint8Array(4);
    new DataView(word.buffer).setUint32(0, value, true);
    sink.write(offset, word);
  };
  const packed = compressionFlags.get(compression) ?? 0;
  switch (format) {
    case 'kdump':
      put(DiskDumpHeaders.x86_64.offsetOf('status'), KdumpStatus.incomplete | packed);
      return;
    case 'diskdump': {
      const compressed = compression === 'zlib' ? DiskdumpStatus.compressed : 0;
      put(
        DiskDumpHeaders[architecture].offsetOf('status'),
        DiskdumpStatus.incompleted | compressed,
      );
      return;
    }
    case 'elf':
      put(Elf64Header.offsetOf('e_flags'), flagIncomplete);
      return;
    case 'lkcd': {
      // The end record is the last.
      const flags = PageFlags.end | PageFlags.truncated;
      put(summary.bytes - PageRecord.size + PageRecord.offsetOf('dp_flags'), flags);
      return;
    }
    case 'mkdump':
      put(MkdumpHeader.offsetOf('status'), Status.writing);
      return;
  }
}
