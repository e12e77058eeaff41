/**
 * Which registers belong to which CPU: always by evidence, which is told. Notes in a file are in
 * the order of whoever wrote it: CPUs that were offline or did not stop shift them.
 */

import { attempt } from '../bytes/errors.ts';
import { cpuStatesOf, parseNotes } from '../dump/notes.ts';
import { type CpuState, type Registers, registerNames } from '../dump/types.ts';
import type { KernelCore } from './core.ts';
import { addressOf, type KernelObject } from './objects.ts';
import { isOn, overflows, type Stack, StackTable } from './stacks.ts';
import { currentTask } from './tasks.ts';

export interface CpuContext {
  readonly cpu: number;
  /** The task that it was running; undefined where its run queue cannot be read. */
  readonly task: KernelObject | undefined;
  readonly registers: Registers | undefined;
  /** Where the registers come from. */
  readonly source: CpuState['source'] | 'crash_notes' | undefined;
  /** Why these registers are this CPU's; why there are none. */
  readonly evidence: string;
}

/** Something that ties a register set to a CPU; the higher weight convinces. */
interface Evidence {
  readonly cpu: number;
  readonly weight: number;
  readonly text: string;
}

/** One CPU as memory knows it. */
interface Cpu {
  readonly cpu: number;
  readonly task: KernelObject | undefined;
  /** Its note in the memory itself. */
  readonly note: CpuState | undefined;
}

interface Match {
  readonly state: CpuState;
  readonly evidence: Evidence;
}

/** One entry for each possible CPU. */
export function cpuContexts(kernel: KernelCore): CpuContext[] {
  const clues = new Clues();
  const stacks = new StackTable(kernel);
  const cpus = kernel.cpus.map((cpu) => describeCpu(kernel, stacks, cpu, clues));
  const matched = new Map<number, Match>();
  // QEMU writes each vCPU twice, as NT_PRSTATUS and in a note of its own that knows more.
  for (const source of ['machine', 'LKCD', 'DISKDUMP', 'QEMU', 'NT_PRSTATUS'] as const) {
    const states = kernel.dump.cpus.filter(
      (state) => state.source === source && !isEmpty(state.registers),
    );
    for (const match of matchStates(states, cpus, clues)) {
      const known = matched.get(match.evidence.cpu);
      if (known === undefined || known.evidence.weight < match.evidence.weight) {
        matched.set(match.evidence.cpu, match);
      }
    }
  }
  return cpus.map((cpu) => contextOf(cpu, matched.get(cpu.cpu)));
}

/** Puts down everything by which registers of this CPU could be known. */
function describeCpu(kernel: KernelCore, stacks: StackTable, cpu: number, clues: Clues): Cpu {
  const base = attempt(() => kernel.perCpuOffset(cpu));
  // Without its per-CPU area nothing else of it can be found.
  if (base === undefined || base === 0n) return { cpu, task: undefined, note: undefined };
  const task = attempt(() => currentTask(kernel, cpu));
  const note = attempt(() => noteInMemory(kernel, cpu));
  const add = (key: string, weight: number, text: string): void =>
    clues.add(key, { cpu, weight, text });
  if (note !== undefined) {
    add(registersKey(note.registers), 100, `crash_notes of CPU ${cpu} holds the same registers`);
  }
  add(`base ${base}`, 90, `gs_base is the per-CPU area of CPU ${cpu}`);
  for (const stack of stacks.ofCpu(cpu)) {
    clues.addStack(stack, { cpu, weight: 80, text: `rsp is on the ${stack.name} of CPU ${cpu}` });
  }
  if (task === undefined) return { cpu, task, note };
  add(`task ${addressOf(task)}`, 85, `CPU ${cpu} runs the task that the slot names`);
  const own = attempt(() => stacks.ofTask(addressOf(task)));
  if (own !== undefined) {
    const text = `rsp is on the stack of the task that CPU ${cpu} runs`;
    clues.addStack(own, { cpu, weight: 70, text });
    const user = attempt(() => userKeyOnStack(kernel, own));
    if (user) add(user, 70, `the task that CPU ${cpu} runs entered the kernel with these`);
  }
  const pid = attempt(() => task.pid as number);
  if (pid) add(`pid ${pid}`, 40, `CPU ${cpu} runs the process ${pid} that the note names`);
  return { cpu, task, note };
}

/** What would be found for a register set: keys of clues, and the stack that it is on. */
class Clues {
  readonly #byKey = new Map<string, Evidence[]>();
  readonly #stacks: { stack: Stack; evidence: Evidence }[] = [];
  #sorted = true;

