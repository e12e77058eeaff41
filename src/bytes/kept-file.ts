/** A file in memory that is made of the very arrays that were written: nothing is copied. */

import { Extents } from './extents.ts';
import type { Sink } from './sink.ts';
import type { Source } from './source.ts';

export class KeptFile implements Sink {
  readonly name: string;
  #extents = new Extents();
  #size = 0;

  constructor(name = 'memory') {
    this.name = name;
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
      close: () => {},
    };
  }
}
