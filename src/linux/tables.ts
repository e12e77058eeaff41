/**
 * The tables that a kernel carries about itself and that never change while it runs: symbol names
 * and types. Each is read by its first use; for another memory of the same kernel they serve again.
 */

import { DumpError } from '../bytes/errors.ts';
import { Btf } from './btf.ts';
import { Kallsyms } from './kallsyms.ts';
import { scanKallsyms } from './kallsyms-scan.ts';
import { kallsymsTables } from './kallsyms-tables.ts';
import type { AddressSpace } from './memory.ts';
import { readSparse } from './sparse.ts';
import { type Timed, untimed } from './timed.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

const maxBtfBytes = 256 * 1024 * 1024;

export class KernelTables {
  readonly #file: string;
  readonly #memory: AddressSpace;
  readonly #vmcoreinfo: Vmcoreinfo;
  readonly #timed: Timed;
  #kallsyms: Kallsyms | undefined;
  /** Looking for it in vain takes long, and every symbol is looked up in it. */
  #noKallsyms: DumpError | undefined;
  #btf: Btf | undefined;

  /** `file`: for errors. `kallsyms`: where it has been found already. */
  constructor(
    file: string,
    memory: AddressSpace,
    vmcoreinfo: Vmcoreinfo,
    kallsyms?: Kallsyms,
    timed: Timed = untimed,
  ) {
    this.#file = file;
    this.#memory = memory;
    this.#vmcoreinfo = vmcoreinfo;
    this.#kallsyms = kallsyms;
    this.#timed = timed;
  }

  get kallsyms(): Kallsyms {
    if (this.#noKallsyms !== undefined) throw this.#noKallsyms;
    try {
      this.#kallsyms ??= this.#timed('symbols', () => this.#findKallsyms());
      return this.#kallsyms;
    } catch (error) {
      if (error instanceof DumpError) this.#noKallsyms = error;
      throw error;
    }
  }

  /** The types of vmlinux. */
  get btf(): Btf {
    if (this.#btf === undefined) {
      // What the types are found by is a phase of its own.
      const start = this.#bound('__start_BTF');
      const length = Number(this.#bound('__stop_BTF') - start);
      if (length <= 0 || length > maxBtfBytes) {
        throw new DumpError('corrupt', `BTF of vmlinux is ${length} bytes`, {
          where: { virtual: start },
        });
      }
      this.#btf = this.#timed('types', () => this.#readBtf(start, length));
    }
    return this.#btf;
  }

  /** What the dump does not have of those that have been read so far. */
  get missing(): { readonly what: string; readonly count: number | null; readonly why: string }[] {
    const missing = [];
    const symbols = this.#kallsyms?.lost;
    if (symbols?.problem !== undefined) {
      const count = symbols.names + symbols.addresses;
      missing.push({ what: 'names and addresses of symbols', count, why: symbols.problem.message });
    }
    const types = this.#btf?.lost;
    if (types !== undefined) {
      const count = types.types ?? null;
      missing.push({ what: 'types of the kernel', count, why: types.problem.message });
    }
    return missing;
  }

  /** Reads both now. Throws DumpErrors. */
  read(): this {
    this.#btf = this.btf;
    return this;
  }

  #readBtf(start: bigint, length: number): Btf {
    const { bytes, holes, problem } = readSparse(this.#memory, start, length);
    const phase = Number(start & 0xfffn);
    return new Btf('vmlinux', bytes, undefined, { holes, problem, phase });
  }

  #findKallsyms(): Kallsyms {
    const told = kallsymsTables(this.#memory, this.#vmcoreinfo);
    if (told !== undefined) return new Kallsyms(this.#memory, told);
    const found = scanKallsyms(this.#memory);
    if (found !== undefined) return found;
    throw new DumpError('absent', 'no symbols: VMCOREINFO does not say where kallsyms is', {
      where: { file: this.#file },
      hint: 'its looks did not lead to it either; what VMCOREINFO itself names can be read',
    });
  }

  #bound(name: string): bigint {
    const [index] = this.kallsyms.find(name);
    if (index !== undefined) return this.kallsyms.address(index);
    const { problem } = this.kallsyms.lost;
    if (problem !== undefined) throw problem;
    throw new DumpError('absent', `the kernel carries no types: it has no symbol "${name}"`, {
      where: { file: this.#file },
      hint: 'kernels built without CONFIG_DEBUG_INFO_BTF have none',
    });
  }
}
