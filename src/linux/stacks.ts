/**
 * The stacks of x86-64: one for each task, and for each CPU one for hard interrupts, one for each
 * exception that must not trust the current stack, and the small one that entry code starts on.
 * Names are those that crash prints between two stacks.
 * Source: arch/x86/include/asm/{page_64_types,cpu_entry_area}.h, arch/x86/kernel/dumpstack_64.c.
 */

import { attempt } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';

export interface Stack {
  readonly kind: 'task' | 'irq' | 'exception' | 'entry';
  /** `IRQ stack`, `NMI exception stack`; `task stack` where crash prints nothing. */
  readonly name: string;
  readonly start: bigint;
  /** One past the highest byte. */
  readonly end: bigint;
}

/** What an address must reach into, to belong to an overflowing stack: its guard page. */
const guardSize = 4096n;

/** Stacks in struct cea_exception_stacks, with the names crash has for their vectors. */
const exceptionStacks: readonly [member: string, name: string][] = [
  ['DF_stack', 'DOUBLEFAULT'],
  ['NMI_stack', 'NMI'],
  ['DB_stack', 'DEBUG'],
  ['MCE_stack', 'MCE'],
  ['VC_stack', 'VC'],
  ['VC2_stack', 'VC2'],
];

/** No stack of x86-64 is larger, even with KASAN; a larger one is damage. */
const maxSize = 256n * 1024n;

/** The size of THREAD_SIZE and IRQ_STACK_SIZE where neither BTF nor kallsyms tells it. */
const usualSize = 16384;

export class StackTable {
  readonly #kernel: KernelCore;
  readonly #ofCpu = new Map<number, readonly Stack[]>();
  #taskSize: bigint | undefined;

  constructor(kernel: KernelCore) {
    this.#kernel = kernel;
  }

  /** THREAD_SIZE: two pages more with KASAN. */
  get taskStackSize(): bigint {
    this.#taskSize ??= taskStackSize(this.#kernel);
    return this.#taskSize;
  }

  /** The stack of the task_struct at `task`; undefined where that has none (any more). */
  ofTask(task: bigint): Stack | undefined {
    const { memory, types } = this.#kernel;
    const start = memory.u64(task + BigInt(types.offsetOf('struct task_struct', 'stack')));
    if (start === 0n) return undefined;
    return { kind: 'task', name: 'task stack', start, end: start + this.taskStackSize };
  }

  /** The stacks of one CPU that can be found; the list is empty where nothing is known of it. */
  ofCpu(cpu: number): readonly Stack[] {
    let stacks = this.#ofCpu.get(cpu);
    if (stacks === undefined) {
      const found = [...this.#exception(cpu), ...this.#irq(cpu)];
      stacks = found.filter(({ start, end }) => end > start && end - start <= maxSize);
      this.#ofCpu.set(cpu, stacks);
    }
    return stacks;
  }

  #irq(cpu: number): Stack[] {
    const { memory, types } = this.#kernel;
    // v6.2..v6.14 keep the pointer in pcpu_hot (d7b6d709a76a "x86/percpu: Move irq_stack variables
    // next to current_task"); before and after it is a variable of its own.
    const own = this.#perCpu('hardirq_stack_ptr', cpu);
    return orNothing(() => {
      const at = own ?? this.#inHotArea('hardirq_stack_ptr', cpu);
      if (at === undefined) return [];
      const pointer = memory.u64(at);
      const known = types.find('struct irq_stack') !== undefined;
      const size = BigInt(known ? types.sizeOf('struct irq_stack') : usualSize);
      // It points at the highest word (951c2a51ae75, v5.8), before that behind it.
      const end = (pointer + 15n) & ~15n;
      return pointer === 0n ? [] : [{ kind: 'irq', name: 'IRQ stack', start: end - size, end }];
    });
  }

  #inHotArea(member: string, cpu: number): bigint | undefined {
    const area = this.#perCpu('pcpu_hot', cpu);
    if (area === undefined) return undefined;
    return area + BigInt(this.#kernel.types.offsetOf('struct pcpu_hot', member));
  }

  #exception(cpu: number): Stack[] {
    const { memory, types } = this.#kernel;
    const pointer = this.#perCpu('cea_exception_stacks', cpu);
    const layout = 'struct cea_exception_stacks';
    return orNothing(() => {
      if (pointer === undefined) return [];
      const base = memory.u64(pointer);
      if (base === 0n || types.find(layout) === undefined) return [];
      const found: Stack[] = [];
      for (const [member, name] of exceptionStacks) {
        if (!types.hasMember(layout, member)) continue;
        const place = types.member(layout, member);
        const start = base + BigInt(place.offset);
        const end = start + BigInt(types.resolve(place.type).size);
        // VC2's array is empty where the kernel has no SEV-ES.
        if (end > start)
          found.push({ kind: 'exception', name: `${name} exception stack`, start, end });
      }
      return [...found, ...this.#entry(base)];
    });
  }

  /** The entry stack stands in the same struct cpu_entry_area as the exception stacks. */
  #entry(exceptionBase: bigint): Stack[] {
    const { types } = this.#kernel;
    const area = 'struct cpu_entry_area';
    if (!types.hasMember(area, 'estacks') || !types.hasMember(area, 'entry_stack_page')) return [];
    const page = types.member(area, 'entry_stack_page');
    const start = exceptionBase - BigInt(types.offsetOf(area, 'estacks')) + BigInt(page.offset);
    const end = start + BigInt(types.resolve(page.type).size);
    return [{ kind: 'entry', name: 'ENTRY stack', start, end }];
  }

  #perCpu(name: string, cpu: number): bigint | undefined {
    const symbol = this.#kernel.symbols.inKernel(name);
    if (symbol === undefined) return undefined;
    return attempt(() => BigInt.asUintN(64, symbol.address + this.#kernel.perCpuOffset(cpu)));
  }
}

/**
 * Where the context went on that `stack` was left for: its stack pointer, kept at the top. Entry
 * to a hard interrupt stores it as the first word, an exception in the frame that the CPU pushes.
 */
export function interruptedPointerAt(stack: Stack): bigint | undefined {
  if (stack.kind === 'irq') return stack.end - 8n;
  return stack.kind === 'exception' ? stack.end - 16n : undefined;
}

export function isOn(stack: Stack, address: bigint): boolean {
  return address >= stack.start && address < stack.end;
}

/** Below the stack's end, but in the guard page: an overflow. */
export function overflows(stack: Stack, address: bigint): boolean {
  return address < stack.start && address >= stack.start - guardSize;
}

function taskStackSize({ symbols, types }: KernelCore): bigint {
  // The linker script gives the first task's stack exactly THREAD_SIZE (INIT_TASK_DATA). Its end is
  // called so since v6.10 (8f69cba096b5 "x86: Rename __{start,end}_init_task ...").
  const start = symbols.inKernel('init_stack');
  const end = symbols.inKernel('__end_init_stack') ?? symbols.inKernel('__end_init_task');
  const size = start === undefined || end === undefined ? 0n : end.address - start.address;
  if (size > 0n && size <= maxSize) return size;
  const union =
    types.find('union thread_union') === undefined ? 0 : types.sizeOf('union thread_union');
  return BigInt(union > 0 && union <= Number(maxSize) ? union : usualSize);
}

/** What cannot be read is left out: the unwinder says then that a pointer is on no known stack. */
function orNothing(body: () => Stack[]): Stack[] {
  return attempt(body) ?? [];
}
