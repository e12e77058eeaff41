/**
 * Finds names in a table of NUL-terminated strings without making a JavaScript string of each: a
 * kernel has tens of thousands of types, and a first answer needs a few dozen of them.
 */

import { encodeUtf8 } from '../bytes/text.ts';

export class NameIndex {
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  /** Hash chains: the first entry of each bucket, the next entry of each entry; -1 ends. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;

  /** Entry i is the string in `bytes` that starts at `starts[i]`. */
  constructor(bytes: Uint8Array, starts: Uint32Array) {
    this.#bytes = bytes;
    this.#starts = starts;
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(16, starts.length)));
    this.#heads = new Int32Array(buckets).fill(-1);
    this.#next = new Int32Array(starts.length);
    // Backwards, so that a chain lists its entries in ascending order.
    for (let entry = starts.length - 1; entry >= 0; entry--) {
      const bucket = hashAt(bytes, starts[entry]!) & (buckets - 1);
      this.#next[entry] = this.#heads[bucket]!;
      this.#heads[bucket] = entry;
    }
  }

  /** Entries with exactly this name, ascending. */
  find(name: string): number[] {
    const wanted = new Uint8Array([...encodeUtf8(name), 0]);
    const bucket = hashAt(wanted, 0) & (this.#heads.length - 1);
    const found: number[] = [];
    for (let entry = this.#heads[bucket]!; entry >= 0; entry = this.#next[entry]!) {
      if (this.#equals(this.#starts[entry]!, wanted)) found.push(entry);
    }
    return found;
  }

  #equals(start: number, wanted: Uint8Array): boolean {
    for (let at = 0; at < wanted.length; at++) {
      // The end of the table ends a string too.
      if ((this.#bytes[start + at] ?? 0) !== wanted[at]) return false;
    }
    return true;
  }
}

/** FNV-1a of the string at `start`. */
function hashAt(bytes: Uint8Array, start: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < bytes.length && bytes[at] !== 0; at++) {
    hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  }
  return hash;
}
