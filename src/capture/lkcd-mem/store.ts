/**
 * Where pages are kept compressed while the kernel boots again: first in a bootstrap area, then in
 * the pages that were saved before, which are free with that. What was saved is one stream over
 * them. Source: LKCD's dump_overlay.c, dump_memdev.c; the layout is ours.
 */

import { DumpError } from '../../bytes/errors.ts';
import { array, count64, struct, text, u32, u64 } from '../../bytes/struct.ts';
import { headerAreaSize, PageRecord } from '../../dump/lkcd/layout.ts';
import { recordFlaw } from '../../dump/lkcd/page-index.ts';
import { PhysicalMemory } from '../../linux/physical.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PackedPage } from '../_lkcd/pages.ts';
import type { MappedPages } from '../mapped-pages.ts';
import type { LkcdMemState } from './state.ts';

export const maxPasses = 3;

const pagesAtOnce = 64;

/** What the second boot finds at crashdump_addr. */
export const Handover = struct('dump_config_block', {
  magic: u64('handoverMagic.'),
  scheme: text(16, '"overlay".'),
  format: text(16, '"lkcd".'),
  list: count64('Physical address of the list of pages: PFNs of 32 bits.'),
  bytes: count64('Bytes in these pages.'),
  header: count64('Where among them the header area is; it is the last of them.'),
  passes: u32('How many there are.'),
  reserved: u32('Zero.'),
  starts: array(u64('Where the records of a pass begin; in the order of saving.'), maxPasses),
  counts: array(u64('How many they are.'), maxPasses),
});

/** "MEMDUMP!" */
export const handoverMagic = 0x2150_4d55_444d_454dn;
export const schemeName = 'overlay';
export const formatName = 'lkcd';

/** Fills the store. A page of it that is filled in part can be gone on with. */
export class StoreWriter {
  readonly #machine: Machine;
  readonly #state: LkcdMemState;
  readonly #memory: MappedPages;
  /** Pages come from memory of many at once: an array of its own for each costs more. */
  #blank = new Uint8Array(0);
  #page: Uint8Array;

  /** `memory`: by which the kernel reaches the pages. */
  constructor(machine: Machine, state: LkcdMemState, memory: MappedPages) {
    this.#machine = machine;
    this.#state = state;
    this.#memory = memory;
    const { pageSize } = machine.memory;
    this.#page = this.#blankPage();
    const last = state.filled.at(-1);
    if (last !== undefined && state.store.bytes % pageSize !== 0) this.#page.set(last);
  }

  /** False where there is no room: what is there by then is of no use. */
  append(bytes: Uint8Array): boolean {
    const { store } = this.#state;
    for (let done = 0; done < bytes.length; ) {
      const at = store.bytes % this.#page.length;
      const length = Math.min(this.#page.length - at, bytes.length - done);
      const isWhole = length === bytes.length;
      this.#page.set(isWhole ? bytes : bytes.subarray(done, done + length), at);
      done += length;
      store.bytes += length;
      if (at + length === this.#page.length && !this.#fill()) return false;
    }
    return true;
  }

  /** What does not fill its page. */
  flush(): boolean {
    return this.#state.store.bytes % this.#page.length === 0 || this.#fill();
  }

  #blankPage(): Uint8Array {
    const { pageSize } = this.#machine.memory;
    if (this.#blank.length === 0) this.#blank = new Uint8Array(pagesAtOnce * pageSize);
    const page = this.#blank.subarray(0, pageSize);
    this.#blank = this.#blank.subarray(pageSize);
    return page;
  }

  /** Writes the page that the last byte is in. */
  #fill(): boolean {
    const { store, filled } = this.#state;
    const index = Math.ceil(store.bytes / this.#page.length) - 1;
    const place = store.places[index];
    if (place === undefined) return false;
    this.#machine.memory.writePage(this.#memory.pfnBehind(place), this.#page);
    filled[index] = this.#page;
    this.#page = this.#blankPage();
    return true;
  }
}

/** The store as the second boot finds it, by its list of pages. */
export class StoreReader {
  readonly #machine: Machine;
  readonly #pfns: readonly number[];

  constructor(machine: Machine, pfns: readonly number[]) {
    this.#machine = machine;
    this.#pfns = pfns;
  }

  /** Are they all the arrays that they were filled with? */
  isUntouched(filled: readonly Uint8Array[]): boolean {
    const { memory } = this.#machine;
    return this.#pfns.every((pfn, index) => memory.readPage(pfn).bytes === filled[index]);
  }

  read(start: number, length: number): Uint8Array {
    const { pageSize } = this.#machine.memory;
    const memory = new PhysicalMemory(this.#machine.memory);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = start + done;
      const pfn = this.#pfns[Math.floor(at / pageSize)];
      if (pfn === undefined) throw new DumpError('corrupt', 'a saved page ends behind its store');
      const inPage = at % pageSize;
      const part = Math.min(pageSize - inPage, length - done);
      bytes.set(memory.read(BigInt(pfn * pageSize + inPage), part), done);
      done += part;
    }
    return bytes;
  }

  /** Throws `corrupt` at the first record that makes no sense. */
  *records(start: number, count: number): Generator<PackedPage> {
    const { pageSize } = this.#machine.memory;
    let at = start;
    for (let index = 0; index < count; index++) {
      const record = PageRecord.read(this.read(at, PageRecord.size));
      const { dp_size: size, dp_flags: flags } = record;
      const pfn = Number(record.dp_address) / pageSize;
      const flaw = recordFlaw({ pfn, size, flags }, pageSize);
      if (flaw !== undefined) throw new DumpError('corrupt', `a record of a saved page: ${flaw}`);
      yield { pfn, flags, data: this.read(at + PageRecord.size, size) };
      at += PageRecord.size + size;
    }
  }
}

/** Of the header area: it is written as one piece. */
export const maxHeader = 16 * headerAreaSize;
