/**
 * savecore after the reboot: a file of what is on a partition, which it formats again. That of
 * RHEL 4 writes a diskdump file; those before it wrote what netdump's server writes.
 */

import type { Sink } from '../../bytes/sink.ts';
import type { Source } from '../../bytes/source.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import type { DumpContent } from '../../dump/content.ts';
import { formOf, partitionBlockSize } from '../../dump/diskdump/detect.ts';
import {
  factsOf,
  type Headers,
  readHeaders,
  statusProblem,
  tasksOf,
} from '../../dump/diskdump/header.ts';
import {
  DumpStatus,
  type FormatRelease,
  formatReleases,
  isFormatted,
  partitionHeaderBlock,
} from '../../dump/diskdump/layout.ts';
import { isDumpedTo, PartitionPages } from '../../dump/diskdump/partition-read.ts';
import { writeDiskdump } from '../../dump/diskdump/write.ts';
import { DumpFile } from '../../dump/dump-file.ts';
import { writeElf } from '../../dump/elf/write.ts';
import { prstatusNote, registersOf } from '../../dump/notes.ts';
import type { ElfNote } from '../../dump/types.ts';
import { NewUtsname } from '../../dump/utsname.ts';
import type { DiskContent, Partition } from '../../machine/disk.ts';
import { finalName, incompleteName } from '../_net/link.ts';
import type { AfterReboot, CaptureOptions, CaptureTools, Saved } from '../method.ts';
import { saveFrom } from '../save-file.ts';
import { isEarly } from './release.ts';

interface Found {
  readonly disk: DiskContent;
  readonly partition: Partition;
  readonly source: Source;
  readonly headers: Headers;
}

/**
 * The first complete dump on any dump partition, else what netdump sent to its server, else the
 * first one. Undefined without any.
 */
export function saveDiskdump(
  { disks, outside }: AfterReboot,
  sink: Sink,
  options: CaptureOptions,
  tools: CaptureTools,
): Saved | undefined {
  const found = disks.flatMap((disk) =>
    disk.partitions
      .filter(({ use }) => use === 'dump')
      .flatMap((partition) => {
        const source = sourceOf(disk, partition);
        if (formOf(source) !== 'partition' || !isDumpedTo(source)) return [];
        const headers = readHeaders(source, partitionHeaderBlock * partitionBlockSize);
        return [{ disk, partition, source, headers }];
      }),
  );
  const whole = found.find(({ headers }) => statusProblem(headers) === undefined);
  if (whole !== undefined) return saveOne(whole, sink, options, tools);
  const sent = saveFrom(outside, [finalName, incompleteName], sink);
  if (sent !== undefined) return { ...sent, remarks: [...sent.remarks, 'by netdump: ELF'] };
  return found[0] && saveOne(found[0], sink, options, tools);
}

function saveOne(
  { disk, partition, source, headers }: Found,
  sink: Sink,
  options: CaptureOptions,
  { codecs, progress }: CaptureTools,
): Saved {
  const pages = new PartitionPages(source, headers, codecs);
  const facts = factsOf(source, 'partition', headers);
  const image = new DumpFile(source, { facts, pages }, 2);
  const { main } = headers;
  const content: DumpContent = {
    image,
    isIncomplete: () => image.incomplete !== undefined,
    uts: NewUtsname.read(main.utsname),
    time: Number(main.tv_sec),
    notes: [],
    vmcoreinfo: facts.vmcoreinfo,
    physBase: 0n,
    panic: { message: '', task: facts.panic?.task ?? 0n, cpu: main.current_cpu },
    cpus: tasksOf(source, headers).map((task, cpu) => {
      const own = cpu === main.current_cpu ? facts.cpus[0]?.registers : undefined;
      return { task, registers: own ?? registersOf([]), stack: 0n };
    }),
  };
  const isPacked = (main.status & DumpStatus.compressed) !== 0;
  const watched = { codecs, ...(progress === undefined ? {} : { progress }) };
  const written = isEarly(options)
    ? writeElf(sink, { ...content, notes: notesOf(content) }, { style: 'netdump', ...watched })
    : writeDiskdump(sink, content, {
        compression: isPacked ? 'zlib' : 'none',
        level: facts.level ?? 0,
        ...watched,
      });
  const problem = image.incomplete;
  const release = formattedBy(source);
  if (release !== undefined) disk.format(partition, `diskdump ${release}`);
  return { bytes: written.bytes, remarks: problem === undefined ? [] : [problem] };
}

/** As a netdump has them. */
function notesOf({ cpus, panic, vmcoreinfo }: DumpContent): ElfNote[] {
  const { registers } = cpus[panic?.cpu ?? 0]!;
  const text = vmcoreinfo && { name: 'VMCOREINFO', type: 0, desc: encodeUtf8(vmcoreinfo) };
  return [prstatusNote(registers, 0), ...(text ? [text] : [])];
}

/** Undefined for a swap area: that is nobody's to format. */
function formattedBy(source: Source): FormatRelease | undefined {
  const front = source.read(0, partitionBlockSize);
  return formatReleases.find((release) => isFormatted(front, 0, release));
}

function sourceOf(disk: DiskContent, { name, start, size }: Partition): Source {
  const lengthAt = (offset: number, length: number): number =>
    Math.max(0, Math.min(length, size - offset));
  return {
    name,
    size,
    isQuick: true,
    read: (offset, length) => disk.peek(start + offset, lengthAt(offset, length)),
    pieces: () => disk.pieces(start, size),
    close: () => {},
  };
}
