/**
 * A disk's own memory for writes: a command is done when its bytes are in it, and they reach the
 * medium when they have aged, when room is needed, or when the disk is told to synchronize. What is
 * in it needs power. Modelled as a queue: disks may choose another order.
 */

import { Extents } from '../bytes/extents.ts';
import type { HardwareProfile } from './hardware.ts';

/** Plain data; its parts never change. */
export interface CachedWrite {
  /** When it was done, virtual nanoseconds since the instant. */
  readonly atNs: number;
  readonly offset: number;
  readonly bytes: number;
  readonly parts: readonly Uint8Array[];
}

export class WriteCache {
  readonly #profile: Pick<HardwareProfile['disk'], 'cacheBytes' | 'cacheNs'>;
  /** Oldest first; those before `#first` are on the medium. */
  #writes: CachedWrite[];
  #first = 0;
  #bytes: number;

  constructor(
    profile: Pick<HardwareProfile['disk'], 'cacheBytes' | 'cacheNs'>,
    saved: readonly CachedWrite[] = [],
  ) {
    this.#profile = profile;
    this.#writes = [...saved];
    this.#bytes = saved.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(medium: Extents, write: CachedWrite): void {
    this.#writes.push(write);
    this.#bytes += write.bytes;
    this.age(medium, write.atNs);
  }

  /** Brings to the medium what is due by then. */
  age(medium: Extents, nowNs: number): void {
    const { cacheBytes, cacheNs } = this.#profile;
    while (this.#first < this.#writes.length) {
      const isDue = this.#bytes > cacheBytes || nowNs - this.#writes[this.#first]!.atNs > cacheNs;
      if (!isDue) return;
      this.#writeFirst(medium);
    }
  }

  /** Brings all of it to the medium. */
  drain(medium: Extents): void {
    while (this.#first < this.#writes.length) this.#writeFirst(medium);
    this.clear();
  }

  clear(): void {
    this.#writes = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  /** What a reader finds: the medium, and over it what is not there yet. */
  over(medium: Extents): Extents {
    if (this.#first === this.#writes.length) return medium;
    const both = new Extents(medium.pieces);
    for (const { offset, parts } of this.save()) both.write(offset, parts);
    return both;
  }

  save(): readonly CachedWrite[] {
    return this.#writes.slice(this.#first);
  }

  #writeFirst(medium: Extents): void {
    const { offset, bytes, parts } = this.#writes[this.#first++]!;
    this.#bytes -= bytes;
    medium.write(offset, parts);
  }
}
