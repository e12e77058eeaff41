/**
 * A machine's disk as an image file, and back: a GUID partition table that every partitioning tool
 * shows, what stands on the partitions, and between table and first partition a list of the files,
 * because the machine's file system is no real one. Sectors of 512 bytes, whatever the disk had.
 * Source: UEFI specification 2.10, chapter 5 (GPT); Discoverable Partitions Specification (types).
 */

import { sameBytes } from '../bytes/compare.ts';
import { crc32 } from '../bytes/crc32.ts';
import { DumpError } from '../bytes/errors.ts';
import type { Extent } from '../bytes/extents.ts';
import type { Sink } from '../bytes/sink.ts';
import { readExactly, type Source } from '../bytes/source.ts';
import { count64, raw, struct, text, u32 } from '../bytes/struct.ts';
import { latin1Bytes } from '../bytes/text.ts';
import type { Disk, DiskContent, Partition } from './disk.ts';
import { type FileArea, fileOn, type SavedFiles } from './files.ts';

const sector = 512;
const entryCount = 128;
const entrySectors = (entryCount * 128) / sector;
const signature = 'EFI PART';
const revision = 0x1_0000;

const GptHeader = struct(
  'gpt_header',
  {
    signature: text(8, '"EFI PART".'),
    revision: u32('1.0.'),
    header_size: u32('92.'),
    crc: u32('CRC-32 of the header, this member as 0.'),
    reserved: u32('0.'),
    my_lba: count64('Sector of this header.'),
    alternate_lba: count64('Sector of the other one.'),
    first_usable: count64('First sector for partitions.'),
    last_usable: count64('Last one.'),
    disk_guid: raw(16, 'Of the disk.'),
    entries_lba: count64('First sector of the entries.'),
    entry_count: u32('128.'),
    entry_size: u32('128.'),
    entries_crc: u32('CRC-32 of the entries.'),
    padding: u32('Behind the header.'),
  },
  { size: 96 },
);
const headerSize = 92;

const GptEntry = struct(
  'gpt_entry',
  {
    type: raw(16, 'GUID of what the partition is for.'),
    guid: raw(16, 'Of the partition.'),
    first: count64('First sector.'),
    last: count64('Last sector.'),
    attributes: count64('0.'),
    name: raw(72, 'UTF-16: "tsdump dump sda1".'),
  },
  { size: 128 },
);

/** Ours: where each file lies in the partition for files. */
const FileList = struct('tsdump_files', {
  magic: text(8, '"TSDFILES".'),
  count: u32('Entries that follow.'),
  reserved: u32('0.'),
});
const FileEntry = struct('tsdump_file', {
  name: text(240, 'Name.'),
  start: count64('Byte of the partition.'),
  size: count64('Bytes.'),
});
const fileListAt = 64 * 1024;
const fileListMagic = 'TSDFILES';
const maxFiles = 1024;

/** linux reserved, Linux filesystem data. */
const types: Readonly<Record<Partition['use'], string>> = {
  dump: '8da63339-0007-60c0-c436-083ac8230908',
  files: '0fc63daf-8483-4772-8e79-3d69d8477de4',
};
/** Every image has the same: it is made by the same rules each time. */
const guidStem = '7473646d-7000-4000-8000-0000000000';
const pieceSize = 1024 * 1024;

export function writeDiskImage(sink: Sink, disk: Disk, files: FileArea): void {
  const last = disk.partitions.at(-1)!;
  const end = last.start + last.size;
  writeTables(sink, disk.partitions, Math.ceil(end / pieceSize) * pieceSize + pieceSize);
  if (disk.partitions.some(({ use }) => use === 'files')) writeFileList(sink, files.save());
  for (const partition of disk.partitions) writePartition(sink, disk, partition);
}

