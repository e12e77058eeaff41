/**
 * Sparse bytes that are kept as they came: pieces that refer to the arrays that were written, in
 * order of their offsets and without overlaps. Whoever writes an array gives it away: nobody may
 * change it any more. What was never written reads as zeros.
 */

/** One piece; its bytes never change. */
export type Extent = readonly [offset: number, bytes: Uint8Array];

export class Extents {
  /** Of piece n: where it starts, and its bytes. Two lists, as a file has tens of thousands. */
  readonly #starts: number[];
  readonly #bytes: Uint8Array[];
  /** The piece that was read last. */
  #near = 0;

  constructor(pieces: Iterable<Extent> = []) {
    this.#starts = [];
    this.#bytes = [];
    for (const [start, bytes] of pieces) {
      this.#starts.push(start);
      this.#bytes.push(bytes);
    }
  }

  /** By offset, without overlaps. */
  get pieces(): readonly Extent[] {
    return this.#starts.map((start, index) => [start, this.#bytes[index]!]);
  }

  /**
   * Puts bytes, or parts in a row, over whatever was there: a piece that reaches beyond is cut.
   */
  write(offset: number, bytes: Uint8Array | readonly Uint8Array[]): void {
    const starts: number[] = [];
    const parts: Uint8Array[] = [];
    let end = offset;
    for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
      if (part.length > 0) {
        starts.push(end);
        parts.push(part);
      }
      end += part.length;
    }
    if (parts.length === 0) return;
    const first = this.#firstEndingAfter(offset);
    // Files are mostly written from front to back.
    if (first === this.#starts.length) {
      for (const start of starts) this.#starts.push(start);
      for (const part of parts) this.#bytes.push(part);
      return;
    }
    let last = first;
    while (last < this.#starts.length && this.#starts[last]! < end) last++;
    if (last > first) {
      const head = this.#starts[first]!;
      if (head < offset) {
        starts.unshift(head);
        parts.unshift(this.#bytes[first]!.subarray(0, offset - head));
      }
      if (this.#end(last - 1) > end) {
        starts.push(end);
        parts.push(this.#bytes[last - 1]!.subarray(end - this.#starts[last - 1]!));
      }
    }
    replace(this.#starts, first, last, starts);
    replace(this.#bytes, first, last, parts);
  }

  /** The very array that was written, where one was written exactly there. */
  exactly(offset: number, length: number): Uint8Array | undefined {
    const first = this.#firstEndingAfter(offset);
    const bytes = this.#bytes[first];
    return bytes?.length === length && this.#starts[first] === offset ? bytes : undefined;
  }

  /** The very array that was written where the request is exactly that one, else a copy. */
  read(offset: number, length: number): Uint8Array {
    const exact = this.exactly(offset, length);
    if (exact !== undefined) return exact;
    const copy = new Uint8Array(length);
    for (const [at, piece] of this.within(offset, length)) copy.set(piece, at);
    return copy;
  }

  /** What lies in a range, by offset from its start; pieces that cross its ends are cut. */
  within(offset: number, length: number): Iterable<Extent> {
    return this.#within(this.#firstEndingAfter(offset), offset, length);
  }

  *#within(first: number, offset: number, length: number): Generator<Extent> {
    const end = offset + length;
    for (let index = first; index < this.#starts.length && this.#starts[index]! < end; index++) {
      const start = this.#starts[index]!;
      const bytes = this.#bytes[index]!;
      const from = Math.max(0, offset - start);
      const isWhole = from === 0 && start + bytes.length <= end;
      yield [start + from - offset, isWhole ? bytes : bytes.subarray(from, end - start)];
    }
  }

  #end(index: number): number {
    return this.#starts[index]! + this.#bytes[index]!.length;
  }

  #firstEndingAfter(offset: number): number {
    const count = this.#starts.length;
    if (count === 0 || this.#end(count - 1) <= offset) return count;
    // Readers go forward: it is the piece of the last time, or the one behind it.
    for (let index = this.#near; index < this.#near + 2 && index < count; index++) {
      const isIt = this.#end(index) > offset && (index === 0 || this.#end(index - 1) <= offset);
      if (isIt) {
        this.#near = index;
        return index;
      }
    }
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#end(middle) > offset) high = middle;
      else low = middle + 1;
    }
    this.#near = low;
    return low;
  }
}

/** Not by one splice: a write may have more parts than a call may have arguments. */
function replace<T>(list: T[], first: number, last: number, placed: readonly T[]): void {
  const isFit = placed.length === last - first;
  const behind = isFit ? [] : list.splice(last);
  for (let index = 0; index < placed.length; index++) list[first + index] = placed[index]!;
  if (isFit) return;
  list.length = first + placed.length;
  for (const item of behind) list.push(item);
}
