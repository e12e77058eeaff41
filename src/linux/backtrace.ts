/**
 * Backtraces of sleeping and of running tasks, from the innermost function to user mode or to the
 * kernel's own first frame, through interrupts, exceptions and the stacks they switch to.
 *
 * Where a walk starts: a sleeping task at its saved stack pointer; a running one at its CPU's
 * registers. Registers that the dying kernel saved itself (crash_save_cpu) show an earlier moment
 * than its memory: then at the return address into the function that stopped the CPU, if the walk
 * from there passes through exactly these registers.
 */

import { DumpError } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import type { Registers } from '../dump/types.ts';
import type { KernelCore } from './core.ts';
import { type CpuContext, cpuContexts } from './cpus.ts';
import { guess, unwindOrGuess } from './guess.ts';
import { addressOf, hasMember, type KernelObject } from './objects.ts';
import { OrcLookup } from './orc.ts';
import type { SavedRegisters } from './saved-registers.ts';
import { isOn, type Stack, StackTable } from './stacks.ts';
import { Unwinder, type UnwindStart, type Unwound, type UnwoundFrame } from './unwind.ts';

/** What was met at a frame: an ordinary call, or code that entry from elsewhere runs through. */
export type FrameKind = 'call' | 'start' | 'interrupted' | 'exception' | 'interrupt' | 'syscall';

export interface Frame {
  /** 0 is the innermost. */
  readonly index: number;
  readonly kind: FrameKind;
  /** Return address into this function, or its current instruction (`start`, `interrupted`). */
  readonly address: bigint;
  readonly symbol: string | undefined;
  /** Bytes from the symbol to `address`. */
  readonly offset: number | undefined;
  readonly module: string | undefined;
  /** Where `address` was read on the stack; for `start` and `interrupted` the stack pointer. */
  readonly stackPointer: bigint;
  /** rbp in this function, where it is known. */
  readonly framePointer: bigint | undefined;
  readonly stack: Stack | undefined;
  /** Entry code: what it saved of the context that it interrupted. */
  readonly registers: SavedRegisters | undefined;
  /** False for guesses and what follows them. */
  readonly reliable: boolean;
  readonly note: string | undefined;
}

export interface Backtrace {
  readonly task: KernelObject | undefined;
  /** The CPU that the task was running on; undefined for a sleeping one. */
  readonly cpu: number | undefined;
  readonly frames: readonly Frame[];
  /** Registers of a task that was in user mode: then there are no frames. */
  readonly userRegisters: Registers | undefined;
  /** Where the walk began, and how that is known. */
  readonly start: string;
  /** It reached user mode or the kernel's first frame, without guesses. */
  readonly complete: boolean;
  readonly problems: readonly string[];
}

export type BacktraceTarget =
  | { readonly task: KernelObject }
  | { readonly cpu: number }
  /** From a stack pointer that somebody knows better; without `ip` the frames are guesses. */
  | { readonly task: KernelObject; readonly sp: bigint; readonly ip: bigint | undefined };

export interface BacktraceOptions {
  /** Frames after these are left out, and that is said. */
  readonly maxFrames?: number;
}

/** More return addresses do not fit on the largest stack of a task. */
const defaultMaxFrames = 4096;

interface CodeRange {
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

/** Functions that a CPU of a dying kernel ends in, the surest first. */
const stoppers = ['machine_kexec', 'crash_nmi_callback', 'stop_this_cpu', 'panic'];

/** What all backtraces of one kernel share. */
class Tools {
  readonly orc: OrcLookup;
  readonly stacks: StackTable;
  readonly #kernel: KernelCore;
  #contexts: readonly CpuContext[] | undefined;
  #stoppers: readonly CodeRange[] | undefined;

  constructor(kernel: KernelCore) {
    this.#kernel = kernel;
    this.orc = new OrcLookup(kernel);
    this.stacks = new StackTable(kernel);
  }

