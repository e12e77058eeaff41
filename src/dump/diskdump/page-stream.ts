/**
 * Where each page of a packed stream is: found by reading the pages' headers in their order, no
 * further than a question needs. 8 bytes of memory a page.
 */

import { readExactly, type Source, windowed } from '../../bytes/source.ts';
import { plural } from '../../bytes/text.ts';
import { StreamFlags, StreamPage } from './layout.ts';

const firstCapacity = 4096;

/** Why, and where, there are no more pages: the writer stopped, or what is there is no page. */
export interface StreamEnd {
  readonly kind: 'cut' | 'damage';
  readonly message: string;
  readonly offset: number;
}

export class PageStream {
  readonly #source: Source;
  readonly #end: number;
  readonly #pageSize: number;
  #offsets = new Float64Array(firstCapacity);
  #count = 0;
  #next: number;
  #problem: StreamEnd | undefined;

  /** The stream stands from `start` to `end`, both in the file. */
  constructor(source: Source, start: number, end: number, pageSize: number) {
    this.#source = source.isQuick === true ? source : windowed(source);
    this.#next = start;
    this.#end = end;
    this.#pageSize = pageSize;
  }

  /** Why there may be fewer pages than were dumped, as far as was looked. */
  get problem(): StreamEnd | undefined {
    return this.#problem;
  }

  /** Of the header of the n-th page; undefined where the stream ends before it. */
  offsetOf(index: number): number | undefined {
    while (this.#count <= index && this.#problem === undefined) this.#scan();
    return index >= 0 && index < this.#count ? this.#offsets[index] : undefined;
  }

  /** The data behind a header that offsetOf() gave. */
  dataAt(offset: number): { offset: number; size: number; flags: number } {
    const bytes = readExactly(this.#source, offset, StreamPage.size, StreamPage.name);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return {
      offset: offset + StreamPage.size,
      size: view.getUint32(StreamPage.offsetOf('size'), true),
      flags: view.getUint32(StreamPage.offsetOf('flags'), true),
    };
  }

  #scan(): void {
    const offset = this.#next;
    if (offset + StreamPage.size > this.#end || this.#source.lost?.(offset, StreamPage.size)) {
      this.#stop('cut', `${plural(this.#count, 'packed page')} written`);
      return;
    }
    const { size, flags } = this.dataAt(offset);
    const flaw = this.#flawOf(size, flags);
    if (flaw !== undefined) {
      const message = `the packed page at offset ${offset} is damaged (${flaw}); the rest is lost`;
      this.#stop('damage', message);
      return;
    }
    const end = offset + StreamPage.size + size;
    if (end > this.#end) {
      this.#stop('cut', `${plural(this.#count, 'packed page')} written`);
      return;
    }
    if (this.#count === this.#offsets.length) this.#resize(this.#count * 2);
    this.#offsets[this.#count++] = offset;
    this.#next = end;
  }

  #flawOf(size: number, flags: number): string | undefined {
    if ((flags & ~(StreamFlags.zlib | StreamFlags.anonymous)) !== 0) {
      return `flags 0x${flags.toString(16)}`;
    }
    const isPacked = (flags & StreamFlags.zlib) !== 0;
    if (isPacked ? size === 0 || size > this.#pageSize : size !== this.#pageSize) {
      return `${isPacked ? 'packed' : 'raw'} page of ${size} bytes`;
    }
    return undefined;
  }

  #stop(kind: StreamEnd['kind'], message: string): void {
    this.#problem = { kind, message, offset: this.#next };
    this.#resize(this.#count);
  }

  #resize(capacity: number): void {
    const offsets = new Float64Array(capacity);
    offsets.set(this.#offsets.subarray(0, this.#count));
    this.#offsets = offsets;
  }
}
