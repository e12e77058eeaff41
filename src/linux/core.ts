/**
 * A kernel's memory made addressable: from a dump and nothing else to symbols, types and objects.
 *
 * The chain, each link read only when something needs it: VMCOREINFO (the note, or the kernel's own
 * copy in memory) -> phys_base and the kernel's page tables -> kallsyms -> BTF -> objects.
 */

import { DumpError } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import type { Btf } from './btf.ts';
import { AddressSpace } from './memory.ts';
import { listModules, type ModuleList, moduleBtf } from './modules.ts';
import { type KernelObject, type MemberValue, readValue, viewObject } from './objects.ts';
import type { PageTableRoot } from './paging.ts';
import { PhysicalMemory } from './physical.ts';
import { type KernelSymbol, SymbolTable } from './symbols.ts';
import { KernelTables } from './tables.ts';
import { TypeTable } from './types.ts';
import { variableTypes } from './variables.ts';
import { searchVmcoreinfo, Vmcoreinfo } from './vmcoreinfo.ts';

/** __START_KERNEL_map: where the kernel's text is mapped, arch/x86/include/asm/page_64_types.h. */
const kernelMap = 0xffff_ffff_8000_0000n;
/** PAGE_OFFSET without CONFIG_RANDOMIZE_MEMORY, by levels of paging. */
const defaultPageOffset = { 4: 0xffff_8880_0000_0000n, 5: 0xff11_0000_0000_0000n } as const;
/** NR_CPUS_RANGE_END of x86-64. */
const maxCpus = 8192;

export class KernelCore {
  /** Names and types of the kernel itself. */
  readonly tables: KernelTables;
  /** The dump: also the physical memory as an image. */
  readonly dump: Dump;
  readonly physical: PhysicalMemory;
  readonly vmcoreinfo: Vmcoreinfo;
  /** Where VMCOREINFO came from: the file's note, or a copy found in the dumped memory. */
  readonly vmcoreinfoOrigin: 'note' | 'memory';
  /** The kernel's own address space. */
  readonly memory: AddressSpace;
  #symbols: SymbolTable | undefined;
  #types: TypeTable | undefined;
  #modules: ModuleList | undefined;
  #moduleBtf: readonly Btf[] | undefined;
  #pageOffset: bigint | undefined;
  #cpus: readonly number[] | undefined;

