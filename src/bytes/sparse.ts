/**
 * Bytes one after another, of which long stretches of zeros are not written: a sink's gaps read
 * back as zeros, and a file has holes there that take no room on the disk.
 */

import { Appender, type Sink } from './sink.ts';

/** Shorter stretches are written: a write for each piece would cost more than it saves. */
const shortestHole = 64 * 1024;
const zeros = new Uint8Array(shortestHole);

export class SparseAppender {
  readonly #sink: Sink;
  readonly #pieceSize: number;
  #appender: Appender;
  #pending = 0;

  constructor(sink: Sink, offset: number, pieceSize: number) {
    this.#sink = sink;
    this.#pieceSize = pieceSize;
    this.#appender = new Appender(sink, offset, pieceSize);
  }

  /** Where the next byte goes. */
  get offset(): number {
    return this.#appender.offset + this.#pending;
  }

  append(bytes: Uint8Array): void {
    this.#settle();
    this.#appender.append(bytes);
  }

  appendZeros(count: number): void {
    this.#pending += count;
  }

  /** Goes on at `offset`, which is not before the last byte. */
  skipTo(offset: number): void {
    this.#pending += offset - this.offset;
  }

  /** Writes what is left, so that the file ends at `offset`. */
  flush(): void {
    if (this.#pending > 0) {
      this.#pending--;
      this.#settle();
      this.#appender.append(zeros.subarray(0, 1));
    }
    this.#appender.flush();
  }

  #settle(): void {
    const hole = this.#pending;
    if (hole === 0) return;
    this.#pending = 0;
    if (hole < shortestHole) {
      this.#appender.append(zeros.subarray(0, hole));
      return;
    }
    this.#appender.flush();
    this.#appender = new Appender(this.#sink, this.#appender.offset + hole, this.#pieceSize);
  }
}