  /** Throws where not even the list of CPUs can be read. */
  get contexts(): readonly CpuContext[] {
    this.#contexts ??= cpuContexts(this.#kernel);
    return this.#contexts;
  }

  get stoppers(): readonly CodeRange[] {
    const { symbols } = this.#kernel;
    this.#stoppers ??= stoppers.flatMap((name) => {
      const symbol = symbols.inKernel(name);
      if (symbol === undefined) return [];
      const end = symbol.address + BigInt(symbols.sizeOf(symbol));
      return [{ name, start: symbol.address, end }];
    });
    return this.#stoppers;
  }
}

const toolsOf = new WeakMap<KernelCore, Tools>();

/** Throws a DumpError only where the target itself cannot be read. */
export function backtrace(
  kernel: KernelCore,
  target: BacktraceTarget,
  { maxFrames = defaultMaxFrames }: BacktraceOptions = {},
): Backtrace {
  let tools = toolsOf.get(kernel);
  if (tools === undefined) {
    tools = new Tools(kernel);
    toolsOf.set(kernel, tools);
  }
  const given = 'sp' in target ? target : undefined;
  const context = contextOf(tools, target);
  const task = 'task' in target ? target.task : context?.task;
  const own = task === undefined ? undefined : tools.stacks.ofTask(addressOf(task));
  const cpuStacks = context === undefined ? [] : tools.stacks.ofCpu(context.cpu);
  const stacks = own === undefined ? cpuStacks : [own, ...cpuStacks];
  const unwinder = new Unwinder(kernel, tools.orc, stacks);
  const walk: Walk = { kernel, tools, unwinder, stacks, own };
  const { unwound, start, userRegisters } =
    given !== undefined
      ? from(walk, given)
      : context === undefined
        ? sleeping(walk, task!)
        : running(walk, context);
  const problems = unwound.problem === undefined ? [] : [unwound.problem];
  const frames = unwound.frames.slice(0, maxFrames);
  if (frames.length < unwound.frames.length) {
    problems.push(`only the innermost ${maxFrames} of ${unwound.frames.length} frames are shown`);
  }
  if (context === undefined && given === undefined && onCpu(task!)) {
    problems.push('the task was on a CPU, but no CPU says so: its saved stack pointer is old');
  }
  return {
    task,
    cpu: context?.cpu,
    frames: frames.map((frame, index) => describeFrame(kernel, frame, index)),
    userRegisters,
    start,
    complete: problems.length === 0 && frames.every(({ reliable }) => reliable),
    problems,
  };
}

interface Result {
  readonly unwound: Unwound;
  readonly start: string;
  readonly userRegisters?: Registers;
}

function contextOf(tools: Tools, target: BacktraceTarget): CpuContext | undefined {
  if ('cpu' in target) {
    const found = tools.contexts.find(({ cpu }) => cpu === target.cpu);
    if (found === undefined) throw new DumpError('usage', `the kernel has no CPU ${target.cpu}`);
    return found;
  }
  const address = addressOf(target.task);
  try {
    return tools.contexts.find(({ task }) => task !== undefined && addressOf(task) === address);
  } catch (error) {
    if (error instanceof DumpError) return undefined;
    throw error;
  }
}

/** task->on_cpu: 1 while the task runs, also while it is being switched out. */
function onCpu(task: KernelObject): boolean {
  return hasMember(task, 'on_cpu') && task.on_cpu !== 0;
}

function from(
  { unwinder, stacks }: Walk,
  { sp, ip }: { readonly sp: bigint; readonly ip: bigint | undefined },
): Result {
  const start = 'as it was asked for';
  const stack = stacks.find((candidate) => isOn(candidate, sp));
  if (stack === undefined) {
    const problem = `${hex16(sp)} is on no stack of this task`;
    return { unwound: { frames: [], end: 'failed', problem }, start };
  }
  if (ip !== undefined) {
    return { unwound: unwindOrGuess(unwinder, { ip, sp, signal: true }), start };
  }
  const unwound = guess(unwinder, stack, sp);
  return { unwound: { ...unwound, problem: unwound.problem ?? 'the frames are guesses' }, start };
}