  /** `known`: tables that somebody has made sure to be in this memory too. */
  constructor(dump: Dump, known?: KernelTables) {
    this.dump = dump;
    this.physical = new PhysicalMemory(dump);
    if (dump.vmcoreinfo !== undefined) {
      this.vmcoreinfo = new Vmcoreinfo(dump.vmcoreinfo);
      this.vmcoreinfoOrigin = 'note';
    } else {
      this.vmcoreinfo = this.#findVmcoreinfo();
      this.vmcoreinfoOrigin = 'memory';
    }
    this.memory = new AddressSpace(this.physical, this.#kernelPageTables());
    this.tables = known ?? new KernelTables(dump.name, this.memory, this.vmcoreinfo);
  }

  /** Symbols of the kernel and its modules. The first access decodes kallsyms. */
  get symbols(): SymbolTable {
    this.#symbols ??= new SymbolTable(this.tables.kallsyms, () => this.modules.modules);
    return this.#symbols;
  }

  /** Types of the kernel and its modules. The first access reads the BTF of vmlinux. */
  get types(): TypeTable {
    if (this.#types === undefined) {
      const vmlinux = this.tables.btf;
      this.#types = new TypeTable(vmlinux, () => {
        if (this.#moduleBtf === undefined) {
          // Finding them takes types: those are looked for in vmlinux alone.
          this.#moduleBtf = [];
          this.#moduleBtf = moduleBtf(this, vmlinux);
        }
        return this.#moduleBtf;
      });
    }
    return this.#types;
  }

  /** Loaded modules, oldest first. */
  get modules(): ModuleList {
    this.#modules ??= listModules(this);
    return this.#modules;
  }

  symbol(name: string): KernelSymbol {
    const found = this.symbols.lookup(name);
    if (found === undefined) {
      throw new DumpError('absent', `the kernel has no symbol "${name}"`, {
        where: { file: this.dump.name },
      });
    }
    return found;
  }

  /**
   * The address of a symbol of the kernel itself, from VMCOREINFO if it is there: that costs no
   * symbol table.
   */
  symbolAddress(name: string): bigint | undefined {
    return this.vmcoreinfo.symbol(name) ?? this.symbols.inKernel(name)?.address;
  }

  /** A lazy view of the struct or union `type` at `address`. */
  object(type: string, address: bigint): KernelObject {
    return viewObject(this, type, address);
  }

  /** A well-known global by its C type: BTF itself has no types for ordinary variables. */
  variable(name: string): MemberValue {
    const type = variableTypes[name];
    if (type === undefined) {
      throw new DumpError('absent', `the type of the variable "${name}" is not known`, {
        hint: `cast it: (struct T *)&${name}`,
      });
    }
    const { address } = this.symbol(name);
    if (!type.endsWith('*')) return readValue(this, this.types.get(type), address);
    const target = this.memory.u64(address);
    return target === 0n ? null : this.object(type.slice(0, -1).trim(), target);
  }

  /** Possible CPUs. */
  get cpus(): readonly number[] {
    this.#cpus ??= this.cpuMask('__cpu_possible_mask');
    return this.#cpus;
  }

  /** The CPU numbers in a mask variable: `__cpu_online_mask`, `__cpu_possible_mask`. */
  cpuMask(name: string): number[] {
    const ids = Math.min(this.memory.u32(this.symbol('nr_cpu_ids').address), maxCpus);
    const bits = this.memory.read(this.symbol(name).address, Math.ceil(ids / 8));
    return Array.from({ length: ids }, (_, cpu) => cpu).filter(
      (cpu) => (bits[cpu >> 3]! & (1 << (cpu & 7))) !== 0,
    );
  }

  /** What is added to a per-CPU symbol to get this CPU's copy. */
  perCpuOffset(cpu: number): bigint {
    return this.memory.u64(this.symbol('__per_cpu_offset').address + BigInt(cpu) * 8n);
  }

  /** The address of this CPU's copy of a per-CPU variable. */
  perCpu(name: string, cpu: number): bigint {
    return BigInt.asUintN(64, this.symbol(name).address + this.perCpuOffset(cpu));
  }

  /** The address space of `mm->pgd`. */
  addressSpace(pgd: bigint): AddressSpace {
    const physical = this.memory.translate(pgd).physical;
    return new AddressSpace(this.physical, { ...this.memory.root, physical });
  }

  /** The address of a physical byte in the direct map. */
  toVirtual(physical: bigint): bigint {
    return this.pageOffset + physical;
  }

  /** Where the direct map of all physical memory starts. */
  get pageOffset(): bigint {
    if (this.#pageOffset === undefined) {
      const variable = this.symbols.inKernel('page_offset_base');
      this.#pageOffset =
        variable === undefined
          ? defaultPageOffset[this.memory.root.levels]
          : this.memory.u64(variable.address);
    }
    return this.#pageOffset;
  }

  #kernelPageTables(): PageTableRoot {
    const root = kernelPageTables(this.vmcoreinfo);
    if (root !== undefined) return root;
    throw new DumpError('absent', "VMCOREINFO does not say where the kernel's page tables are", {
      where: { file: this.dump.name },
    });
  }

  #findVmcoreinfo(): Vmcoreinfo {
    for (const candidate of searchVmcoreinfo(this.dump)) {
      if (this.#isOfThisKernel(candidate)) return candidate;
    }
    throw new DumpError('absent', 'no VMCOREINFO: neither a note in the file nor one in memory', {
      where: { file: this.dump.name },
      hint: 'with QEMU, give the guest `-device vmcoreinfo`; with LKCD, dump the kernel pages too',
    });
  }

  /** A stale copy (a capture kernel's, an earlier boot's) does not lead to its own release. */
  #isOfThisKernel(candidate: Vmcoreinfo): boolean {
    const uts = candidate.symbol('init_uts_ns');
    const { physBase, release } = candidate;
    if (uts === undefined || physBase === undefined || release === undefined) return false;
    const name = candidate.offset('uts_namespace.name') ?? 0;
    const address = imageToPhysical(uts + BigInt(name) + 2n * 65n, physBase);
    try {
      return cstring(this.physical.read(address, 65)) === release;
    } catch (error) {
      if (error instanceof DumpError) return false;
      throw error;
    }
  }
}

/** The kernel's own page tables; undefined where VMCOREINFO does not say where they are. */
export function kernelPageTables(vmcoreinfo: Vmcoreinfo): PageTableRoot | undefined {
  const table = vmcoreinfo.symbol('init_top_pgt') ?? vmcoreinfo.symbol('swapper_pg_dir');
  const { physBase } = vmcoreinfo;
  if (table === undefined || physBase === undefined) return undefined;
  return {
    physical: imageToPhysical(table, physBase),
    levels: vmcoreinfo.number('pgtable_l5_enabled') === 1 ? 5 : 4,
    encryptionMask: BigInt(vmcoreinfo.number('sme_mask') ?? 0),
  };
}

/** Physical address of something in the kernel's image. */
function imageToPhysical(virtual: bigint, physBase: bigint): bigint {
  return BigInt.asUintN(64, virtual - kernelMap + physBase);
}
