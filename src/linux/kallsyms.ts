/**
 * kallsyms: the symbol table that a kernel carries, names compressed by a table of 256 tokens.
 * Source: kernel/kallsyms.c and scripts/kallsyms.c. Lost pages cost some symbols, not all.
 */

import { DumpError, within } from '../bytes/errors.ts';
import { cstring, encodeUtf8 } from '../bytes/text.ts';
import { isAscending, readAddresses } from './kallsyms-addresses.ts';
import { lostName, readNames } from './kallsyms-names.ts';
import type { KallsymsTables } from './kallsyms-tables.ts';
import type { AddressSpace } from './memory.ts';

/** Distribution kernels have 100,000 to 250,000 symbols. */
const maxSymbols = 4_000_000;

/** What of the table the dump does not have. */
export interface LostSymbols {
  readonly names: number;
  readonly addresses: number;
  /** Why the first is lost; undefined where none is. */
  readonly problem: DumpError | undefined;
}

/**
 * All names in one block of NUL-terminated text, each preceded by its nm type letter. A symbol
 * whose address is lost is not found by its name; one whose name is lost is called `lostName`.
 */
export class Kallsyms {
  /** Where it was read. */
  readonly tables: KallsymsTables;
  readonly count: number;
  readonly lost: LostSymbols;
  readonly #text: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #addresses: Float64Array;
  readonly #isLost: Uint8Array | undefined;
  readonly #found = new Map<string, number[]>();

  constructor(memory: AddressSpace, tables: KallsymsTables) {
    if (tables.count === 0 || tables.count > maxSymbols) {
      throw new DumpError('corrupt', `kallsyms claims ${tables.count} symbols`);
    }
    this.tables = tables;
    this.count = tables.count;
    const names = within('kallsyms names', {}, () => readNames(memory, tables));
    this.#text = names.text;
    this.#starts = names.starts;
    const addresses = within('kallsyms addresses', {}, () => readAddresses(memory, tables));
    this.#addresses = addresses.values;
    this.#isLost = addresses.isLost;
    const problem = names.problem ?? addresses.problem;
    this.lost = { names: names.lost, addresses: addresses.lost, problem };
  }

  name(index: number): string {
    return cstring(this.#text.subarray(this.#starts[index]!, this.#end(index)));
  }

  /** The nm type letter: `T` global text, `d` local data, ... */
  type(index: number): string {
    return String.fromCharCode(this.#text[this.#starts[index]! - 1]!);
  }

  /** Is the address of that symbol known? */
  isThere(index: number): boolean {
    return this.#isLost?.[index] !== 1;
  }

  /** Of a symbol that is there. */
  address(index: number): bigint {
    return BigInt.asUintN(64, BigInt(this.#addresses[index]!));
  }

  /** Indexes of all symbols with exactly this name, in table order. */
  find(name: string): number[] {
    let found = this.#found.get(name);
    if (found === undefined) {
      const isName = name !== lostName;
      const all = isName ? this.#search(encodeUtf8(name)) : [];
      found = all.filter((index) => this.isThere(index));
      this.#found.set(name, found);
    }
    return found;
  }

  /**
   * The last symbol of the kernel's image at or below `address`; of several at one address the
   * first, as the kernel itself prints it. -1 below the first, and where it may be a lost one.
   */
  at(address: bigint): number {
    const wanted = Number(BigInt.asIntN(64, address));
    let low = this.#firstInImage();
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    let index = low - 1;
    if (index < this.#firstInImage()) return -1;
    if (!this.isThere(index) && this.#addresses[index] !== wanted) return -1;
    while (index > 0 && this.#addresses[index - 1] === this.#addresses[index]) index--;
    return this.isThere(index) ? index : -1;
  }

  /** Do the addresses ascend, as in every real table? */
  isSorted(): boolean {
    return isAscending(this.#addresses, 0, this.count);
  }

  /**
   * A first answer asks for a few dozen names: comparing lengths first, one pass over the table
   * costs less for each of them than an index of all names would for all.
   */
  #search(name: Uint8Array): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.count; index++) {
      const start = this.#starts[index]!;
      if (this.#end(index) - start !== name.length) continue;
      let at = 0;
      while (at < name.length && this.#text[start + at] === name[at]) at++;
      if (at === name.length) found.push(index);
    }
    return found;
  }

  /** Per-CPU symbols come first: small positive numbers. The image's are negative. */
  #firstInImage(): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! >= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the name ends: before its NUL, and the next one's type letter. */
  #end(index: number): number {
    return index + 1 < this.count ? this.#starts[index + 1]! - 2 : this.#text.length - 1;
  }
}