function writeTables(sink: Sink, partitions: readonly Partition[], size: number): void {
  const entries = new Uint8Array(entryCount * GptEntry.size);
  for (const [index, { name, use, start, size: bytes }] of partitions.entries()) {
    const label = new Uint8Array(72);
    for (const [at, code] of latin1Bytes(`tsdump ${use} ${name}`).entries()) label[at * 2] = code;
    GptEntry.write(entries, index * GptEntry.size, {
      type: guidBytes(types[use]),
      guid: guidBytes(`${guidStem}${(index + 1).toString(16).padStart(2, '0')}`),
      first: start / sector,
      last: (start + bytes) / sector - 1,
      attributes: 0,
      name: label,
    });
  }
  const sectors = size / sector;
  const header = (at: number, other: number, entriesAt: number): Uint8Array => {
    const fields = {
      ...{ signature, revision, header_size: headerSize, reserved: 0, padding: 0 },
      ...{ my_lba: at, alternate_lba: other, entries_lba: entriesAt },
      first_usable: 2 + entrySectors,
      last_usable: sectors - 2 - entrySectors,
      disk_guid: guidBytes(`${guidStem}00`),
      entry_count: entryCount,
      entry_size: GptEntry.size,
      entries_crc: crc32(entries),
    };
    const crc = crc32(GptHeader.encode({ ...fields, crc: 0 }).subarray(0, headerSize));
    const block = new Uint8Array(sector);
    block.set(GptHeader.encode({ ...fields, crc }));
    return block;
  };
  sink.write(0, protectiveMbr(sectors));
  sink.write(sector, header(1, sectors - 1, 2));
  sink.write(2 * sector, entries);
  sink.write(size - sector - entries.length, entries);
  sink.write(size - sector, header(sectors - 1, 1, sectors - 1 - entrySectors));
}

/** For tools that know no GPT: one partition of type 0xee over everything. */
function protectiveMbr(sectors: number): Uint8Array {
  const block = new Uint8Array(sector);
  block.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0], 446);
  new DataView(block.buffer).setUint32(458, Math.min(sectors - 1, 0xffff_ffff), true);
  block.set([0x55, 0xaa], 510);
  return block;
}

/** Of a GUID, bytes: the first three groups are little-endian numbers. */
const littleEndianGroups = [
  [0, 4],
  [4, 6],
  [6, 8],
] as const;

function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: 16 }, (_, at) =>
    Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16),
  );
  for (const [from, end] of littleEndianGroups) bytes.subarray(from, end).reverse();
  return bytes;
}

function writeFileList(sink: Sink, files: SavedFiles): void {
  if (files.length > maxFiles) throw new DumpError('unsupported', 'too many files for an image');
  const bytes = new Uint8Array(FileList.size + files.length * FileEntry.size);
  FileList.write(bytes, 0, { magic: fileListMagic, count: files.length, reserved: 0 });
  for (const [index, file] of files.entries()) {
    FileEntry.write(bytes, FileList.size + index * FileEntry.size, file);
  }
  sink.write(fileListAt, bytes);
}

function writePartition(sink: Sink, disk: Disk, partition: Partition): void {
  const { start, size } = partition;
  if (disk.holding(partition) === 'nothing') {
    for (const [offset, bytes] of disk.pieces(start, size)) sink.write(start + offset, bytes);
    return;
  }
  for (let offset = 0; offset < size; offset += pieceSize) {
    const length = Math.min(pieceSize, size - offset);
    sink.write(start + offset, disk.peek(start + offset, length));
  }
}

/** A disk as an image file has it: what is looked at after the reboot. */
export class DiskImage implements DiskContent {
  readonly partitions: readonly Partition[];
  readonly files: SavedFiles;
  readonly #source: Source;

  /** `unsupported` for what is no image of ours, `corrupt` for one that contradicts itself. */
  constructor(source: Source) {
    this.#source = source;
    this.partitions = readPartitions(source);
    const hasFiles = this.partitions.some(({ use }) => use === 'files');
    this.files = hasFiles ? readFileList(source) : [];
  }

  get name(): string {
    return this.#source.name;
  }

