/**
 * What a dump method itself changed in the machine's memory: every write is recorded where it is
 * made, a region of its own is declared whole. The judge excuses exactly these bytes.
 */

export interface OwnWrite {
  /** `crash_notes of CPU 1`: for the report. */
  readonly what: string;
  /** Physical bytes. */
  readonly start: number;
  readonly end: number;
}

export class OwnWrites {
  readonly list: OwnWrite[];
  readonly #pageSize: number;
  readonly #byPage = new Map<number, OwnWrite[]>();
  readonly #regions: OwnWrite[] = [];

  constructor(pageSize: number, saved: readonly OwnWrite[] = []) {
    this.#pageSize = pageSize;
    this.list = [];
    for (const write of saved) this.add(write.what, write.start, write.end - write.start);
  }

  add(what: string, start: number, length: number): void {
    const write = { what, start, end: start + length };
    this.list.push(write);
    const first = Math.floor(start / this.#pageSize);
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
    const regions = this.#regions.filter((region) => region.start < end && region.end > start);
    return [...(this.#byPage.get(pfn) ?? []), ...regions];
  }

  /** Is every byte of the page the method's own? */
  covers(pfn: number): boolean {
    const start = pfn * this.#pageSize;
    const end = start + this.#pageSize;
    return this.of(pfn).some((write) => write.start <= start && write.end >= end);
  }
}
