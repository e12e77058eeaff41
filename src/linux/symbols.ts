/** Names and addresses of the kernel and of its loaded modules, in both directions. */

import { DumpError } from '../bytes/errors.ts';
import type { Kallsyms } from './kallsyms.ts';

export interface KernelSymbol {
  readonly name: string;
  readonly address: bigint;
  /** The nm type letter. */
  readonly type: string;
  /** Undefined for the kernel itself. */
  readonly module?: string;
}

export interface SymbolAt {
  readonly symbol: KernelSymbol;
  /** Bytes from the symbol to the address. */
  readonly offset: number;
}

/** The symbols of one loaded module and the memory that they may lie in. */
export interface ModuleSymbols {
  readonly name: string;
  readonly ranges: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Sorted by address. Throws where the module's table is not in the dump. */
  symbols(): readonly KernelSymbol[];
}

/** __START_KERNEL_map: per-CPU symbols, which are offsets, lie below. */
const lowestImage = 0xffff_ffff_8000_0000n;

export class SymbolTable {
  readonly #kallsyms: Kallsyms;
  readonly #modules: () => readonly ModuleSymbols[];
  /** Start and end of the kernel's image: addresses between belong to kallsyms. */
  readonly #image: { readonly start: bigint; readonly end: bigint };

  constructor(kallsyms: Kallsyms, modules: () => readonly ModuleSymbols[]) {
    this.#kallsyms = kallsyms;
    this.#modules = modules;
    const first = this.inKernel('_text') ?? this.inKernel('_stext') ?? this.#firstInImage();
    if (first === undefined) {
      throw new DumpError('corrupt', 'kallsyms has neither _text nor _stext');
    }
    const end = this.inKernel('_end')?.address ?? kallsyms.address(kallsyms.count - 1);
    this.#image = { start: first.address, end };
  }

  /** The first symbol of that name; the kernel's before the modules'. */
  lookup(name: string): KernelSymbol | undefined {
    const own = this.inKernel(name);
    if (own !== undefined) return own;
    for (const module of this.#modules()) {
      const found = readable(module).find((symbol) => symbol.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The kernel's own first symbol of that name. Reads no module's table: asking for what only some
   * kernels have is cheap, and finding the modules themselves depends on it.
   */
  inKernel(name: string): KernelSymbol | undefined {
    const [index] = this.#kallsyms.find(name);
    return index === undefined ? undefined : this.#kernelSymbol(index);
  }

  /** Every symbol of that name: static functions share names. */
  lookupAll(name: string): KernelSymbol[] {
    const found = this.#kallsyms.find(name).map((index) => this.#kernelSymbol(index));
    for (const module of this.#modules()) {
      found.push(...readable(module).filter((symbol) => symbol.name === name));
    }
    return found;
  }

  /** The symbol that covers `address`, undefined outside kernel image and modules. */
  at(address: bigint): SymbolAt | undefined {
    if (address >= this.#image.start && address < this.#image.end) {
      const index = this.#kallsyms.at(address);
      if (index < 0) return undefined;
      const symbol = this.#kernelSymbol(index);
      return { symbol, offset: Number(address - symbol.address) };
    }
    for (const module of this.#modules()) {
      if (!module.ranges.some((range) => address >= range.start && address < range.end)) continue;
      const symbol = lastAtOrBelow(readable(module), address);
      if (symbol !== undefined) return { symbol, offset: Number(address - symbol.address) };
    }
    return undefined;
  }

  /** All symbols, the kernel's in address order, then each module's. */
  *all(): Generator<KernelSymbol> {
    for (let index = 0; index < this.#kallsyms.count; index++) {
      if (this.#kallsyms.isThere(index)) yield this.#kernelSymbol(index);
    }
    for (const module of this.#modules()) yield* readable(module);
  }

  /** How many symbols the kernel itself has. */
  get kernelCount(): number {
    return this.#kallsyms.count;
  }

  /**
   * Bytes from the start of a kernel function to the next symbol of another address: the most that
   * the function can be long.
   */
  sizeOf(symbol: KernelSymbol): number {
    let end = this.#image.end;
    for (const other of this.#following(symbol)) {
      if (other > symbol.address) {
        end = other;
        break;
      }
    }
    return Number(end - symbol.address);
  }

  *#following(symbol: KernelSymbol): Generator<bigint> {
    if (symbol.module === undefined) {
      const first = this.#kallsyms.at(symbol.address);
      for (let index = first; index >= 0 && index < this.#kallsyms.count; index++) {
        if (this.#kallsyms.isThere(index)) yield this.#kallsyms.address(index);
      }
      return;
    }
    const module = this.#modules().find((candidate) => candidate.name === symbol.module);
    if (module === undefined) return;
    for (const other of readable(module)) yield other.address;
    const range = module.ranges.find((r) => symbol.address >= r.start && symbol.address < r.end);
    if (range !== undefined) yield range.end;
  }

  /** Where the names that tell it are lost, the first that is known. */
  #firstInImage(): KernelSymbol | undefined {
    if (this.#kallsyms.lost.problem === undefined) return undefined;
    for (let index = 0; index < this.#kallsyms.count; index++) {
      const symbol = this.#kernelSymbol(index);
      if (this.#kallsyms.isThere(index) && symbol.address >= lowestImage) return symbol;
    }
    return undefined;
  }

  #kernelSymbol(index: number): KernelSymbol {
    return {
      name: this.#kallsyms.name(index),
      address: this.#kallsyms.address(index),
      type: this.#kallsyms.type(index),
    };
  }
}

/** A module whose table was filtered out has no names; that is no reason to lose the others'. */
function readable(module: ModuleSymbols): readonly KernelSymbol[] {
  try {
    return module.symbols();
  } catch (error) {
    if (error instanceof DumpError) return [];
    throw error;
  }
}

function lastAtOrBelow(
  symbols: readonly KernelSymbol[],
  address: bigint,
): KernelSymbol | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  let index = low - 1;
  while (index > 0 && symbols[index - 1]!.address === symbols[index]!.address) index--;
  return symbols[index];
}
