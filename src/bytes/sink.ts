/** Where writers put bytes: random access by absolute offset, gaps read back as zeros. */

export interface Sink {
  readonly name: string;
  /** Of two writes to one place its readers may see either: what is not known yet must wait. */
  readonly isPipe?: boolean;
  /** `bytes` belongs to the caller again when this returns. */
  write(offset: number, bytes: Uint8Array): void;
  /**
   * One write in parts that nobody changes any more: a sink that has this keeps them as they are.
   */
  writeKept?(offset: number, parts: readonly Uint8Array[]): void;
  /** Makes what was written durable and final. Without it no final file ever appears. */
  finish(): void;
  /** Gives up: nothing final appears. */
  abort(): void;
}

/** What takes bytes in order only, as a pipe does. */
export interface Pipe {
  readonly name: string;
  /** `bytes` belongs to the caller again when this returns. */
  append(bytes: Uint8Array): void;
  finish(): void;
  abort(): void;
}

/** A sink that grows in memory. */
export class MemorySink implements Sink {
  readonly name: string;
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  constructor(name = 'memory') {
    this.name = name;
  }

  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, offset);
    this.#length = Math.max(this.#length, end);
  }

  finish(): void {}

  abort(): void {
    this.#length = 0;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Bytes one after another from a given offset, handed to a sink in big pieces. */
export interface Appending {
  /** Where the next byte goes. */
  readonly offset: number;
  append(bytes: Uint8Array): void;
  flush(): void;
}

const usualPiece = 1024 * 1024;

/** Copies what it is given. */
export class Appender implements Appending {
  readonly #sink: Sink;
  readonly #buffer: Uint8Array;
  #start: number;
  #used = 0;

  constructor(sink: Sink, offset: number, pieceSize = usualPiece) {
    this.#sink = sink;
    this.#start = offset;
    this.#buffer = new Uint8Array(pieceSize);
  }

  get offset(): number {
    return this.#start + this.#used;
  }

  append(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#buffer.length) this.flush();
    if (bytes.length > this.#buffer.length) {
      this.#sink.write(this.#start, bytes);
      this.#start += bytes.length;
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#sink.write(this.#start, this.#buffer.subarray(0, this.#used));
    this.#start += this.#used;
    this.#used = 0;
  }
}

/** For bytes that nobody changes any more: a sink that can keep them is given them as they are. */
export function appenderOfKept(sink: Sink, offset: number, pieceSize = usualPiece): Appending {
  if (sink.writeKept === undefined) return new Appender(sink, offset, pieceSize);
  return new KeptAppender(sink.writeKept.bind(sink), offset, pieceSize);
}

class KeptAppender implements Appending {
  readonly #writeKept: NonNullable<Sink['writeKept']>;
  readonly #pieceSize: number;
  #parts: Uint8Array[] = [];
  #start: number;
  #used = 0;

  constructor(writeKept: NonNullable<Sink['writeKept']>, offset: number, pieceSize: number) {
    this.#writeKept = writeKept;
    this.#start = offset;
    this.#pieceSize = pieceSize;
  }

  get offset(): number {
    return this.#start + this.#used;
  }

  append(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#pieceSize) this.flush();
    this.#parts.push(bytes);
    this.#used += bytes.length;
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#writeKept(this.#start, this.#parts);
    this.#parts = [];
    this.#start += this.#used;
    this.#used = 0;
  }
}
