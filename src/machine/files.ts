/**
 * The file system area of the disk, as far as a capture needs one: files that grow one after the
 * other, a rename that is atomic, and ENOSPC. Writes go through a buffer as through a page cache.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Sink } from '../bytes/sink.ts';
import type { Source } from '../bytes/source.ts';
import type { Disk, Partition } from './disk.ts';

interface FileEntry {
  name: string;
  /** Byte offset in the partition. */
  readonly start: number;
  size: number;
}

export type SavedFiles = readonly Readonly<FileEntry>[];

const bufferSize = 256 * 1024;

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
  create(name: string): Sink {
    const last = this.#files.at(-1);
    const start = last === undefined ? 0 : Math.ceil((last.start + last.size) / 4096) * 4096;
    const file: FileEntry = { name, start, size: 0 };
    this.#files.push(file);
    return new BufferedFile(name, (offset, bytes) => this.#write(file, offset, bytes));
  }

  rename(from: string, to: string): void {
    this.#find(from).name = to;
  }

  has(name: string): boolean {
    return this.#files.some((file) => file.name === name);
  }

  open(name: string): Source {
    const file = this.#find(name);
    const start = this.#partition.start + file.start;
    return {
      name,
      size: file.size,
      read: (offset, length) =>
        this.#disk.peek(start + offset, Math.max(0, Math.min(length, file.size - offset))),
      close: () => {},
    };
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

  #write(file: FileEntry, offset: number, bytes: Uint8Array): void {
    if (file.start + offset + bytes.length > this.#partition.size) {
      throw new DumpError('io', `no space left on ${this.#partition.name} for ${file.name}`);
    }
    this.#disk.write(this.#partition.start + file.start + offset, bytes);
    file.size = Math.max(file.size, offset + bytes.length);
  }
}

class BufferedFile implements Sink {
  readonly name: string;
  readonly #flushTo: (offset: number, bytes: Uint8Array) => void;
  readonly #buffer = new Uint8Array(bufferSize);
  #start = 0;
  #length = 0;

  constructor(name: string, flushTo: (offset: number, bytes: Uint8Array) => void) {
    this.name = name;
    this.#flushTo = flushTo;
  }

  write(offset: number, bytes: Uint8Array): void {
    const follows = offset === this.#start + this.#length;
    if (!follows || this.#length + bytes.length > bufferSize) this.#flush();
    if (bytes.length > bufferSize) {
      this.#flushTo(offset, bytes);
      return;
    }
    if (this.#length === 0) this.#start = offset;
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  finish(): void {
    this.#flush();
  }

  abort(): void {
    this.#length = 0;
  }

  #flush(): void {
    if (this.#length === 0) return;
    this.#flushTo(this.#start, this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
