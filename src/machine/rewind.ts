/**
 * What must be undone so that a dump, taken late, is the machine at its panic again: CPUs that a
 * stop handler holds get back what it interrupted, and what the dying kernel noted on its way down
 * (locks, CPU numbers, online mask, the crash time) is taken back. Pure planning: nothing is
 * changed here. What the log says and what the handlers left on their stacks stays. Source:
 * arch/x86/kernel/{crash,reboot,smp,process}.c, kernel/{panic,kexec_core,crash_core}.c.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { type Registers, registerNames } from '../dump/types.ts';
import { backtrace, type Frame } from '../linux/backtrace.ts';
import { type CpuContext, cpuContexts } from '../linux/cpus.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, type KernelObject } from '../linux/objects.ts';
import { panicMessage, panicTask } from '../linux/panic.ts';
import type { SavedCpu } from './cpu.ts';
import { type EditNote, type PlannedEdit, u32Bytes, u64Bytes } from './edit.ts';

/** Who panics, on which CPU, saying what: the crash context of the instant. */
export interface PanicContext {
  readonly cpu: number;
  readonly task: bigint;
  readonly message: string;
  readonly evidence: string;
}

/** An edit of memory that the input does not hold cannot be made: that is for its maker to say. */
export interface Rewinding {
  readonly panic: PanicContext;
  readonly cpus: readonly SavedCpu[];
  readonly edits: readonly PlannedEdit[];
  /** Changes that are none of memory. */
  readonly remarks: readonly EditNote[];
}

/** Header, name and struct elf_prstatus of a CPU's note, and the empty note that ends it. */
const noteBytes = 12 + 8 + 336 + 12;

/** Where a CPU of a dying kernel is held. */
const stopHandlers = new Set([
  'crash_nmi_callback',
  'stop_this_cpu',
  'smp_stop_nmi_callback',
  'nmi_panic_self_stop',
  'panic_smp_self_stop',
]);

export function planRewinding(kernel: Kernel): Rewinding {
  const panic = panicContext(kernel);
  const remarks: EditNote[] = [];
  if (panic.evidence === noPanic) remarks.push({ what: `${noPanic}: CPU ${panic.cpu} is made to` });
  const stopped: number[] = [];
  const cpus = cpuContexts(kernel)
    .filter((context) => context.task !== undefined)
    .map((context): SavedCpu => {
      const interrupted = context.cpu === panic.cpu ? undefined : heldBy(kernel, context);
      if (interrupted !== undefined) {
        stopped.push(context.cpu);
        if (interrupted.remark !== undefined) remarks.push(interrupted.remark);
      }
      return cpuOf(kernel, context, interrupted?.registers ?? context.registers);
    });
  return { panic, cpus, edits: plannedEdits(kernel, panic, stopped), remarks };
}

/** The evidence of a machine that runs or hangs. */
export const noPanic = 'no panic in the input';
/** IF of eflags: interrupts are taken. */
const interruptFlag = 0x200n;

function panicContext(kernel: Kernel): PanicContext {
  const found = panicTask(kernel);
  const message = panicMessage(kernel) ?? '';
  if (found?.cpu !== undefined) {
    return { cpu: found.cpu, task: addressOf(found.task), message, evidence: found.evidence };
  }
  const contexts = cpuContexts(kernel).filter((context) => context.task !== undefined);
  const first = contexts.find(spins) ?? contexts[0];
  if (first?.task === undefined) {
    throw new DumpError('absent', 'no CPU whose current task can be read', {
      where: { file: kernel.dump.name },
    });
  }
  const { cpu, task } = first;
  return { cpu, task: addressOf(task), message, evidence: noPanic };
}

/** Interrupts off, and not in the idle loop: what the NMI watchdog would find. */
function spins({ task, registers }: CpuContext): boolean {
  return task?.pid !== 0 && registers !== undefined && (registers.eflags & interruptFlag) === 0n;
}

function cpuOf(kernel: Kernel, context: CpuContext, registers: Registers | undefined): SavedCpu {
  const task = context.task as KernelObject;
  const { types, memory } = kernel;
  const pointer = (member: string): bigint =>
    memory.u64(addressOf(task) + BigInt(types.offsetOf('struct task_struct', member)));
  return {
    number: context.cpu,
    state: task.pid === 0 ? 'idle' : 'running',
    registers,
    task: addressOf(task),
    stack: pointer('stack'),
    root: pageTablesOf(kernel, task),
  };
}

/** CR3 while this task runs: its own page tables, for a kernel thread those that it borrows. */
function pageTablesOf(kernel: Kernel, task: KernelObject): bigint {
  try {
    const mm = task.active_mm as KernelObject | null;
    if (mm === null) return kernel.memory.root.physical;
    const pgd = kernel.types.offsetOf('struct mm_struct', 'pgd');
    return kernel.memory.translate(kernel.memory.u64(addressOf(mm) + BigInt(pgd))).physical;
  } catch (error) {
    // The kernel's half is the same in all of them.
    if (error instanceof DumpError) return kernel.memory.root.physical;
    throw error;
  }
}

