/** Loaded modules: where they lie, their symbols and their own BTF. */

import { DumpError, within } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import { Btf } from './btf.ts';
import { walkList } from './lists.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, follow, hasMember, type KernelObject, memberAddress } from './objects.ts';
import type { KernelSymbol, ModuleSymbols } from './symbols.ts';

/** What a module needs of the kernel that it is loaded in; `KernelCore` is one. */
export interface ModuleKernel {
  readonly memory: AddressSpace;
  object(type: string, address: bigint): KernelObject;
  symbolAddress(name: string): bigint | undefined;
}

export interface KernelModule extends ModuleSymbols {
  /** The struct module. */
  readonly object: KernelObject;
  readonly name: string;
  /** Where its text starts: what lsmod and crash call its base. */
  readonly base: bigint;
  /** Bytes of its core memory (text, data, read-only data), without init sections. */
  readonly size: number;
  readonly state: 'live' | 'coming' | 'going' | 'unformed';
}

export interface ModuleList {
  readonly modules: readonly KernelModule[];
  /** Undefined when the list was walked to its end. */
  readonly problem: DumpError | undefined;
}

const maxModules = 10_000;
const maxModuleSymbols = 1_000_000;
const states = ['live', 'coming', 'going', 'unformed'] as const;
const elfSymbolSize = 24;

/** In load order, oldest first, as crash lists them. */
export function listModules(kernel: ModuleKernel): ModuleList {
  const head = kernel.symbolAddress('modules');
  // A kernel without module support has no list.
  if (head === undefined) return { modules: [], problem: undefined };
  const modules: KernelModule[] = [];
  const walk = walkList(kernel, head, 'struct module', 'list', maxModules);
  for (const object of walk.objects) {
    try {
      // MODULE_STATE_UNFORMED: allocated, nothing in it valid yet.
      if (object.state !== states.indexOf('unformed')) modules.push(describe(kernel, object));
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return { modules: modules.reverse(), problem: error };
    }
  }
  return { modules: modules.reverse(), problem: walk.problem };
}

function describe(kernel: ModuleKernel, object: KernelObject): KernelModule {
  const name = object.name as string;
  const { core, init } = layout(object);
  const ranges = [...core, ...init].filter((range) => range.end > range.start);
  let symbols: readonly KernelSymbol[] | undefined;
  return {
    object,
    name,
    base: core[0]!.start,
    size: core.reduce((sum, range) => sum + Number(range.end - range.start), 0),
    state: states[object.state as number] ?? 'unformed',
    ranges,
    symbols: () => {
      symbols ??= within(`symbols of module ${name}`, {}, () => readSymbols(kernel, object, name));
      return symbols;
    },
  };
}

interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

function layout(object: KernelObject): { core: Range[]; init: Range[] } {
  const range = (start: bigint, size: number): Range => ({ start, end: start + BigInt(size) });
  if (hasMember(object, 'mem')) {
    // Since v6.4 (ac3b43283923 "module: replace module_layout with module_memory"): text, data,
    // rodata, ro-after-init, then the same three of init.
    const all = [...object.mem].map((memory) => range(memory.base, memory.size));
    return { core: all.slice(0, 4), init: all.slice(4) };
  }
  const { core_layout: core, init_layout: init } = object;
  return { core: [range(core.base, core.size)], init: [range(init.base, init.size)] };
}

function readSymbols(
  kernel: ModuleKernel,
  object: KernelObject,
  module: string,
): readonly KernelSymbol[] {
  const table = object.kallsyms;
  if (table === null) return [];
  const count = table.num_symtab as number;
  if (count > maxModuleSymbols) throw new DumpError('corrupt', `it claims ${count} symbols`);
  const entries = kernel.memory.view(
    addressOfPointer(kernel, table, 'symtab'),
    count * elfSymbolSize,
  );
  const strings = addressOfPointer(kernel, table, 'strtab');
  const types = hasMember(table, 'typetab')
    ? kernel.memory.read(addressOfPointer(kernel, table, 'typetab'), count)
    : undefined;
  const found: { offset: number; address: bigint; index: number }[] = [];
  let lastName = 0;
  // Entry 0 is the null symbol; st_shndx 0 is undefined: an import.
  for (let index = 1; index < count; index++) {
    const at = index * elfSymbolSize;
    const offset = entries.getUint32(at, true);
    if (entries.getUint16(at + 6, true) === 0) continue;
    found.push({ offset, address: entries.getBigUint64(at + 8, true), index });
    lastName = Math.max(lastName, offset);
  }
  const names = readNames(kernel, strings, lastName);
  return found
    .map(({ offset, address, index }) => ({
      name: cstring(names.subarray(offset)),
      address,
      type: types === undefined ? '?' : String.fromCharCode(types[index]!),
      module,
    }))
    .filter((symbol) => symbol.name !== '')
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** The string table up to the end of its last used name, whose length is not known beforehand. */
function readNames(kernel: ModuleKernel, strings: bigint, lastName: number): Uint8Array {
  if (lastName > 64 * 1024 * 1024) throw new DumpError('corrupt', `a name at ${lastName}`);
  const last = kernel.memory.cstring(strings + BigInt(lastName), 512);
  return kernel.memory.read(strings, lastName + last.length + 1);
}

/** The value of a pointer member that would follow to a view. */
function addressOfPointer(kernel: ModuleKernel, object: KernelObject, member: string): bigint {
  return kernel.memory.u64(memberAddress(object, member));
}

/**
 * BTF of the loaded modules. `module.btf_data` is cleared after loading, so the list that the BTF
 * code itself keeps is walked (kernel/bpf/btf.c, `btf_modules`). A module without readable BTF is
 * left out: its types then are "absent".
 */
export function moduleBtf(kernel: ModuleKernel, vmlinux: Btf): Btf[] {
  const head = kernel.symbolAddress('btf_modules');
  if (head === undefined) return [];
  const blobs: Btf[] = [];
  const walk = walkList(kernel, head, 'struct btf_module', 'list', maxModules);
  for (const entry of walk.objects) {
    try {
      const btf = follow(entry, 'btf');
      const bytes = kernel.memory.read(addressOfPointer(kernel, btf, 'data'), btf.data_size);
      blobs.push(new Btf(btf.name, bytes.slice(), vmlinux));
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
    }
  }
  return blobs;
}

export function moduleAddress(module: KernelModule): bigint {
  return addressOf(module.object);
}
