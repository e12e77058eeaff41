/**
 * The tables that a kernel carries about itself and that never change while it runs: symbol names
 * and types. Each is read by its first use; for another memory of the same kernel they serve again.
 */

import { DumpError } from '../bytes/errors.ts';
import { Btf } from './btf.ts';
import { Kallsyms, kallsymsTables } from './kallsyms.ts';
import type { AddressSpace } from './memory.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

const maxBtfBytes = 256 * 1024 * 1024;

export class KernelTables {
  readonly #file: string;
  readonly #memory: AddressSpace;
  readonly #vmcoreinfo: Vmcoreinfo;
  #kallsyms: Kallsyms | undefined;
  #btf: Btf | undefined;

  /** `file`: for errors. */
  constructor(file: string, memory: AddressSpace, vmcoreinfo: Vmcoreinfo) {
    this.#file = file;
    this.#memory = memory;
    this.#vmcoreinfo = vmcoreinfo;
  }

  get kallsyms(): Kallsyms {
    if (this.#kallsyms === undefined) {
      const tables = kallsymsTables(this.#memory, this.#vmcoreinfo);
      if (tables === undefined) {
        throw new DumpError('unsupported', 'VMCOREINFO does not say where kallsyms is', {
          where: { file: this.#file },
          hint: 'kernels before v6.0 do not say it; only what VMCOREINFO itself names can be read',
        });
      }
      this.#kallsyms = new Kallsyms(this.#memory, tables);
    }
    return this.#kallsyms;
  }

  /** The types of vmlinux. */
  get btf(): Btf {
    if (this.#btf === undefined) {
      const start = this.#bound('__start_BTF');
      const length = Number(this.#bound('__stop_BTF') - start);
      if (length <= 0 || length > maxBtfBytes) {
        throw new DumpError('corrupt', `BTF of vmlinux is ${length} bytes`, {
          where: { virtual: start },
        });
      }
      this.#btf = new Btf('vmlinux', this.#memory.read(start, length));
    }
    return this.#btf;
  }

  /** Reads both now. Throws DumpErrors. */
  read(): this {
    this.#btf = this.btf;
    return this;
  }

  #bound(name: string): bigint {
    const [index] = this.kallsyms.find(name);
    if (index !== undefined) return this.kallsyms.address(index);
    throw new DumpError('absent', `the kernel carries no types: it has no symbol "${name}"`, {
      where: { file: this.#file },
      hint: 'kernels built without CONFIG_DEBUG_INFO_BTF have none',
    });
  }
}
