/**
 * kallsyms: the symbol table that a kernel carries, names compressed by a table of 256 tokens.
 * Source: kernel/kallsyms.c and scripts/kallsyms.c. The tables are reached by the addresses that
 * VMCOREINFO gives (since v6.0, 5fd8fea935a1 "vmcoreinfo: include kallsyms symbols"), so their
 * order in .rodata, which changed in v6.4, does not matter.
 */

import { DumpError, within } from '../bytes/errors.ts';
import { cstring, encodeUtf8 } from '../bytes/text.ts';
import type { AddressSpace } from './memory.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

/** Distribution kernels have 100,000 to 250,000 symbols. */
const maxSymbols = 4_000_000;
const maxNamesBytes = 64 * 1024 * 1024;
const maxTokenBytes = 256;

export interface KallsymsTables {
  readonly names: bigint;
  readonly count: number;
  readonly tokenTable: bigint;
  readonly tokenIndex: bigint;
  /** Either offsets from a base (since v4.6) or plain addresses. */
  readonly offsets: bigint | undefined;
  readonly relativeBase: bigint | undefined;
  readonly addresses: bigint | undefined;
}

/** Where VMCOREINFO says that the tables are; undefined where it does not. */
export function kallsymsTables(
  memory: AddressSpace,
  vmcoreinfo: Vmcoreinfo,
): KallsymsTables | undefined {
  const names = vmcoreinfo.symbol('kallsyms_names');
  const count = vmcoreinfo.symbol('kallsyms_num_syms');
  const tokenTable = vmcoreinfo.symbol('kallsyms_token_table');
  const tokenIndex = vmcoreinfo.symbol('kallsyms_token_index');
  if (!names || !count || !tokenTable || !tokenIndex) return undefined;
  const base = vmcoreinfo.symbol('kallsyms_relative_base');
  return {
    names,
    count: memory.u32(count),
    tokenTable,
    tokenIndex,
    offsets: vmcoreinfo.symbol('kallsyms_offsets'),
    relativeBase: base === undefined ? undefined : memory.u64(base),
    addresses: vmcoreinfo.symbol('kallsyms_addresses'),
  };
}

/**
 * All names in one block of NUL-terminated text, each preceded by its nm type letter; addresses as
 * signed 64-bit numbers, which are exact for the kernel's image and for per-CPU offsets.
 */
export class Kallsyms {
  /** Where it was read. */
  readonly tables: KallsymsTables;
  readonly count: number;
  readonly #text: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #addresses: Float64Array;
  readonly #found = new Map<string, number[]>();

  constructor(memory: AddressSpace, tables: KallsymsTables) {
    if (tables.count === 0 || tables.count > maxSymbols) {
      throw new DumpError('corrupt', `kallsyms claims ${tables.count} symbols`);
    }
    this.tables = tables;
    this.count = tables.count;
    const names = within('kallsyms names', {}, () => expandNames(memory, tables));
    this.#text = names.text;
    this.#starts = names.starts;
    this.#addresses = within('kallsyms addresses', {}, () => readAddresses(memory, tables));
  }