/** struct inactive_task_frame: rbp and the return address are its last two words. */
function sleeping({ kernel, unwinder, own: stack }: Walk, task: KernelObject): Result {
  const start = 'saved stack pointer of a task that is not running';
  const nothing = (problem: string): Result => ({
    unwound: { frames: [], end: 'failed', problem },
    start,
  });
  if (stack === undefined) {
    const unwound: Unwound = { frames: [], end: 'kernel', problem: undefined };
    return { unwound, start: 'nothing: the task is dead and has no stack any more' };
  }
  const frame = task.thread.sp as bigint;
  const { types } = kernel;
  const layout = 'struct inactive_task_frame';
  const offset = (member: string, usual: number): bigint =>
    BigInt(types.hasMember(layout, member) ? types.offsetOf(layout, member) : usual);
  const slot = frame + offset('ret_addr', 48);
  if (slot < stack.start || slot + 8n > stack.end) {
    return nothing(`its stack pointer ${hex16(frame)} is not on its stack`);
  }
  try {
    const ip = kernel.memory.u64(slot);
    const bp = kernel.memory.u64(frame + offset('bp', 40));
    // A task that never ran begins with a jump there; nobody called. Since v6.6 (3aec4ecb3d1f "x86:
    // Rewrite ret_from_fork() in C") the name ends in _asm.
    const at = kernel.symbols.at(ip);
    const signal = at?.offset === 0 && at.symbol.name.startsWith('ret_from_fork');
    const unwound = unwindOrGuess(unwinder, { ip, sp: slot + 8n, bp, slot, signal });
    return { unwound, start };
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return nothing(`its stack cannot be read: ${error.message}`);
  }
}

interface Walk {
  readonly kernel: KernelCore;
  readonly tools: Tools;
  readonly unwinder: Unwinder;
  readonly stacks: readonly Stack[];
  /** The task's own. */
  readonly own: Stack | undefined;
}

function running(on: Walk, context: CpuContext): Result {
  const { cpu, registers, source, evidence } = context;
  // A hypervisor's registers belong to the same instant as the memory; a kernel's own do not.
  const isLive = source === 'QEMU' || source === 'machine';
  const stopped = isLive ? undefined : atStopper(on, registers);
  if (stopped !== undefined) return stopped;
  if (registers === undefined) return withoutRegisters(on, context);
  const start = `registers of CPU ${cpu}: ${evidence}`;
  if ((registers.cs & 3n) === 3n) {
    const unwound: Unwound = { frames: [], end: 'user', problem: undefined };
    return { unwound, start, userRegisters: registers };
  }
  const { rip: ip, rsp: sp, rbp: bp } = registers;
  const from: UnwindStart = { ip, sp, bp, signal: true, values: registers };
  const unwound = on.unwinder.unwind(from);
  if (unwound.end !== 'failed') return { unwound, start };
  // A crash kernel may run on this CPU by now: then its last function in this kernel tells more.
  return atStopper(on, undefined) ?? { unwound: unwindOrGuess(on.unwinder, from), start };
}

function withoutRegisters({ own, unwinder }: Walk, { cpu, evidence }: CpuContext): Result {
  const unwound: Unwound =
    own === undefined
      ? { frames: [], end: 'failed', problem: undefined }
      : guess(unwinder, own, own.start);
  const problem = unwound.problem ?? evidence;
  return { unwound: { ...unwound, problem }, start: `stack of the task that CPU ${cpu} runs` };
}

/**
 * The walk from the function that stopped the CPU, whose return address still lies on a stack
 * although the noted registers are older. Return addresses also survive from earlier calls, so the
 * walk must reach its end and pass through `registers`; without registers it stays a guess.
 */
