/**
 * A kernel's memory made addressable: from a dump and nothing else to symbols, types and objects.
 *
 * The chain, each link read only when something needs it: VMCOREINFO (the note, or the kernel's own
 * copy in memory) -> phys_base and the kernel's page tables -> kallsyms -> BTF -> objects.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import type { Dump } from '../dump/types.ts';
import type { Btf } from './btf.ts';
import { kernelMap, linkAddress } from './kernel-image.ts';
import type { KernelTypes, KernelVariables, ObjectOf, VariableOf } from './kernel-types.ts';
import { AddressSpace } from './memory.ts';
import { listModules, type ModuleList, moduleBtf } from './modules.ts';
import { type KernelObject, type MemberValue, readValue, viewObject } from './objects.ts';
import type { PageTableRoot } from './paging.ts';
import { PhysicalMemory } from './physical.ts';
import { type Recovered, recover } from './recover.ts';
import { type KernelSymbol, SymbolTable } from './symbols.ts';
import { KernelTables } from './tables.ts';
import { type Timed, untimed } from './timed.ts';
import { TypeTable } from './types.ts';
import { variableTypes } from './variables.ts';
import { utsnameOffsets, Vmcoreinfo } from './vmcoreinfo.ts';

/** So many bytes from the start of its text are the kernel's image, in every kernel. */
const surelyImage = 0x200_0000n;
/** PAGE_OFFSET without CONFIG_RANDOMIZE_MEMORY, by levels of paging. */
const defaultPageOffset = { 4: 0xffff_8880_0000_0000n, 5: 0xff11_0000_0000_0000n } as const;
/** NR_CPUS_RANGE_END of x86-64. */
const maxCpus = 8192;

type Found = Recovered | { vmcoreinfo: Vmcoreinfo; origin: 'note'; kallsyms?: undefined };

export class KernelCore {
  /** Names and types of the kernel itself. */
  readonly tables: KernelTables;
  /** The dump: also the physical memory as an image. */
  readonly dump: Dump;
  readonly physical: PhysicalMemory;
  readonly vmcoreinfo: Vmcoreinfo;
  /**
   * Where VMCOREINFO came from: the file's note, a copy found in the dumped memory, or rebuilt from
   * what the memory itself gives away, which is little.
   */
  readonly vmcoreinfoOrigin: 'note' | 'memory' | 'rebuilt';
  /** The kernel's own address space. */
  readonly memory: AddressSpace;
  readonly #timed: Timed;
  #symbols: SymbolTable | undefined;
  #types: TypeTable | undefined;
  #modules: ModuleList | undefined;
  #moduleBtf: readonly Btf[] | undefined;
  #pageOffset: bigint | undefined;
  #isFindingLinear = false;
  #cpus: readonly number[] | undefined;

  /** `known`: tables that somebody has made sure to be in this memory too. */
  constructor(dump: Dump, known?: KernelTables, timed: Timed = untimed) {
    this.dump = dump;
    this.#timed = timed;
    this.physical = new PhysicalMemory(dump);
    const found = timed('VMCOREINFO and page tables', () => this.#findVmcoreinfo());
    const { vmcoreinfo, origin, kallsyms } = found;
    this.vmcoreinfo = vmcoreinfo;
    this.vmcoreinfoOrigin = origin;
    this.memory = new AddressSpace(this.physical, this.#kernelPageTables(), (address) =>
      this.#linear(address),
    );
    this.tables = known ?? new KernelTables(dump.name, this.memory, vmcoreinfo, kallsyms, timed);
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
          this.#moduleBtf = this.#timed('types of modules', () => moduleBtf(this, vmlinux));
        }
        return this.#moduleBtf;
      });
    }
    return this.#types;
  }

  /** Loaded modules, oldest first. */
  get modules(): ModuleList {
    this.#modules ??= this.#timed('modules', () => listModules(this));
    return this.#modules;
  }

  symbol(name: string): KernelSymbol {
    const found = this.symbols.lookup(name);
    if (found === undefined) {
      throw new DumpError('absent', `the kernel has no symbol "${name}"`, {
        where: { file: this.dump.name },
        hint: this.tables.missing.length > 0 ? 'some names are lost with their pages' : undefined,
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
  object<Name extends keyof KernelTypes>(type: Name, address: bigint): KernelTypes[Name];
  object<Name extends string>(type: Name, address: bigint): ObjectOf<Name>;
  object(type: string, address: bigint): KernelObject {
    return viewObject(this, type, address);
  }

  /** A well-known global by its C type: BTF itself has no types for ordinary variables. */
  variable<Name extends keyof KernelVariables>(name: Name): KernelVariables[Name];
  variable<Name extends string>(name: Name): VariableOf<Name>;
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
    const pointee = type.slice(0, -1).trim();
    if (!pointee.startsWith('struct ')) return target;
    return target === 0n ? null : this.object(pointee, target);
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
    const physical = this.memory.physicalOf(pgd);
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

  /**
   * Two parts of the address space are linear: the kernel's image and the direct map. What lies
   * there can be read although page tables are lost.
   */
  #linear(address: bigint): bigint | undefined {
    const { physBase, kernelOffset } = this.vmcoreinfo;
    const start = this.vmcoreinfo.symbol('_stext') ?? linkAddress + (kernelOffset ?? 0n);
    const inImage = (end: bigint): boolean => address >= start && address < end;
    if (physBase !== undefined && inImage(start + surelyImage)) {
      return imageToPhysical(address, physBase);
    }
    // What follows reads symbols, in the image: nothing else may be asked for by that.
    if (this.#isFindingLinear) return undefined;
    this.#isFindingLinear = true;
    const end = attempt(() => this.symbols.inKernel('_end')?.address) ?? 0n;
    const offset = attempt(() => address - this.pageOffset);
    this.#isFindingLinear = false;
    if (physBase !== undefined && inImage(end)) return imageToPhysical(address, physBase);
    const size = BigInt(this.dump.endPfn) * BigInt(this.dump.pageSize);
    return offset !== undefined && offset >= 0n && offset < size ? offset : undefined;
  }

  #kernelPageTables(): PageTableRoot {
    const root = kernelPageTables(this.vmcoreinfo);
    if (root !== undefined) return root;
    throw new DumpError('absent', "VMCOREINFO does not say where the kernel's page tables are", {
      where: { file: this.dump.name },
    });
  }

  #findVmcoreinfo(): Found {
    if (this.dump.vmcoreinfo !== undefined) {
      return { vmcoreinfo: new Vmcoreinfo(this.dump.vmcoreinfo), origin: 'note' };
    }
    const isOurs = (candidate: Vmcoreinfo): boolean => this.#isOfThisKernel(candidate);
    const recovered = recover(this.dump, this.physical, isOurs);
    if (recovered !== undefined) return recovered;
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
    const told = candidate.offset('uts_namespace.name');
    const places = told === undefined ? utsnameOffsets : [told];
    return places.some((name) => {
      const address = imageToPhysical(uts + BigInt(name) + 2n * 65n, physBase);
      return attempt(() => cstring(this.physical.read(address, 65))) === release;
    });
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
