/** Virtual memory behind one page-table root: typed reads that fail by name. */

import { DumpError, within } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import { basePageSize, type PageTableRoot, type Translation, walk } from './paging.ts';
import type { PhysicalMemory } from './physical.ts';

const largePage = 2 * 1024 * 1024;
/** A read of kernel memory that asks for more than this follows a wild length. */
const maxRead = 256 * 1024 * 1024;
/** So many translations are remembered at most: who passes through all of memory comes by once. */
const maxRemembered = 1 << 16;

/** The physical address of what is mapped by a rule that needs no tables, if `address` is. */
export type LinearMapping = (address: bigint) => bigint | undefined;

export class AddressSpace {
  readonly physical: PhysicalMemory;
  readonly root: PageTableRoot;
  /** Number of a 4 KB or 2 MB virtual page -> physical address of it. */
  readonly #small = new Map<bigint, bigint>();
  readonly #large = new Map<bigint, bigint>();
  readonly #linear: LinearMapping | undefined;

  /** `linear`: asked where a page table itself is missing. */
  constructor(physical: PhysicalMemory, root: PageTableRoot, linear?: LinearMapping) {
    this.physical = physical;
    this.root = root;
    this.#linear = linear;
  }

  translate(address: bigint): Translation {
    return walk(this.physical, this.root, BigInt.asUintN(64, address));
  }

  /** Where `address` lies: also by a rule, where `translate` misses a table. */
  physicalOf(address: bigint): bigint {
    return this.#locate(BigInt.asUintN(64, address)).physical;
  }

  /** Is that page in the dump, as far as its index says? Throws where nothing is mapped. */
  holds(address: bigint): boolean {
    const { image } = this.physical;
    const state = image.state(Number(this.physicalOf(address) / BigInt(image.pageSize)));
    return state === 'stored' || state === 'zero';
  }

  /** `length` bytes, all of them or a DumpError. May be a view into the page cache: read-only. */
  read(address: bigint, length: number): Uint8Array {
    const start = BigInt.asUintN(64, address);
    if (!Number.isInteger(length) || length < 0 || length > maxRead) {
      throw new DumpError('corrupt', `a length of ${length} bytes`, { where: { virtual: start } });
    }
    const inPage = Number(start & 0xfffn);
    if (inPage + length <= basePageSize) return this.#readInPage(start, length);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const at = start + BigInt(done);
      const { physical, left } = this.#locate(at);
      const piece = bytes.subarray(done, done + Math.min(left, length - done));
      this.#naming(at, physical, () => this.physical.readInto(physical, piece));
      done += piece.length;
    }
    return bytes;
  }

  u8(address: bigint): number {
    return this.read(address, 1)[0]!;
  }

  u16(address: bigint): number {
    return this.view(address, 2).getUint16(0, true);
  }

  u32(address: bigint): number {
    return this.view(address, 4).getUint32(0, true);
  }

  i32(address: bigint): number {
    return this.view(address, 4).getInt32(0, true);
  }

  u64(address: bigint): bigint {
    return this.view(address, 8).getBigUint64(0, true);
  }

  i64(address: bigint): bigint {
    return this.view(address, 8).getBigInt64(0, true);
  }

  /** A view of `length` bytes: for reading many members of one object. */
  view(address: bigint, length: number): DataView {
    const bytes = this.read(address, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Text up to NUL or `maxLength` bytes. The page after the NUL need not be there. */
  cstring(address: bigint, maxLength: number): string {
    const inPage = basePageSize - Number(BigInt.asUintN(64, address) & 0xfffn);
    const head = this.read(address, Math.min(inPage, maxLength));
    if (head.includes(0) || maxLength <= inPage) return cstring(head);
    return cstring(this.read(address, maxLength));
  }

  #readInPage(address: bigint, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    const { physical } = this.#locate(address);
    return this.#naming(address, physical, () => this.physical.read(physical, length));
  }

  /** An error of the physical read at `physical` gets the virtual address of its page. */
  #naming<T>(virtual: bigint, physical: bigint, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      const distance = (error.where.physical ?? physical) - physical;
      return within('', { virtual: virtual + distance }, () => {
        throw error;
      });
    }
  }

  /** Where `address` lies, and how many bytes of its mapping follow. */
  #locate(address: bigint): { physical: bigint; left: number } {
    const inSmall = address & 0xfffn;
    const inLarge = address & 0x1fffffn;
    const small = this.#small.get(address >> 12n);
    if (small !== undefined)
      return { physical: small + inSmall, left: basePageSize - Number(inSmall) };
    let large = this.#large.get(address >> 21n);
    if (large === undefined) {
      const found = this.#walk(address);
      if (found.pageSize < largePage) {
        remember(this.#small, address >> 12n, found.physical - inSmall);
        return { physical: found.physical, left: basePageSize - Number(inSmall) };
      }
      large = found.physical - inLarge;
      remember(this.#large, address >> 21n, large);
    }
    return { physical: large + inLarge, left: largePage - Number(inLarge) };
  }

  #walk(address: bigint): { physical: bigint; pageSize: number } {
    try {
      return walk(this.physical, this.root, address);
    } catch (error) {
      // An entry that says "not mapped" is an answer; only a table that is missing is none.
      const isMissing = error instanceof DumpError && error.where.pfn !== undefined;
      const physical = isMissing ? this.#linear?.(address) : undefined;
      if (physical === undefined) throw error;
      return { physical, pageSize: basePageSize };
    }
  }
}

function remember(translations: Map<bigint, bigint>, page: bigint, physical: bigint): void {
  if (translations.size >= maxRemembered) translations.clear();
  translations.set(page, physical);
}
