/**
 * ORC: for every instruction of the kernel, where the caller's stack pointer, frame pointer and
 * return address are. The bits of an entry are asked from BTF, entries are found by binary search
 * in memory: a lookup touches a few pages of a table of megabytes.
 * Source: arch/x86/include/asm/orc_types.h, arch/x86/kernel/unwind_orc.c.
 */

import { DumpError } from '../bytes/errors.ts';
import type { KernelModule } from './modules.ts';
import { hasMember, memberAddress } from './objects.ts';
import type { SymbolTable } from './symbols.ts';
import { ftraceTrampolines, type Trampoline, type TrampolineKernel } from './trampolines.ts';
import type { Member, TypeTable } from './types.ts';

/** What looking up ORC entries needs of a kernel; `KernelCore` is one. */
export interface OrcKernel extends TrampolineKernel {
  readonly symbols: Pick<SymbolTable, 'at' | 'inKernel'>;
  readonly types: Pick<TypeTable, 'hasMember' | 'member' | 'sizeOf'>;
  readonly modules: { readonly modules: readonly KernelModule[] };
}

/** Numbers of ORC_REG_*: what a stack or frame pointer is computed from. */
export const OrcRegister = {
  undefined: 0,
  previousSp: 1,
  dx: 2,
  di: 3,
  bp: 4,
  sp: 5,
  r10: 6,
  r13: 7,
  bpIndirect: 8,
  spIndirect: 9,
} as const;

/**
 * `call`: the return address lies below the caller's stack pointer. `regs`: a whole struct pt_regs
 * stands there. `partial`: an interrupt frame (ip, cs, flags, sp, ss). `end`: there is no caller.
 */
export type OrcType = 'call' | 'regs' | 'partial' | 'end' | 'undefined';

export interface OrcEntry {
  readonly type: OrcType;
  readonly spRegister: number;
  readonly spOffset: number;
  readonly bpRegister: number;
  readonly bpOffset: number;
  /** The caller's address is that of an instruction, not one behind a call. */
  readonly signal: boolean;
}

/** One sorted pair of tables: slots of 4 bytes with relative addresses, and their entries. */
interface OrcTable {
  readonly owner: string;
  readonly slots: bigint;
  readonly entries: bigint;
  readonly count: number;
}

interface Vmlinux {
  readonly table: OrcTable;
  /** What it describes. */
  readonly text: readonly { readonly start: bigint; readonly end: bigint }[];
  /** orc_lookup: for each block of text, the index of its first entry. */
  readonly lookup: { start: bigint; table: bigint; blocks: number } | undefined;
}

/** LOOKUP_BLOCK_SIZE: bytes of text for each word of orc_lookup. */
const lookupBlock = 256n;
/** A table of this many entries would describe gigabytes of text. */
const maxEntries = 1 << 26;
const maxCached = 16384;

export class OrcLookup {
  readonly #kernel: OrcKernel;
  readonly #cache = new Map<bigint, OrcEntry | undefined>();
  #decode: ((bytes: DataView) => OrcEntry) | undefined;
  #entrySize = 0;
  #vmlinux: Vmlinux | undefined;
  #trampolines: readonly Trampoline[] | undefined;

  constructor(kernel: OrcKernel) {
    this.#kernel = kernel;
  }

  /**
   * The entry for an instruction's address; undefined where no table knows the code (BPF programs,
   * other generated code). Throws a DumpError where the tables themselves cannot be read.
   */
  find(address: bigint): OrcEntry | undefined {
    if (this.#cache.has(address)) return this.#cache.get(address);
    const entry = this.#search(address);
    if (this.#cache.size >= maxCached) this.#cache.clear();
    this.#cache.set(address, entry);
    return entry;
  }

  #search(address: bigint): OrcEntry | undefined {
    const table = this.#tableOf(address);
    if (table === undefined) return this.#searchOriginal(address);
    const [from, to] = this.#narrow(table, address);
    const index = this.#indexOf(table, address, from, to);
    return index < 0 ? undefined : this.#entry(table, index);
  }

  #searchOriginal(address: bigint): OrcEntry | undefined {
    this.#trampolines ??= ftraceTrampolines(this.#kernel);
    const found = this.#trampolines.find(({ start, end }) => address >= start && address < end);
    if (found === undefined) return undefined;
    const original = found.original + (address - found.start);
    // A damaged list must not lead back to a trampoline.
    return this.#tableOf(original) === undefined ? undefined : this.#search(original);
  }

