/** A real dump whose memory a test changes while a kernel is open on it. */

import type { Dump, PageState } from '../../src/dump/types.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { withPages } from './fixture.ts';

export class PatchedDump {
  readonly dump: Dump;
  readonly #patches = new Map<number, Uint8Array | PageState>();
  readonly #original: Dump;
  /** Only to translate addresses: sees the unchanged memory. */
  readonly #map: Kernel;

  constructor(original: Dump, changes: Partial<Dump> = {}) {
    this.#original = original;
    this.#map = openKernel(original);
    this.dump = {
      ...withPages(original, (pfn, bytes) => this.#patches.get(pfn) ?? bytes),
      state: (pfn) => this.#state(pfn),
      ...changes,
    };
  }

  /** Bytes at a kernel address, within one page. */
  write(address: bigint, bytes: Uint8Array): void {
    const { physical } = this.#map.memory.translate(address);
    const pfn = Number(physical >> 12n);
    const known = this.#patches.get(pfn);
    const page = known instanceof Uint8Array ? known : this.#original.readPage(pfn).bytes!.slice();
    page.set(bytes, Number(physical & 0xfffn));
    this.#patches.set(pfn, page);
  }

  writeU64(address: bigint, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(address, bytes);
  }

  /** Takes away the pages that hold `length` bytes at a kernel address. */
  remove(address: bigint, length: number, state: PageState = 'excluded'): void {
    for (let at = address & ~0xfffn; at < address + BigInt(length); at += 4096n) {
      this.#patches.set(Number(this.#map.memory.translate(at).physical >> 12n), state);
    }
  }

  /** An index does not know of damage. */
  #state(pfn: number): PageState {
    const patch = this.#patches.get(pfn);
    if (patch === undefined) return this.#original.state(pfn);
    return typeof patch === 'string' && patch !== 'damaged' ? patch : 'stored';
  }

  restore(): void {
    this.#patches.clear();
  }
}