function atStopper(on: Walk, registers: Registers | undefined): Result | undefined {
  const { kernel, tools, unwinder, stacks } = on;
  const places = tools.stoppers.flatMap((code) => stacks.map((stack) => ({ code, stack })));
  for (const { code, stack } of places) {
    for (const { slot, ip } of returnsInto(kernel, stack, code)) {
      const unwound = unwinder.unwind({ ip, sp: slot + 8n, signal: false, slot });
      if (unwound.end === 'failed') continue;
      const into = `return address into ${code.name} at ${hex16(slot)}`;
      if (registers === undefined) {
        const frames = unwound.frames.map((frame) => ({ ...frame, reliable: false }));
        const problem = 'no registers lead there: this walk is a guess';
        return { unwound: { ...unwound, frames, problem }, start: into };
      }
      if (passesThrough(kernel, unwound, registers)) {
        return { unwound, start: `${into}; the walk passes through the CPU's noted registers` };
      }
    }
  }
  return undefined;
}

/** Words of a stack that lie in a function, from the innermost. */
function* returnsInto(
  kernel: KernelCore,
  stack: Stack,
  { start, end }: CodeRange,
): Generator<{ slot: bigint; ip: bigint }> {
  const pageSize = 4096n;
  for (let page = stack.start; page < stack.end; page += pageSize) {
    let words: DataView;
    try {
      words = kernel.memory.view(page, Number(pageSize));
    } catch (error) {
      // A page that is not in the dump hides its return addresses; the others may still tell.
      if (!(error instanceof DumpError)) throw error;
      continue;
    }
    for (let at = 0; at < words.byteLength; at += 8) {
      const ip = words.getBigUint64(at, true);
      if (ip > start && ip < end) yield { slot: page + BigInt(at), ip };
    }
  }
}

/**
 * Either saved registers on the way are these (an interrupted CPU noted them), or the walk is in
 * the function that noted its own, with the same stack pointer.
 */
function passesThrough(kernel: KernelCore, unwound: Unwound, registers: Registers): boolean {
  const noted = kernel.symbols.at(registers.rip)?.symbol.address;
  return unwound.frames.some((frame) => {
    const saved = frame.registers?.values;
    if (saved !== undefined && saved.rip === registers.rip && saved.rsp === registers.rsp) {
      return true;
    }
    const own = kernel.symbols.at(frame.ip - 1n)?.symbol.address;
    return noted !== undefined && own === noted && frame.slot + 8n === registers.rsp;
  });
}

/** An unwound frame by the name of its function. */
export function describeFrame(kernel: KernelCore, frame: UnwoundFrame, index: number): Frame {
  // A return address may lie behind the function's last instruction, a call that never returns.
  const lookup = frame.origin === 'call' ? frame.ip - 1n : frame.ip;
  const found = kernel.symbols.at(lookup);
  return {
    index,
    kind: kindOf(frame, found?.symbol.name ?? ''),
    address: frame.ip,
    symbol: found?.symbol.name,
    offset: found === undefined ? undefined : Number(frame.ip - found.symbol.address),
    module: found?.symbol.module,
    stackPointer: frame.slot,
    framePointer: frame.bp,
    stack: frame.stack,
    registers: frame.registers,
    reliable: frame.reliable,
    note: frame.note,
  };
}

/** Entry code is known by what it saved; which kind, by its name. */
function kindOf(frame: UnwoundFrame, name: string): FrameKind {
  if (frame.registers === undefined) return frame.origin;
  if (/^(entry_|ret_from_fork|syscall_)/.test(name)) return 'syscall';
  // Up to v5.7 interrupt entries are called common_interrupt, apic_timer_interrupt and the like.
  return /^asm_sysvec_|_interrupt/.test(name) ? 'interrupt' : 'exception';
}
