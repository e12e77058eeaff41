/** Long tables of the kernel, of which the dump may lack some pages. */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { basePageSize } from './paging.ts';

/** Offsets of bytes that are not there. */
export interface Hole {
  readonly start: number;
  /** One past the last. */
  readonly end: number;
}

export interface SparseBytes {
  /** Zeros where there is a hole. */
  readonly bytes: Uint8Array;
  /** In order, none touching the next. */
  readonly holes: readonly Hole[];
  /** Why the first is one. */
  readonly problem: DumpError | undefined;
}

/** What is there of `length` bytes, page by page. */
export function readSparse(memory: AddressSpace, address: bigint, length: number): SparseBytes {
  const whole = attempt(() => memory.read(address, length));
  if (whole !== undefined) return { bytes: whole, holes: [], problem: undefined };
  const bytes = new Uint8Array(length);
  const holes: { start: number; end: number }[] = [];
  let problem: DumpError | undefined;
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, address + BigInt(done));
    const size = Math.min(basePageSize - Number(at & 0xfffn), length - done);
    const page = attempt(
      // Once it is known why the first is not there, an error for each of the others costs time.
      () => (problem === undefined || memory.holds(at) ? memory.read(at, size) : undefined),
      (error) => {
        problem ??= error;
      },
    );
    const before = holes.at(-1);
    if (page !== undefined) bytes.set(page, done);
    else if (before?.end === done) before.end += size;
    else holes.push({ start: done, end: done + size });
    done += size;
  }
  return { bytes, holes, problem };
}

/** The first hole that ends behind `offset`: the next one, or the one that it is in. */
export function holeFrom(holes: readonly Hole[], offset: number): Hole | undefined {
  return holes.find(({ end }) => end > offset);
}

/** Does any byte from `start` to before `end` lie in a hole? */
export function touchesHole(holes: readonly Hole[], start: number, end: number): boolean {
  const hole = holeFrom(holes, start);
  return hole !== undefined && hole.start < end;
}
