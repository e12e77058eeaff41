/** Bitmaps with the least significant bit first: bit n is byte n>>3, mask 1<<(n&7). */

const popcount8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0;
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1;
  return bits;
});

/** A rank adds up at most this many bytes; the table takes an eighth of the bitmap. */
const blockBytes = 64;

export class Bitmap {
  readonly bytes: Uint8Array;
  /** Set bits before each block; made on the first `rank`. */
  #ranks: Float64Array | undefined;

  /** Over existing bytes (not copied), or `new Bitmap(new Uint8Array(n))` for an empty one. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  static ofSize(bits: number): Bitmap {
    return new Bitmap(new Uint8Array(Math.ceil(bits / 8)));
  }

  get length(): number {
    return this.bytes.length * 8;
  }

  has(index: number): boolean {
    const byte = this.bytes[Math.floor(index / 8)];
    return byte !== undefined && (byte & (1 << (index & 7))) !== 0;
  }

  add(index: number): void {
    const at = Math.floor(index / 8);
    this.bytes[at] = this.bytes[at]! | (1 << (index & 7));
    this.#ranks = undefined;
  }

  /** All from `first` to below `end`. */
  addRange(first: number, end: number): void {
    const from = Math.min(end, Math.ceil(first / 8) * 8);
    const to = Math.max(from, Math.floor(end / 8) * 8);
    for (let index = first; index < from; index++) this.add(index);
    this.bytes.fill(0xff, from / 8, to / 8);
    for (let index = to; index < end; index++) this.add(index);
    this.#ranks = undefined;
  }

  remove(index: number): void {
    const at = Math.floor(index / 8);
    this.bytes[at] = this.bytes[at]! & ~(1 << (index & 7));
    this.#ranks = undefined;
  }

  /** None from `first` to below `end`. */
  removeRange(first: number, end: number): void {
    const last = Math.min(end, this.length);
    for (let index = first; index < last; index++) {
      const isWhole = index % 8 === 0 && index + 8 <= last;
      if (isWhole) this.bytes[index / 8] = 0;
      else this.remove(index);
      if (isWhole) index += 7;
    }
    this.#ranks = undefined;
  }

  /** Removes every bit that `other` has. */
  subtract(other: Bitmap): void {
    const length = Math.min(this.bytes.length, other.bytes.length);
    for (let at = 0; at < length; at++) this.bytes[at]! &= ~other.bytes[at]!;
    this.#ranks = undefined;
  }

  /** How many bits are set below `index`. */
  rank(index: number): number {
    this.#ranks ??= this.#countBlocks();
    const byte = Math.min(Math.floor(index / 8), this.bytes.length);
    const block = Math.floor(byte / blockBytes);
    let bits = this.#ranks[block]!;
    for (let at = block * blockBytes; at < byte; at++) bits += popcount8[this.bytes[at]!]!;
    if (byte < this.bytes.length) bits += popcount8[this.bytes[byte]! & ((1 << (index & 7)) - 1)]!;
    return bits;
  }

  /** How many bits are set. */
  get count(): number {
    return this.rank(this.length);
  }

  /** The set bits from `first` to below `end`, in runs. */
  *runs(first: number, end: number): Generator<{ readonly first: number; readonly end: number }> {
    for (let at = this.next(first); at >= 0 && at < end; ) {
      let after = at + 1;
      while (after < end && this.has(after)) {
        const isWhole = after % 8 === 0 && after + 8 <= end && this.bytes[after / 8] === 0xff;
        after += isWhole ? 8 : 1;
      }
      yield { first: at, end: after };
      at = this.next(after);
    }
  }

  /** The first set bit at or after `from`, or -1. */
  next(from: number): number {
    for (let at = Math.floor(from / 8); at < this.bytes.length; at++) {
      let byte = this.bytes[at]!;
      if (at === Math.floor(from / 8)) byte &= 0xff << (from & 7);
      if (byte !== 0) return at * 8 + 31 - Math.clz32(byte & -byte);
    }
    return -1;
  }

  #countBlocks(): Float64Array {
    const ranks = new Float64Array(Math.floor(this.bytes.length / blockBytes) + 1);
    let bits = 0;
    for (let at = 0; at < this.bytes.length; at++) {
      if (at % blockBytes === 0) ranks[at / blockBytes] = bits;
      bits += popcount8[this.bytes[at]!]!;
    }
    if (this.bytes.length % blockBytes === 0) ranks[this.bytes.length / blockBytes] = bits;
    return ranks;
  }
}

/**
 * A function for ascending numbers: the first bit from there on that one of the maps has, or `end`.
 * It remembers how far each map is empty.
 */
export function nextInAny(maps: readonly Bitmap[], end: number): (from: number) => number {
  const ahead = maps.map(() => -1);
  return (from) => {
    for (const [index, map] of maps.entries()) {
      if (ahead[index]! >= from) continue;
      const next = map.next(from);
      ahead[index] = next < 0 ? end : next;
    }
    return Math.min(end, ...ahead);
  };
}
