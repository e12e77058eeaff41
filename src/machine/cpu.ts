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
import { type CodeRange, type Footprints, footprintOf, type PathStage } from './footprints.ts';
import type { HardwareProfile } from './hardware.ts';
import type { MachineMemory } from './memory.ts';
import type { OwnWrites } from './own-writes.ts';
import { MachineStop } from './stop.ts';
import type { Trace } from './trace.ts';

export type CpuRunState =
  | 'running'
  | 'idle'
  /** With interrupts off, on a lock that nobody gives back: an NMI reaches it, an IPI does not. */
  | 'spinning'
  /** In the handler of an NMI that never returns. */
  | 'in NMI'
  /** By a call that it took and that does not return: no interrupt gets through any more. */
  | 'frozen'
  /** By the host of a guest. */
  | 'paused'
  /** Takes no interrupt, no NMI, executes nothing. */
  | 'dead';

const stopped: ReadonlySet<CpuRunState> = new Set(['in NMI', 'frozen', 'paused', 'dead']);

/** What reaches a CPU that is not dead. Plain data. */
export interface CpuCondition {
  takesNmi: boolean;
  takesIpi: boolean;
}

export interface SavedCpu {
  readonly number: number;
  readonly state: CpuRunState;
  /** A sound CPU where it is left out. */
  readonly condition?: CpuCondition;
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
  readonly trace: Trace;
  /** Of this very kernel. */
  readonly footprints: Footprints | undefined;
}

/** The longest function of a kernel is some 30 KB. */
const maxFunction = 64 * 1024;

export class Cpu {
  readonly number: number;
  state: CpuRunState;
  condition: CpuCondition;
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
    this.condition = { takesNmi: true, takesIpi: true, ...saved.condition };
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

  /** Executes nothing any more that is not its handler's. */
  get isStopped(): boolean {
    return stopped.has(this.state);
  }

  /** The value of a pointer or long variable of the kernel. */
  variable(name: string): bigint {
    const value = this.memory.u64(this.#around.kernel.symbol(name).address);
    this.#tell('read', name, hex16(value));
    return value;
  }

  /** A pointer member, as its address. */
  pointer(type: string, address: bigint, member: string): bigint {
    const offset = BigInt(this.#around.kernel.types.offsetOf(type, member));
    this.#around.memory.watcher?.onObject(type, address);
    const value = this.memory.u64(address + offset);
    this.#tell('read', `${type}.${member}`, hex16(value));
    return value;
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
      this.#tell('write', what);
      done += length;
    }
  }

  /**
   * Executes functions of the kernel or resident code; each must be there as it was at set-up.
   */
  execute(...names: readonly string[]): void {
    for (const name of names) this.#run(name, this.#codeOf(name), undefined);
  }

  /**
   * Those of the names that this kernel has: some were renamed, some exist only since a release.
   */
  executeKnown(...names: readonly string[]): void {
    const { kernel } = this.#around;
    this.execute(...names.filter((name) => kernel.symbols.inKernel(name) !== undefined));
  }

  /**
   * Executes what was recorded of a stage of a path, and no byte more; where nothing was, the named
   * functions as a whole.
   */
  executePath(stage: PathStage, ...otherwise: readonly string[]): void {
    const { footprints, kernel } = this.#around;
    const functions = footprints && footprintOf(footprints, stage);
    if (functions === undefined) {
      this.executeKnown(...otherwise);
      return;
    }
    for (const { function: name, ranges } of functions) {
      // Several functions of one name: the recording does not say which one it was.
      if (kernel.symbols.lookupAll(name).length !== 1) continue;
      this.#run(name, this.#codeOf(name), ranges);
    }
  }

  save(): SavedCpu {
    const { number, state, registers, task, stack, root } = this;
    return { number, state, condition: { ...this.condition }, registers, task, stack, root };
  }

  #tell(what: 'read' | 'write' | 'execute', name: string, detail?: string): void {
    const { clock, trace } = this.#around;
    if (trace.listener === undefined) return;
    const event = { ns: clock.now, what, cpu: this.number, name };
    trace.listener(detail === undefined ? event : { ...event, detail });
  }

  #codeOf(name: string): Code {
    const { kernel, resident } = this.#around;
    const placed = resident.get(name);
    if (placed !== undefined) {
      const { space, address, bytes } = placed;
      const expected = (from: number, end: number) => bytes.subarray(from, end);
      return { space, address, size: bytes.length, expected };
    }
    const symbol = kernel.symbol(name);
    const { address } = symbol;
    return {
      space: 'kernel',
      address,
      size: Math.min(kernel.symbols.sizeOf(symbol), maxFunction),
      expected: (from, end) => kernel.memory.read(address + BigInt(from), end - from),
    };
  }

  /** `ranges`: what is executed of it; undefined: all. */
  #run(name: string, code: Code, ranges: readonly CodeRange[] | undefined): void {
    const { clock, hardware, trace } = this.#around;
    const start = clock.now;
    const executed = ranges ?? [[0, code.size] as const];
    if (trace.listener !== undefined) {
      this.#tell('execute', name, rangesText(code.address, executed));
    }
    const { watcher } = this.#around.memory;
    watcher?.onExecute(name);
    for (const [from, end] of executed) this.#fetch(name, code, from, end);
    watcher?.onExecuted();
    clock.spend(hardware.cpu.functionNs, name);
    trace.span(`CPU ${this.number}`, start, clock.now, 'kernel');
  }

  #fetch(name: string, code: Code, from: number, end: number): void {
    const found = this.#fetched(name, code, from, end);
    const expected = code.expected(from, end);
    for (let at = 0; at < expected.length; at++) {
      if (found[at] === expected[at]) continue;
      const place = `+0x${(from + at).toString(16)}`;
      const cause = `wild jump: the text of ${name} is overwritten at ${place}`;
      throw new MachineStop('wild jump', cause, `${name}${place}`);
    }
  }

  #fetched(name: string, { space, address }: Code, from: number, end: number): Uint8Array {
    const { memory } = this;
    const start = address + BigInt(from);
    if (space === 'physical') return memory.physical.read(start, end - from);
    try {
      for (let page = start & ~0xfffn; page < address + BigInt(end); page += 4096n) {
        if (memory.translate(page).executable) continue;
        const cause = `${name} is in a page that may not be executed`;
        throw new MachineStop('nested fault', cause, name);
      }
      return memory.read(start, end - from);
    } catch (error) {
      if (!(error instanceof DumpError) || error.where.physical !== undefined) throw error;
      throw new MachineStop('nested fault', `${name} is not mapped any more`, name, error);
    }
  }
}

/** `0xffffffff81000000+0x0-0x6b+0x70-0x80`: for the trace. */
function rangesText(address: bigint, ranges: readonly CodeRange[]): string {
  const texts = ranges.map(([from, end]) => `+0x${from.toString(16)}-0x${end.toString(16)}`);
  return `0x${hex16(address)}${texts.join('')}`;
}

/** Text that can be executed, and what it must be. */
interface Code {
  readonly space: ResidentCode['space'];
  readonly address: bigint;
  readonly size: number;
  expected(from: number, end: number): Uint8Array;
}
