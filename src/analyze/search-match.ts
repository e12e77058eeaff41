/** Finding words and texts in the bytes of a page. */

export interface WordNeedle {
  readonly kind: 'word';
  /** As the user wrote it. */
  readonly word: string;
  readonly value: bigint;
  /** Bits that need not match. */
  readonly mask: bigint;
  /** Bytes: 2, 4 or 8. Words stand at multiples of it. */
  readonly width: number;
}

export interface TextNeedle {
  readonly kind: 'text';
  readonly word: string;
  readonly text: Uint8Array;
}

export type Needle = WordNeedle | TextNeedle;

/** Offsets in `bytes`, of which the first has the address `start` modulo the page size. */
export type Matcher = (bytes: Uint8Array, start: number) => Iterable<number>;

export function matcherOf(needle: Needle): Matcher {
  return needle.kind === 'text' ? textMatcher(needle.text) : wordMatcher(needle);
}

function textMatcher(text: Uint8Array): Matcher {
  const first = text[0]!;
  return function* (bytes) {
    for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
      if (at + text.length > bytes.length) return;
      if (text.every((byte, index) => bytes[at + index] === byte)) yield at;
    }
  };
}

/** Compares 32 bits at a time: numbers are far faster than bigints. */
function wordMatcher({ value, mask, width }: WordNeedle): Matcher {
  const careLow = Number(~mask & 0xffff_ffffn) | 0;
  const careHigh = Number((~mask >> 32n) & 0xffff_ffffn) | 0;
  const low = Number(value & 0xffff_ffffn) & careLow;
  const high = Number((value >> 32n) & 0xffff_ffffn) & careHigh;
  return function* (bytes, start) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const first = (width - (start % width)) % width;
    for (let at = first; at + width <= bytes.length; at += width) {
      const word = width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
      if ((word & careLow) !== low) continue;
      if (width === 8 && (view.getUint32(at + 4, true) & careHigh) !== high) continue;
      yield at;
    }
  };
}