  add(key: string, evidence: Evidence): void {
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, [evidence]);
    else known.push(evidence);
  }

  addStack(stack: Stack, evidence: Evidence): void {
    this.#stacks.push({ stack, evidence });
    this.#sorted = false;
  }

  /** All evidence for a state, in no order. */
  for(state: CpuState): Evidence[] {
    const { registers } = state;
    const isUser = (registers.cs & 3n) === 3n;
    const gsBase = isUser ? state.control?.kernelGsBase : registers.gs_base;
    const keys = [registersKey(registers)];
    if (gsBase !== undefined) keys.push(`base ${gsBase}`);
    if (state.task !== undefined) keys.push(`task ${state.task}`);
    if (isUser) keys.push(userKey(registers.rip, registers.rsp));
    // crash_save_cpu() notes the pid of the running task, QEMU a number of its own: it can be
    // believed only where a process was running.
    if (isUser && state.source === 'NT_PRSTATUS') keys.push(`pid ${state.pid}`);
    const found = keys.flatMap((key) => this.#byKey.get(key) ?? []);
    const onStack = this.#stackWith(registers.rsp);
    return onStack === undefined ? found : [...found, onStack];
  }

  /** Stacks do not overlap; in the guard page below one is an overflow of it. */
  #stackWith(address: bigint): Evidence | undefined {
    if (!this.#sorted) {
      this.#stacks.sort((a, b) => (a.stack.end < b.stack.end ? -1 : 1));
      this.#sorted = true;
    }
    let low = 0;
    let high = this.#stacks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#stacks[middle]!.stack.end > address) high = middle;
      else low = middle + 1;
    }
    const candidate = this.#stacks[low];
    if (candidate === undefined) return undefined;
    const { stack, evidence } = candidate;
    return isOn(stack, address) || overflows(stack, address) ? evidence : undefined;
  }
}

function registersKey(registers: Registers): string {
  return `registers ${registerNames.map((name) => registers[name]).join(' ')}`;
}

function userKey(rip: bigint, rsp: bigint): string {
  return `user ${rip} ${rsp}`;
}

/** What entering the kernel leaves at the top of a task's stack: ip, cs, flags, sp, ss. */
function userKeyOnStack(kernel: KernelCore, stack: Stack): string {
  const frame = kernel.memory.view(stack.end - 40n, 40);
  return userKey(frame.getBigUint64(0, true), frame.getBigUint64(24, true));
}

function contextOf({ cpu, task, note }: Cpu, match: Match | undefined): CpuContext {
  // Registers that nothing ties to this kernel may be those of the crash kernel that runs already.
  if (match !== undefined && (match.evidence.weight > 0 || note === undefined)) {
    const { registers, source } = match.state;
    return { cpu, task, registers, source, evidence: match.evidence.text };
  }
  if (note !== undefined) {
    const evidence = "the kernel's own note in crash_notes; the dump has none that is this CPU's";
    return { cpu, task, registers: note.registers, source: 'crash_notes', evidence };
  }
  const evidence = 'neither the dump nor crash_notes has registers of this CPU';
  return { cpu, task, registers: undefined, source: undefined, evidence };
}

/** Each state to at most one CPU and the other way round, the strongest evidence first. */
function matchStates(states: readonly CpuState[], cpus: readonly Cpu[], clues: Clues): Match[] {
  const pairs = states.flatMap((state) =>
    clues.for(state).map((evidence): Match => ({ state, evidence })),
  );
  pairs.sort((a, b) => b.evidence.weight - a.evidence.weight);
  const found = new Map<number, Match>();
  const used = new Set<CpuState>();
  for (const match of pairs) {
    if (found.has(match.evidence.cpu) || used.has(match.state)) continue;
    found.set(match.evidence.cpu, match);
    used.add(match.state);
  }
  // What nothing ties to a CPU can only be taken in the order of the file.
  const free = cpus.filter(({ cpu }) => !found.has(cpu));
  for (const state of states) {
    if (used.has(state)) continue;
    const cpu = free.shift()?.cpu;
    if (cpu === undefined) break;
    const text = `by its place in the file (${state.source} ${state.index}); nothing confirms it`;
    found.set(cpu, { state, evidence: { cpu, weight: 0, text } });
  }
  return [...found.values()];
}

/** Bytes of a CPU's buffer that are looked at: one note, and the empty one behind it. */
const noteBytes = 384;

/** The ELF note that crash_save_cpu() wrote for this CPU; undefined where it wrote none. */
function noteInMemory(kernel: KernelCore, cpu: number): CpuState | undefined {
  const pointer = kernel.symbols.inKernel('crash_notes');
  if (pointer === undefined) return undefined;
  // A pointer to a per-CPU allocation; 0 where kexec never came up.
  const allocation = kernel.memory.u64(pointer.address);
  if (allocation === 0n) return undefined;
  const at = BigInt.asUintN(64, allocation + kernel.perCpuOffset(cpu));
  const { notes } = parseNotes(kernel.memory.read(at, noteBytes));
  return cpuStatesOf(notes).find(({ registers }) => !isEmpty(registers));
}

/** A CPU that did not stop in time leaves a note of zeros. */
function isEmpty(registers: Registers): boolean {
  return registers.rip === 0n && registers.rsp === 0n;
}