/** The context that a stop handler interrupted; undefined for a CPU that none holds. */
function heldBy(
  kernel: Kernel,
  context: CpuContext,
): { registers: Registers; remark: EditNote | undefined } | undefined {
  if (context.registers === undefined) return undefined;
  const { frames } = backtrace(kernel, { cpu: context.cpu });
  const handler = frames.findIndex((frame) => stopHandlers.has(frame.symbol ?? ''));
  if (handler < 0) return undefined;
  const saved = frames.slice(handler).find(hasContext)?.registers?.values;
  if (saved === undefined) return undefined;
  const registers: Registers = { ...context.registers, ...definedOf(saved) };
  // The handler's note of itself is that context already.
  if (registerNames.every((name) => registers[name] === context.registers?.[name])) {
    return { registers, remark: undefined };
  }
  const name = frames[handler]!.symbol;
  const remark: EditNote = {
    what: `CPU ${context.cpu} gets back the context that ${name} interrupted: rip`,
    before: `0x${context.registers.rip.toString(16)}`,
    after: `0x${registers.rip.toString(16)}`,
  };
  return { registers, remark };
}

function hasContext(frame: Frame): boolean {
  return frame.registers?.full === true;
}

function definedOf(values: Readonly<Partial<Registers>>): Partial<Registers> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function plannedEdits(
  kernel: Kernel,
  panic: PanicContext,
  stopped: readonly number[],
): PlannedEdit[] {
  const edits: PlannedEdit[] = [];
  const set32 = (name: string, value: number): void => {
    const address = kernel.symbols.inKernel(name)?.address;
    if (address === undefined || attempt(() => kernel.memory.i32(address)) === value) return;
    edits.push({ what: name, address, bytes: u32Bytes(value) });
  };
  // Since v6.1 (05c6257433b7 "panic, kexec: make __crash_kexec() NMI safe"); a mutex before.
  set32('__kexec_lock', 0);
  const mutex = kernel.symbols.inKernel('kexec_mutex');
  if (mutex !== undefined) {
    const owner = mutex.address + BigInt(kernel.types.offsetOf('struct mutex', 'owner'));
    if (attempt(() => kernel.memory.u64(owner)) !== 0n) {
      edits.push({ what: 'kexec_mutex.owner', address: owner, bytes: u64Bytes(0n) });
    }
  }
  set32('panic_cpu', panic.cpu);
  set32('crashing_cpu', -1);
  set32('crash_ipi_issued', 0);
  set32('stopping_cpu', -1);
  edits.push(
    ...(attempt(() => onlineAgain(kernel, stopped)) ?? []),
    ...crashTimeUndone(kernel),
    ...(attempt(() => notesCleared(kernel)) ?? []),
  );
  return edits;
}

/** stop_this_cpu() takes its CPU out of the online mask. */
function onlineAgain(kernel: Kernel, stopped: readonly number[]): PlannedEdit[] {
  const mask = kernel.symbol('__cpu_online_mask').address;
  const online = kernel.cpuMask('__cpu_online_mask');
  const missing = stopped.filter((cpu) => !online.includes(cpu));
  if (missing.length === 0) return [];
  const edits: PlannedEdit[] = [];
  for (const word of new Set(missing.map((cpu) => Math.floor(cpu / 64)))) {
    const address = mask + BigInt(word) * 8n;
    const bits = missing
      .filter((cpu) => Math.floor(cpu / 64) === word)
      .reduce((sum, cpu) => sum | (1n << BigInt(cpu % 64)), kernel.memory.u64(address));
    edits.push({ what: '__cpu_online_mask', address, bytes: u64Bytes(bits) });
  }
  // Since v5.3 (0c09ab96fc82 "cpu/hotplug: Cache number of online CPUs").
  const count = kernel.symbols.inKernel('__num_online_cpus');
  if (count !== undefined) {
    const bytes = u32Bytes(online.length + missing.length);
    edits.push({ what: '__num_online_cpus', address: count.address, bytes });
  }
  return edits;
}

/** crash_save_vmcoreinfo() appends CRASHTIME=; the next panic must not append a second one. */
function crashTimeUndone(kernel: Kernel): PlannedEdit[] {
  const size = kernel.symbols.inKernel('vmcoreinfo_size');
  const at = kernel.vmcoreinfo.source.indexOf('\nCRASHTIME=');
  if (size === undefined || at < 0) return [];
  const bytes = u64Bytes(BigInt(at + 1));
  return [{ what: 'vmcoreinfo_size (without CRASHTIME)', address: size.address, bytes }];
}

/** crash_notes are zero until a CPU notes its registers there: a stale note would be believed. */
function notesCleared(kernel: Kernel): PlannedEdit[] {
  const pointer = kernel.symbols.inKernel('crash_notes');
  const notes = pointer === undefined ? 0n : kernel.memory.u64(pointer.address);
  if (notes === 0n) return [];
  const edits: PlannedEdit[] = [];
  for (const cpu of kernel.cpus) {
    const address = BigInt.asUintN(64, notes + kernel.perCpuOffset(cpu));
    if (attempt(() => kernel.memory.u64(address)) === 0n) continue;
    edits.push({ what: `crash_notes of CPU ${cpu}`, address, bytes: new Uint8Array(noteBytes) });
  }
  return edits;
}
