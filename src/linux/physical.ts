/**
 * Bytes of physical memory out of an image of pages. What is not there is an error, never zeros.
 */

import { DumpError, type ErrorCode } from '../bytes/errors.ts';
import type { MemoryImage, Page, PageState } from '../dump/types.ts';

const errorOfState: Record<Exclude<PageState, 'stored' | 'zero'>, [ErrorCode, string]> = {
  excluded: ['excluded', 'this page was left out by the filter that wrote the dump'],
  missing: ['absent', 'this page is not in the dump'],
  damaged: ['corrupt', 'this page is in the dump and cannot be decoded'],
};

export class PhysicalMemory {
  readonly image: MemoryImage;
  readonly #pageSize: number;

  constructor(image: MemoryImage) {
    this.image = image;
    this.#pageSize = image.pageSize;
  }

  /** The `length` bytes at `address`; a view into one page where possible, read-only. */
  read(address: bigint, length: number): Uint8Array {
    const pfn = Number(address / BigInt(this.#pageSize));
    const start = Number(address % BigInt(this.#pageSize));
    if (start + length <= this.#pageSize) return this.#slice(pfn, start, start + length, address);
    const bytes = new Uint8Array(length);
    this.readInto(address, bytes);
    return bytes;
  }

  /** Fills `bytes` from `address` on. An error names the page and where it begins to matter. */
  readInto(address: bigint, bytes: Uint8Array): void {
    const pfn = Number(address / BigInt(this.#pageSize));
    const start = Number(address % BigInt(this.#pageSize));
    for (let done = 0; done < bytes.length; ) {
      const at = start + done;
      const inPage = at % this.#pageSize;
      const end = Math.min(this.#pageSize, inPage + bytes.length - done);
      const page = pfn + Math.floor(at / this.#pageSize);
      const piece = this.#slice(page, inPage, end, address + BigInt(done));
      bytes.set(piece, done);
      done += piece.length;
    }
  }

  u64(address: bigint): bigint {
    const bytes = this.read(address, 8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  /** The same at an address that is a number, on a multiple of 8: for walks over tables. */
  u64At(address: number): bigint {
    const start = address % this.#pageSize;
    const pfn = Math.floor(address / this.#pageSize);
    this.image.watcher?.onRead(pfn, start, start + 8, 'page table');
    const bytes = this.#bytesOf(pfn, start, start + 8, address);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  /** The bytes `start` to `end` of one page. */
  #slice(pfn: number, start: number, end: number, address: bigint): Uint8Array {
    this.image.watcher?.onRead(pfn, start, end, 'data');
    return this.#bytesOf(pfn, start, end, address);
  }

  #bytesOf(pfn: number, start: number, end: number, address: bigint | number): Uint8Array {
    const page = this.image.readPage(pfn);
    if (page.bytes === undefined) throw pageError(page, pfn, address);
    const present = page.present;
    if (present !== undefined && (start < present.start || end > present.end)) {
      throw pageError({ state: 'missing', bytes: undefined }, pfn, address);
    }
    return page.bytes.subarray(start, end);
  }
}

function pageError(page: Page, pfn: number, address: bigint | number): DumpError {
  const physical = BigInt(address);
  if (page.problem !== undefined) {
    return new DumpError(page.problem.code, page.problem.message, {
      where: { ...page.problem.where, pfn, physical },
      hint: page.problem.hint,
      cause: page.problem,
    });
  }
  const state = page.state === 'stored' || page.state === 'zero' ? 'missing' : page.state;
  const [code, message] = errorOfState[state];
  return new DumpError(code, message, { where: { pfn, physical } });
}
