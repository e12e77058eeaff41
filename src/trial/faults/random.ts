/**
 * The chance of one fault: where it strikes, when, and with which bytes. Its generator is seeded by
 * the run's seed, the fault's number and its kind, so that leaving one fault out leaves the draws
 * of all others as they were. Integers only: the same everywhere.
 */

import { uniformBigInt } from 'pure-rand/distribution/uniformBigInt';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { assert } from '../../bytes/errors.ts';

/** The largest seed of a run; the least is 0. */
export const maxSeed = 2 ** 32 - 1;

export class Random {
  readonly #generator: RandomGenerator;

  /** The generator of the fault with this number in the run's list. */
  constructor(seed: number, index: number, kind: string) {
    this.#generator = xoroshiro128plusFromState(stateOf(`${seed}/${index}/${kind}`));
  }

  /** An integer from 0 to below `limit`, which is at least 1. */
  below(limit: number): number {
    assert(Number.isSafeInteger(limit) && limit >= 1, 'there is something to draw from');
    return uniformInt(this.#generator, 0, limit - 1);
  }

  bigBelow(limit: bigint): bigint {
    assert(limit >= 1n, 'there is something to draw from');
    return uniformBigInt(this.#generator, 0n, limit - 1n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    // Four of a draw.
    let word = 0;
    for (let at = 0; at < count; at++) {
      word = at % 4 === 0 ? this.#generator.next() : word >>> 8;
      bytes[at] = word & 0xff;
    }
    return bytes;
  }
}

/** Four words by which near texts get generators that have nothing in common. */
function stateOf(text: string): number[] {
  let hash = 0x811c9dc5;
  // FNV-1a over the characters, which are ASCII.
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return [1, 2, 3, 4].map((word) => mixed(hash + Math.imul(word, 0x9e3779b9)));
}

/** The finalizer of MurmurHash3: every bit of the input changes half of the output. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