  #tableOf(address: bigint): OrcTable | undefined {
    this.#vmlinux ??= openVmlinux(this.#kernel);
    if (this.#vmlinux.text.some(({ start, end }) => address >= start && address < end)) {
      return this.#vmlinux.table;
    }
    const module = this.#kernel.modules.modules.find(({ ranges }) =>
      ranges.some(({ start, end }) => address >= start && address < end),
    );
    return module === undefined ? undefined : this.#openModule(module);
  }

  /** A module's tables cover its init text too, as long as that is loaded. */
  #openModule({ name, object }: KernelModule): OrcTable | undefined {
    if (!hasMember(object, 'arch.num_orcs')) return undefined;
    const pointer = (member: string): bigint =>
      this.#kernel.memory.u64(memberAddress(object, `arch.${member}`));
    const count = object.arch.num_orcs as number;
    const table = { owner: name, slots: pointer('orc_unwind_ip'), entries: pointer('orc_unwind') };
    return count === 0 ? undefined : { ...table, count };
  }

  /** The part of the table that orc_lookup names for an address; all of it where it cannot say. */
  #narrow(table: OrcTable, address: bigint): [from: number, to: number] {
    const whole: [number, number] = [0, table.count];
    const lookup = this.#vmlinux?.lookup;
    if (table !== this.#vmlinux?.table || lookup === undefined) return whole;
    const block = (address - lookup.start) / lookupBlock;
    if (address < lookup.start || block + 1n >= BigInt(lookup.blocks)) return whole;
    try {
      const words = this.#kernel.memory.view(lookup.table + block * 4n, 8);
      const from = words.getUint32(0, true);
      const to = words.getUint32(4, true) + 1;
      return from < to && to <= table.count ? [from, to] : whole;
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return whole;
    }
  }

  /** The last index in [from, to) whose target is not above `address`; -1 for none. */
  #indexOf(table: OrcTable, address: bigint, from: number, to: number): number {
    if (table.count > maxEntries) {
      const where = { virtual: table.slots };
      throw new DumpError('corrupt', `${table.owner} claims ${table.count} ORC entries`, { where });
    }
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#target(table, middle) <= address) low = middle + 1;
      else high = middle;
    }
    return low === from ? -1 : low - 1;
  }

  #target(table: OrcTable, index: number): bigint {
    const slot = table.slots + BigInt(index * 4);
    return BigInt.asUintN(64, slot + BigInt(this.#kernel.memory.i32(slot)));
  }

  #entry(table: OrcTable, index: number): OrcEntry {
    this.#decode ??= entryDecoder(this.#kernel);
    this.#entrySize ||= this.#kernel.types.sizeOf('struct orc_entry');
    const at = table.entries + BigInt(index * this.#entrySize);
    return this.#decode(this.#kernel.memory.view(at, this.#entrySize));
  }
}

function openVmlinux({ memory, symbols }: OrcKernel): Vmlinux {
  const address = (name: string): bigint => {
    const found = symbols.inKernel(name);
    if (found !== undefined) return found.address;
    throw new DumpError('absent', `the kernel has no ORC tables: no symbol "${name}"`, {
      hint: 'kernels built with CONFIG_UNWINDER_FRAME_POINTER or _GUESS have none',
    });
  };
  const slots = address('__start_orc_unwind_ip');
  const count = Number((address('__stop_orc_unwind_ip') - slots) / 4n);
  const table = { owner: 'vmlinux', slots, entries: address('__start_orc_unwind'), count };
  const start = address('_stext');
  const text = [{ start, end: address('_etext') }];
  const init = symbols.inKernel('_sinittext');
  if (init !== undefined) text.push({ start: init.address, end: address('_einittext') });
  const blocks = symbols.inKernel('lookup_num_blocks');
  const words = symbols.inKernel('orc_lookup');
  if (blocks === undefined || words === undefined) return { table, text, lookup: undefined };
  try {
    const lookup = { start, table: words.address, blocks: memory.u32(blocks.address) };
    return { table, text, lookup };
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return { table, text, lookup: undefined };
  }
}

/** How this kernel packs an entry. */
function entryDecoder(kernel: OrcKernel): (bytes: DataView) => OrcEntry {
  const { types } = kernel;
  const size = types.sizeOf('struct orc_entry');
  const member = (name: string): Member => types.member('struct orc_entry', name);
  const has = (name: string): boolean => types.hasMember('struct orc_entry', name);
  const field = (name: string): ((bytes: DataView) => number) => bitField(member(name), size);
  const spRegister = field('sp_reg');
  const bpRegister = field('bp_reg');
  const type = field('type');
  const signed = (name: string): ((bytes: DataView) => number) => {
    const { offset } = member(name);
    return (bytes) => bytes.getInt16(offset, true);
  };
  const spOffset = signed('sp_offset');
  const bpOffset = signed('bp_offset');
  // Since v6.4 (fb799447ae29 "x86,objtool: Split UNWIND_HINT_EMPTY in two") the type has three
  // bits and says itself where the stack ends; before, it is an undefined stack pointer with `end`.
  const wideType = (member('type').bits?.width ?? 0) >= 3;
  const end = has('end') ? field('end') : undefined;
  // Since v6.3 (ffb1b4a41016 "x86/unwind/orc: Add 'signal' field to ORC metadata").
  const signal = has('signal') ? field('signal') : undefined;
  const wideTypes: readonly OrcType[] = ['undefined', 'end', 'call', 'regs', 'partial'];
  const narrowTypes: readonly OrcType[] = ['call', 'regs', 'partial'];
  const typeOf = (bytes: DataView): OrcType => {
    if (wideType) return wideTypes[type(bytes)] ?? 'undefined';
    if (spRegister(bytes) === OrcRegister.undefined) {
      return end === undefined || end(bytes) === 1 ? 'end' : 'undefined';
    }
    return narrowTypes[type(bytes)] ?? 'undefined';
  };
  return (bytes) => {
    const kind = typeOf(bytes);
    return {
      type: kind,
      spRegister: spRegister(bytes),
      spOffset: spOffset(bytes),
      bpRegister: bpRegister(bytes),
      bpOffset: bpOffset(bytes),
      signal: signal === undefined ? kind === 'regs' || kind === 'partial' : signal(bytes) === 1,
    };
  };
}

/** Reads a bit-field of at most 8 bits that may cross a byte. */
function bitField({ offset, bits }: Member, size: number): (bytes: DataView) => number {
  const first = offset + Math.floor((bits?.first ?? 0) / 8);
  const shift = (bits?.first ?? 0) % 8;
  const width = bits?.width ?? 8;
  if (width > 8 || first >= size) {
    throw new DumpError('unsupported', 'struct orc_entry has a member of unexpected width');
  }
  const mask = (1 << width) - 1;
  return (bytes) => {
    const high = first + 1 < bytes.byteLength ? bytes.getUint8(first + 1) : 0;
    return ((bytes.getUint8(first) | (high << 8)) >> shift) & mask;
  };
}
