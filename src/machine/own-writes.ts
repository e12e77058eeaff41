/**
 * What a dump method itself changed in the machine's memory. At set-up it declares the places that
 * it writes by design; every write is recorded where it is made. The judge excuses exactly the
 * bytes written in those places: a write through a damaged pointer is damage like any other.
 */

import type { PhysicalRange } from './ram.ts';

export interface OwnWrite {
  /** `crash_notes of CPU 1`: for the report. */
  readonly what: string;
  /** Physical bytes. */
  readonly start: number;
  readonly end: number;
}

const astray = 'astray: not where the method writes by design';

export class OwnWrites {
  readonly list: OwnWrite[];
  readonly places: PhysicalRange[];
  readonly #pageSize: number;
  readonly #byPage = new Map<number, OwnWrite[]>();
  readonly #regions: OwnWrite[] = [];

  constructor(
    pageSize: number,
    places: readonly PhysicalRange[] = [],
    saved: readonly OwnWrite[] = [],
  ) {
    this.#pageSize = pageSize;
    this.places = [...places];
    this.list = [];
    for (const write of saved) this.#keep(write);
  }

  /** Where the healthy kernel says that the method will write. */
  declare(places: readonly PhysicalRange[]): void {
    this.places.push(...places);
  }

  add(what: string, start: number, length: number): void {
    const write = { what, start, end: start + length };
    this.#keep(this.#isInPlace(write) ? write : { ...write, what: `${what}, ${astray}` });
  }

  #isInPlace(write: OwnWrite): boolean {
    return this.places.some(({ start, end }) => write.start >= start && write.end <= end);
  }

  #keep(write: OwnWrite): void {
    this.list.push(write);
    if (!this.#isInPlace(write)) return;
    const first = Math.floor(write.start / this.#pageSize);
    const last = Math.floor((write.end - 1) / this.#pageSize);
    if (last - first > 16) {
      this.#regions.push(write);
      return;
    }
    for (let pfn = first; pfn <= last; pfn++) {
      const writes = this.#byPage.get(pfn);
      if (writes === undefined) this.#byPage.set(pfn, [write]);
      else writes.push(write);
    }
  }

  /** The writes that touch a page. */
  of(pfn: number): readonly OwnWrite[] {
    const start = pfn * this.#pageSize;
    const end = start + this.#pageSize;
    const inPage = this.#byPage.get(pfn) ?? [];
    const isHere = (region: OwnWrite): boolean => region.start < end && region.end > start;
    return this.#regions.some(isHere) ? [...inPage, ...this.#regions.filter(isHere)] : inPage;
  }

  /** Is every byte of the page the method's own? */
  covers(pfn: number): boolean {
    const start = pfn * this.#pageSize;
    const end = start + this.#pageSize;
    return this.of(pfn).some((write) => write.start <= start && write.end >= end);
  }
}