  partition(use: Partition['use']): Partition {
    const found = this.partitions.find((partition) => partition.use === use);
    if (found !== undefined) return found;
    throw new DumpError('absent', `the disk has no partition for ${use}`, {
      where: { file: this.name },
    });
  }

  peek(offset: number, length: number): Uint8Array {
    return readExactly(this.#source, offset, length, 'disk').slice();
  }

  *pieces(offset: number, length: number): Iterable<Extent> {
    for (let at = 0; at < length; at += pieceSize) {
      const size = Math.min(pieceSize, length - at);
      yield [at, this.#source.read(offset + at, size).slice()];
    }
  }

  /** The image stays as it is. */
  format(): void {}
}

function readPartitions(source: Source): Partition[] {
  const bad = (message: string, offset: number): DumpError =>
    new DumpError('corrupt', `partition table: ${message}`, {
      where: { file: source.name, offset },
    });
  const block = source.read(sector, headerSize).slice();
  if (!sameBytes(block.subarray(0, 8), latin1Bytes(signature))) {
    throw new DumpError('unsupported', 'no partition table: this is no image of a disk', {
      where: { file: source.name, offset: sector },
      hint: 'an image is what `tsdump capture --keep-disk` writes',
    });
  }
  const header = GptHeader.read(readExactly(source, sector, GptHeader.size, GptHeader.name));
  block.fill(0, GptHeader.offsetOf('crc'), GptHeader.offsetOf('crc') + 4);
  if (header.header_size !== headerSize || crc32(block) !== header.crc) {
    throw bad('the checksum of its header is wrong', sector);
  }
  const { entry_count, entry_size, entries_lba } = header;
  if (entry_count !== entryCount || entry_size !== GptEntry.size) {
    throw bad(`${entry_count} entries of ${entry_size} bytes`, sector);
  }
  const at = entries_lba * sector;
  const entries = readExactly(source, at, entryCount * GptEntry.size, 'partition entries').slice();
  if (crc32(entries) !== header.entries_crc) throw bad('the checksum of its entries is wrong', at);
  return Array.from({ length: entryCount }, (_, index) => index * GptEntry.size).flatMap(
    (place) => {
      const { name, first, last } = GptEntry.read(entries, place);
      const label = String.fromCharCode(
        ...name.filter((byte, index) => index % 2 === 0 && byte > 0),
      );
      const [, use, called] = /^tsdump (dump|files) (\w+)$/.exec(label) ?? [];
      if (use !== 'dump' && use !== 'files') return [];
      if (last < first) throw bad(`partition ${called} ends before it starts`, at + place);
      if ((last + 1) * sector > source.size) {
        throw new DumpError('truncated', `partition ${called} ends behind the end of the image`, {
          where: { file: source.name, offset: at + place },
        });
      }
      const size = (last - first + 1) * sector;
      return [{ name: called!, use, holds: 'nothing' as const, start: first * sector, size }];
    },
  );
}

function readFileList(source: Source): SavedFiles {
  const front = FileList.read(readExactly(source, fileListAt, FileList.size, FileList.name));
  if (front.magic !== fileListMagic) return [];
  if (front.count > maxFiles) {
    throw new DumpError('corrupt', `a list of ${front.count} files`, {
      where: { file: source.name, offset: fileListAt },
    });
  }
  const at = fileListAt + FileList.size;
  const bytes = readExactly(source, at, front.count * FileEntry.size, FileEntry.name);
  return Array.from({ length: front.count }, (_, index) =>
    FileEntry.read(bytes, index * FileEntry.size),
  );
}

/** The files of an image, as the system after the reboot finds them. */
export function filesOf(disk: DiskImage): Pick<FileArea, 'names' | 'has' | 'open'> {
  const find = (name: string) => disk.files.find((file) => file.name === name);
  return {
    names: () => disk.files.map(({ name }) => name),
    has: (name) => find(name) !== undefined,
    open(name) {
      const file = find(name);
      if (file !== undefined) return fileOn(disk, file);
      throw new DumpError('absent', `no file ${name} on the disk`, { where: { file: disk.name } });
    },
  };
}