  name(index: number): string {
    return cstring(this.#text.subarray(this.#starts[index]!, this.#end(index)));
  }

  /** The nm type letter: `T` global text, `d` local data, ... */
  type(index: number): string {
    return String.fromCharCode(this.#text[this.#starts[index]! - 1]!);
  }

  address(index: number): bigint {
    return BigInt.asUintN(64, BigInt(this.#addresses[index]!));
  }

  /** Indexes of all symbols with exactly this name, in table order. */
  find(name: string): number[] {
    let found = this.#found.get(name);
    if (found === undefined) {
      found = this.#search(encodeUtf8(name));
      this.#found.set(name, found);
    }
    return found;
  }

  /**
   * The last symbol of the kernel's image at or below `address`; of several at one address the
   * first, as the kernel itself prints it. -1 below the first.
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
    while (index > 0 && this.#addresses[index - 1] === this.#addresses[index]) index--;
    return index;
  }

  /** Do the addresses ascend, as in every real table? */
  isSorted(): boolean {
    // Per-CPU symbols, small and positive, come before the image's, which are negative.
    for (let index = 1; index < this.count; index++) {
      const [before, here] = [this.#addresses[index - 1]!, this.#addresses[index]!];
      if (here < before && !(before >= 0 && here < 0)) return false;
    }
    return true;
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

function readTokens(memory: AddressSpace, tables: KallsymsTables): Uint8Array[] {
  const index = memory.view(tables.tokenIndex, 512);
  const last = index.getUint16(510, true);
  const table = memory.read(tables.tokenTable, last + maxTokenBytes);
  return Array.from({ length: 256 }, (_, token) => {
    const start = index.getUint16(token * 2, true);
    const end = table.indexOf(0, start);
    if (end < 0) throw new DumpError('corrupt', `token ${token} has no end`);
    return table.slice(start, end);
  });
}

/**
 * The token table always stands behind the names (markers between them), in the order of before
 * v6.4 and in today's; so it bounds how far names may reach.
 */
function readNames(memory: AddressSpace, tables: KallsymsTables): Uint8Array {
  const length = Number(tables.tokenTable - tables.names);
  if (length <= 0 || length > maxNamesBytes) {
    throw new DumpError('corrupt', `the token table is ${length} bytes behind the names`);
  }
  return memory.read(tables.names, length);
}

function expandNames(
  memory: AddressSpace,
  tables: KallsymsTables,
): { text: Uint8Array; starts: Uint32Array } {
  const tokens = readTokens(memory, tables);
  const names = readNames(memory, tables);
  const starts = new Uint32Array(tables.count);
  let text = new Uint8Array(tables.count * 32);
  let end = 0;
  let at = 0;
  for (let symbol = 0; symbol < tables.count; symbol++) {
    let length = names[at++] ?? 0;
    // Two bytes since v6.1 (73bbb94466fd "kallsyms: support "big" kernel symbols").
    if (length >= 0x80) length = (length & 0x7f) | ((names[at++] ?? 0) << 7);
    if (length === 0 || at + length > names.length) {
      throw new DumpError('corrupt', `name ${symbol} of ${tables.count} has length ${length}`);
    }
    if (end + length * maxTokenBytes > text.length) {
      const grown = new Uint8Array(text.length * 2 + length * maxTokenBytes);
      grown.set(text.subarray(0, end));
      text = grown;
    }
    starts[symbol] = end + 1;
    for (const stop = at + length; at < stop; at++) {
      const token = tokens[names[at]!]!;
      // Most tokens are one to four bytes: a loop beats set().
      for (let byte = 0; byte < token.length; byte++) text[end++] = token[byte]!;
    }
    text[end++] = 0;
  }
  return { text: text.slice(0, end), starts };
}

function readAddresses(memory: AddressSpace, tables: KallsymsTables): Float64Array {
  const addresses = new Float64Array(tables.count);
  if (tables.offsets !== undefined && tables.relativeBase !== undefined) {
    const view = memory.view(tables.offsets, tables.count * 4);
    const base = Number(BigInt.asIntN(64, tables.relativeBase));
    // Sorted by address, so per-CPU symbols come first and the last one tells the form: negative
    // offsets from the base and absolute per-CPU ones (SMP before v6.15), or plain offsets.
    const absolutePerCpu = view.getInt32((tables.count - 1) * 4, true) < 0;
    for (let symbol = 0; symbol < tables.count; symbol++) {
      const offset = view.getInt32(symbol * 4, true);
      if (!absolutePerCpu) addresses[symbol] = base + (offset >>> 0);
      else addresses[symbol] = offset >= 0 ? offset : base - 1 - offset;
    }
    return addresses;
  }
  if (tables.addresses !== undefined) {
    const view = memory.view(tables.addresses, tables.count * 8);
    for (let symbol = 0; symbol < tables.count; symbol++) {
      addresses[symbol] = Number(view.getBigInt64(symbol * 8, true));
    }
    return addresses;
  }
  throw new DumpError('absent', 'VMCOREINFO names neither kallsyms_offsets nor kallsyms_addresses');
}
