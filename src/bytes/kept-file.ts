/** A file in memory that is made of the very arrays that were written: nothing is copied. */

import { type Extent, Extents } from './extents.ts';
import type { Sink } from './sink.ts';
import type { Source } from './source.ts';

/** Plain data. */
export interface SavedKeptFile {
  readonly size: number;
  readonly extents: readonly Extent[];
}

export class KeptFile implements Sink {
  readonly name: string;
  #extents: Extents;
  #size: number;

  /** `saved`: what `save` gave. */
  constructor(name = 'memory', saved: SavedKeptFile = { size: 0, extents: [] }) {
    this.name = name;
    this.#extents = new Extents(saved.extents);
    this.#size = saved.size;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.writeKept(offset, [bytes.slice()]);
  }

  writeKept(offset: number, parts: readonly Uint8Array[]): void {
    this.#extents.write(offset, parts);
    const end = parts.reduce((sum, part) => sum + part.length, offset);
    this.#size = Math.max(this.#size, end);
  }

  finish(): void {}

  abort(): void {
    this.#extents = new Extents();
    this.#size = 0;
  }

  source(): Source {
    const extents = this.#extents;
    const size = this.#size;
    return {
      name: this.name,
      size,
      isQuick: true,
      read: (offset, length) => extents.read(offset, Math.max(0, Math.min(length, size - offset))),
      pieces: () => extents.within(0, size),
      close: () => {},
    };
  }

  save(): SavedKeptFile {
    return { size: this.#size, extents: [...this.#extents.pieces] };
  }
}
