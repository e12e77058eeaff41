/**
 * One CPU of the machine. It reads and writes through its own page tables in the machine's memory
 * as that is now, and it executes the kernel's functions by name: what it fetches must be what the
 * kernel had there at set-up (never what a vmlinux file has: alternatives and tracing patch text).
 */

import { DumpError } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import type { Registers } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';
import { AddressSpace } from '../linux/memory.ts';
import type { PageTableRoot } from '../linux/paging.ts';
import { PhysicalMemory } from '../linux/physical.ts';
import type { Clock } from './clock.ts';
import type { HardwareProfile } from './hardware.ts';
import type { MachineMemory } from './memory.ts';
import type { OwnWrites } from './own-writes.ts';
import { MachineStop } from './stop.ts';

export type CpuRunState =
  | 'running'
  | 'idle'
  /** In the handler of an NMI that never returns. */
  | 'in NMI'
  /** Takes no interrupt, no NMI, executes nothing. */
  | 'dead';

export interface SavedCpu {
  readonly number: number;
  readonly state: CpuRunState;
  readonly registers: Registers | undefined;
  readonly task: bigint;
  readonly stack: bigint;
  readonly root: bigint;
}

/** Code that is not the kernel's: placed at set-up, executed by name like a function of it. */
export interface ResidentCode {
  /** `physical`: behind the jump, where every address maps to itself. */
  readonly space: 'kernel' | 'physical';
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export interface CpuSurroundings {
  readonly memory: MachineMemory;
  readonly clock: Clock;
  readonly hardware: HardwareProfile;
  /** The undamaged kernel: what compiler and linker fixed. */
  readonly kernel: Kernel;
  readonly ownWrites: OwnWrites;
  readonly resident: ReadonlyMap<string, ResidentCode>;
}

/** The longest function of a kernel is some 30 KB. */
const maxFunction = 64 * 1024;

export class Cpu {
  readonly number: number;
  state: CpuRunState;
  /** Undefined where neither dump nor memory has them. */
  registers: Registers | undefined;
  /** Virtual addresses of its current task_struct and of that task's stack. */
  readonly task: bigint;
  readonly stack: bigint;
  /** CR3, without flags. */
  readonly root: bigint;
  readonly #around: CpuSurroundings;
  #space: AddressSpace | undefined;
  #generation = -1;

  constructor(around: CpuSurroundings, saved: SavedCpu) {
    this.#around = around;
    this.number = saved.number;
    this.state = saved.state;
    this.registers = saved.registers;
    this.task = saved.task;
    this.stack = saved.stack;
    this.root = saved.root;
  }

  /**
   * Memory as this CPU sees it now. Its reads throw DumpErrors: a fault, or a hole of the input.
   */
  get memory(): AddressSpace {
    const { memory, kernel } = this.#around;
    if (this.#space === undefined || this.#generation !== memory.generation) {
      const root: PageTableRoot = { ...kernel.memory.root, physical: this.root };
      this.#space = new AddressSpace(new PhysicalMemory(memory), root);
      this.#generation = memory.generation;
    }
    return this.#space;
  }

  /** The value of a pointer or long variable of the kernel. */
  variable(name: string): bigint {
    return this.memory.u64(this.#around.kernel.symbol(name).address);
  }

  /** A pointer member, as its address. */
  pointer(type: string, address: bigint, member: string): bigint {
    return this.memory.u64(address + BigInt(this.#around.kernel.types.offsetOf(type, member)));
  }

  /** PAGE_OFFSET: where the direct map starts is a variable, because KASLR moves it. */
  get pageOffset(): bigint {
    const { kernel } = this.#around;
    const variable = kernel.symbols.inKernel('page_offset_base');
    return variable === undefined ? kernel.pageOffset : this.memory.u64(variable.address);
  }

  /** The address of `cpu`'s copy of what `offset` means to every CPU. */
  perCpu(offset: bigint, cpu: number): bigint {
    const table = this.#around.kernel.symbol('__per_cpu_offset').address;
    return BigInt.asUintN(64, offset + this.memory.u64(table + BigInt(cpu) * 8n));
  }

  /** Writes through the page tables, on behalf of a method: recorded under `what`. */
  write(address: bigint, bytes: Uint8Array, what: string): void {
    let done = 0;
    while (done < bytes.length) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const length = Math.min(4096 - Number(at & 0xfffn), bytes.length - done);
      const { physical, writable } = this.memory.translate(at);
      if (!writable) {
        throw new MachineStop('nested fault', `write to a read-only page: ${what}`, hex16(at));
      }
      this.#around.memory.write(physical, bytes.subarray(done, done + length));
      this.#around.ownWrites.add(what, Number(physical), length);
      done += length;
    }
  }

  /** Executes functions of the kernel or resident code; each must be there as it was at set-up. */
  execute(...names: readonly string[]): void {
    for (const name of names) {
      this.#fetch(name, this.#codeOf(name));
      this.#around.clock.spend(this.#around.hardware.cpu.functionNs, name);
    }
  }

  /**
   * Those of the names that this kernel has: some were renamed, some exist only since a release.
   */
  executeKnown(...names: readonly string[]): void {
    const { kernel } = this.#around;
    this.execute(...names.filter((name) => kernel.symbols.inKernel(name) !== undefined));
  }

  save(): SavedCpu {
    const { number, state, registers, task, stack, root } = this;
    return { number, state, registers, task, stack, root };
  }

  #codeOf(name: string): ResidentCode {
    const resident = this.#around.resident.get(name);
    if (resident !== undefined) return resident;
    const { kernel } = this.#around;
    const symbol = kernel.symbol(name);
    const size = Math.min(kernel.symbols.sizeOf(symbol), maxFunction);
    const bytes = kernel.memory.read(symbol.address, size);
    return { space: 'kernel', address: symbol.address, bytes };
  }

  #fetch(name: string, { space, address, bytes: expected }: ResidentCode): void {
    const memory = space === 'kernel' ? this.memory : this.memory.physical;
    let found: Uint8Array;
    try {
      found = memory.read(address, expected.length);
    } catch (error) {
      if (!(error instanceof DumpError) || error.where.physical !== undefined) throw error;
      throw new MachineStop('nested fault', `${name} is not mapped any more`, name, error);
    }
    for (let at = 0; at < expected.length; at++) {
      if (found[at] === expected[at]) continue;
      const cause = `wild jump: the text of ${name} is overwritten at +0x${at.toString(16)}`;
      throw new MachineStop('wild jump', cause, `${name}+0x${at.toString(16)}`);
    }
  }
}
