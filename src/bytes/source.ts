/**
 * Random access to bytes that somebody else holds: a file, a buffer, a file inside another format.
 * Reads are synchronous and by absolute offset; nobody seeks and nobody reads a whole dump.
 */

import { DumpError, type Where } from './errors.ts';

export interface Source {
  /** How errors and reports call it: usually the path. */
  readonly name: string;
  readonly size: number;
  /**
   * The bytes at `offset`, fewer than `length` only where the source ends. The result is read-only
   * for the caller and may be overwritten by the next read: copy what must stay.
   */
  read(offset: number, length: number): Uint8Array;
  /** The same into the caller's own memory; the result is how many bytes there were. */
  readInto?(offset: number, target: Uint8Array): number;
  /**
   * Whether any of these bytes should be there and are not, though the source goes on after them;
   * they read as zeros. Only a damaged container has such bytes.
   */
  lost?(offset: number, length: number): boolean;
  /** A read costs next to nothing: nobody is to read ahead. */
  readonly isQuick?: boolean;
  /** The arrays that it is made of, by offset; between them are zeros. They never change. */
  pieces?(): Iterable<readonly [offset: number, bytes: Uint8Array]>;
  close(): void;
}

/** A source over bytes in memory. */
export function memorySource(name: string, bytes: Uint8Array): Source {
  return {
    name,
    size: bytes.length,
    isQuick: true,
    read: (offset, length) => bytes.subarray(offset, Math.min(offset + length, bytes.length)),
    close: () => {},
  };
}

/** Exactly `length` bytes, or `truncated` naming `what` and the offset. Not a copy. */
export function readExactly(
  source: Source,
  offset: number,
  length: number,
  what: string,
): Uint8Array {
  const where: Where = { file: source.name, offset };
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0) {
    throw new DumpError('corrupt', `${what}: offset ${offset}, length ${length}`, { where });
  }
  if (offset + length > source.size) {
    const left = Math.max(0, source.size - offset);
    throw new DumpError('truncated', `${what} needs ${length} bytes, the file has ${left} left`, {
      where,
    });
  }
  if (source.lost?.(offset, length) === true) {
    throw new DumpError('truncated', `${what}: some of its ${length} bytes are lost`, { where });
  }
  const bytes = source.read(offset, length);
  if (bytes.length < length) {
    throw new DumpError('truncated', `${what}: read ${bytes.length} of ${length} bytes`, { where });
  }
  return bytes;
}

/** For who reads a file from one end to the other: a few long windows, and none behind these. */
export function streamed(source: Source): Source {
  return { ...windowed(source, 1024 * 1024, 4), isQuick: true };
}

/**
 * The same source behind a few windows of read-ahead, so that neighbouring small reads (page
 * descriptors, then pages) cost one call to the operating system. Least recently used goes first.
 */
export function windowed(source: Source, windowSize = 128 * 1024, windows = 8): Source {
  const cache = new Map<number, Uint8Array>();
  const windowAt = (index: number): Uint8Array => {
    const known = cache.get(index);
    if (known !== undefined) {
      cache.delete(index);
      cache.set(index, known);
      return known;
    }
    const bytes = readWindow(source, index * windowSize, windowSize, evicted(cache, windows));
    cache.set(index, bytes);
    return bytes;
  };
  return {
    name: source.name,
    size: source.size,
    lost: (offset, length) => source.lost?.(offset, length) === true,
    close: () => source.close(),
    read(offset, wanted) {
      const length = Math.max(0, Math.min(wanted, source.size - offset));
      const first = Math.floor(offset / windowSize);
      const last = Math.floor((offset + length - 1) / windowSize);
      if (length === 0) return new Uint8Array(0);
      if (first === last) {
        const start = offset - first * windowSize;
        return windowAt(first).subarray(start, start + length);
      }
      if (last - first > 1) return source.read(offset, length);
      const split = last * windowSize - offset;
      const joined = new Uint8Array(length);
      const head = windowAt(first).subarray(windowSize - split);
      joined.set(head, 0);
      // Somebody cut the file after it was opened: what is gone is not zeros.
      if (head.length < split) return joined.subarray(0, head.length);
      const tail = windowAt(last).subarray(0, length - split);
      joined.set(tail, split);
      return joined.subarray(0, split + tail.length);
    },
  };
}

/** The memory of the window that was not used for longest, where there are as many as may be. */
function evicted(cache: Map<number, Uint8Array>, windows: number): Uint8Array | undefined {
  if (cache.size < windows) return undefined;
  for (const [index, bytes] of cache) {
    cache.delete(index);
    return bytes;
  }
  return undefined;
}

function readWindow(
  source: Source,
  offset: number,
  size: number,
  memory: Uint8Array | undefined,
): Uint8Array {
  if (source.readInto === undefined) return source.read(offset, size).slice();
  const target = memory?.buffer.byteLength === size ? new Uint8Array(memory.buffer) : undefined;
  const bytes = target ?? new Uint8Array(size);
  return bytes.subarray(0, source.readInto(offset, bytes));
}
