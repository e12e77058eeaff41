/** Seeded damage to files: the same seed makes the same damage. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    // xorshift32
    this.#state ^= this.#state << 13;
    this.#state >>>= 0;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const interesting: readonly bigint[] = [
  0n, 1n, 2n, 7n, 0x7fn, 0xffn, 0xfffn, 0x1000n, 0x1001n, 0xffffn, 0x10000n, 0x7fffffffn,
  0x80000000n, 0xffffffffn, 0x100000000n, 0x1fffffffffffffn, 0x20000000000000n,
  0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn,
]; // biome-ignore format: one table

/** A damaged copy: one to three changes. `hot` are the offsets where structures are. */
export function mutate(file: Uint8Array, random: Random, hot: readonly number[]): Uint8Array {
  let bytes: Uint8Array = file.slice();
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    bytes = change(bytes, random, hot);
  }
  return bytes;
}

function change(bytes: Uint8Array, random: Random, hot: readonly number[]): Uint8Array {
  if (bytes.length < 16) return bytes;
  const near = random.pick(hot) + random.below(512);
  const at = Math.min(bytes.length - 8, random.below(3) > 0 ? near : random.below(bytes.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const aligned = at - (at % 4);
  const value = random.pick(interesting);
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 2:
      return bytes.slice(0, random.below(bytes.length));
    case 3:
      return bytes.slice(0, Math.max(1, at + random.below(3) - 1));
    case 4:
      view.setUint32(aligned, Number(value & 0xffffffffn), random.below(4) > 0);
      return bytes;
    case 5:
      view.setBigUint64(Math.min(aligned, bytes.length - 8), value, random.below(4) > 0);
      return bytes;
    case 6: {
      // One piece over another: records repeat or change places.
      const length = 1 + random.below(Math.min(8192, bytes.length));
      const from = random.below(bytes.length - length + 1);
      bytes.copyWithin(random.below(bytes.length - length + 1), from, from + length);
      return bytes;
    }
    case 7:
      bytes.fill(random.below(256), at, at + random.below(4096));
      return bytes;
    default: {
      const grown = new Uint8Array(bytes.length + 1 + random.below(64));
      grown.set(bytes.subarray(0, at));
      grown.set(bytes.subarray(at), grown.length - (bytes.length - at));
      return grown;
    }
  }
}
