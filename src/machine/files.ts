/**
 * The file system area of the disk, as far as a capture needs one: files that grow one after the
 * other, a rename that is atomic, and ENOSPC. Writes go through a buffer as through a page cache.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import type { Disk, DiskContent, Partition } from './disk.ts';

interface FileEntry {
  name: string;
  /** Byte offset in the partition. */
  readonly start: number;
  size: number;
}

export type SavedFiles = readonly Readonly<FileEntry>[];

/** A file that lies on the disk's partition for files. */
export function fileOn(disk: DiskContent, { name, start, size }: Readonly<FileEntry>): Source {
  const at = disk.partition('files').start + start;
  return {
    name,
    size,
    isQuick: true,
    read: (offset, length) => disk.peek(at + offset, Math.max(0, Math.min(length, size - offset))),
    pieces: () => disk.pieces(at, size),
    close: () => {},
  };
}

const bufferSize = 256 * 1024;

/** A driver's write to the disk. Throws DumpErrors `io`. */
export type BlockWrite = (offset: number, parts: readonly Uint8Array[]) => void;

export class FileArea {
  readonly #disk: Disk;
  readonly #partition: Partition;
  readonly #files: FileEntry[];

  constructor(disk: Disk, saved: SavedFiles = []) {
    this.#disk = disk;
    this.#partition = disk.partition('files');
    this.#files = saved.map((file) => ({ ...file }));
  }

  names(): string[] {
    return this.#files.map((file) => file.name);
  }

  /** A new file behind all others; the newest one alone may grow. `io` where the area is full. */
  create(name: string, write: BlockWrite = this.#writeDirectly): Sink {
    const last = this.#files.at(-1);
    const start = last === undefined ? 0 : Math.ceil((last.start + last.size) / 4096) * 4096;
    const file: FileEntry = { name, start, size: 0 };
    this.#files.push(file);
    return new BufferedFile(name, (offset, parts) => this.#write(file, offset, parts, write));
  }

  rename(from: string, to: string): void {
    this.#find(from).name = to;
  }

  /** Its space is not given back. */
  remove(name: string): void {
    this.#files.splice(this.#files.indexOf(this.#find(name)), 1);
  }

  has(name: string): boolean {
    return this.#files.some((file) => file.name === name);
  }

  open(name: string): Source {
    return fileOn(this.#disk, this.#find(name));
  }

  save(): SavedFiles {
    return this.#files.map((file) => ({ ...file }));
  }

  #find(name: string): FileEntry {
    const file = this.#files.find((entry) => entry.name === name);
    if (file === undefined) {
      throw new DumpError('absent', `no file ${name} in the machine's file system`);
    }
    return file;
  }

  readonly #writeDirectly: BlockWrite = (offset, parts) => {
    const { result } = this.#disk.write(offset, parts);
    if (result !== 'ok') throw new DumpError('io', `${this.#partition.name}: ${result}`);
  };

  #write(file: FileEntry, offset: number, parts: readonly Uint8Array[], write: BlockWrite): void {
    const end = offset + parts.reduce((sum, part) => sum + part.length, 0);
    if (file.start + end > this.#partition.size) {
      throw new DumpError('io', `no space left on ${this.#partition.name} for ${file.name}`);
    }
    write(this.#partition.start + file.start + offset, parts);
    file.size = Math.max(file.size, end);
  }
}

/** Collects neighbouring writes; what is written as kept goes to the disk without a copy. */
class BufferedFile implements Sink {
  readonly name: string;
  readonly #flushTo: (offset: number, parts: readonly Uint8Array[]) => void;
  #parts: Uint8Array[] = [];
  #start = 0;
  #length = 0;

  constructor(name: string, flushTo: (offset: number, parts: readonly Uint8Array[]) => void) {
    this.name = name;
    this.#flushTo = flushTo;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.writeKept(offset, [bytes.slice()]);
  }

  writeKept(offset: number, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const follows = offset === this.#start + this.#length;
    if (!follows || this.#length + length > bufferSize) this.#flush();
    if (length > bufferSize) {
      this.#flushTo(offset, parts);
      return;
    }
    if (this.#length === 0) this.#start = offset;
    for (const part of parts) this.#parts.push(part);
    this.#length += length;
  }

  finish(): void {
    this.#flush();
  }

  abort(): void {
    this.#clear();
  }

  #flush(): void {
    if (this.#length === 0) return;
    const parts = this.#parts;
    this.#clear();
    this.#flushTo(this.#start, parts);
  }

  #clear(): void {
    this.#parts = [];
    this.#length = 0;
  }
}
