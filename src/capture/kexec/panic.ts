/** The old kernel's part before the jump: panic() to the last CPU's note. */

import { attempt } from '../../bytes/errors.ts';
import { encodeUtf8 } from '../../bytes/text.ts';
import { encodeNotes, NoteHeader, prstatusNote } from '../../dump/notes.ts';
import { timekeeperAddress } from '../../linux/system.ts';
import { second } from '../../machine/clock.ts';
import type { Cpu } from '../../machine/cpu.ts';
import { controlPagesAt } from '../../machine/crash-image.ts';
import { u32Bytes, u64Bytes } from '../../machine/edit.ts';
import type { Machine } from '../../machine/machine.ts';
import { MachineStop } from '../../machine/stop.ts';
import { naming } from '../jump.ts';
import { done, failed, type Stage, type StageResult } from '../method.ts';
import { cpuFault, isAt, nmiPath, panicRunsOut, shootDown } from '../panic-path.ts';
import type { KexecState } from './state.ts';

/** nmi_shootdown_cpus(): "Wait at most a second for the other cpus to stop". */
const shootdownMs = 1000;
/** VMCOREINFO_BYTES: the page that the text has. */
export const vmcoreinfoBytes = 4096;

/** The recorded path of the way to the crash kernel: its stages on this CPU. */
export const panicking = { path: 'crash-kexec', role: 'panicking CPU' } as const;

export const panicStages: readonly Stage<KexecState>[] = [
  inOldKernel('panic entry', enterPanic),
  inOldKernel('kexec lock', takeLock),
  inOldKernel('crash image', findImage),
  inOldKernel('VMCOREINFO', saveVmcoreinfo),
  inOldKernel('NMI shoot-down', stopOthers),
];

function inOldKernel(name: string, run: Stage<KexecState>['run']): Stage<KexecState> {
  return {
    name,
    run: (machine, state, tools) => orNestedPanic(machine, () => run(machine, state, tools)),
  };
}

/**
 * A fault here is a panic in a panic. It finds the lock held, so that it returns without a dump and
 * loops; where it came before the lock, it runs into the same fault again.
 */
export function orNestedPanic<T>(machine: Machine, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const stop = cpuFault(machine, error);
    const cause = `${stop.message}; ${nestedPanic(machine)}`;
    throw new MachineStop(stop.kind, cause, stop.object, error);
  }
}

/** What becomes of the machine; the time that it takes passes. */
function nestedPanic(machine: Machine): string {
  const { kernel, panicCpu: cpu } = machine;
  const value = (name: string): number | undefined => {
    const symbol = kernel.symbols.inKernel(name);
    return symbol && attempt(() => cpu.memory.i32(symbol.address));
  };
  const lock = kernel.symbols.inKernel('__kexec_lock') ? '__kexec_lock' : 'kexec_mutex';
  const meets = value(lock) === 0 ? 'faults again' : `finds ${lock} held`;
  return `the nested panic ${meets} and ${panicRunsOut(machine)}`;
}

function enterPanic(machine: Machine): StageResult {
  const { panicCpu } = machine;
  // Since v6.17 (3f045de7f57f) panic() is a wrapper around vpanic().
  if (!isAt(machine, '__crash_kexec')) panicCpu.executeKnown('panic', 'vpanic');
  const entry = { ...panicking, stage: '__crash_kexec', part: 'first' } as const;
  panicCpu.executePath(entry, '__crash_kexec');
  return done;
}

function takeLock(machine: Machine): StageResult {
  const { kernel, panicCpu: cpu } = machine;
  // Since v6.1 (05c6257433b7 "panic, kexec: make __crash_kexec() NMI safe"); a mutex before.
  const lock = kernel.symbols.inKernel('__kexec_lock');
  const { watcher } = machine.memory;
  if (lock !== undefined) {
    watcher?.onLock('__kexec_lock', lock.address);
    const value = cpu.memory.i32(lock.address);
    if (value !== 0) return panicGoesOn(machine, `__kexec_lock is held (${value})`, '__kexec_lock');
    cpu.write(lock.address, u32Bytes(1), '__kexec_lock');
    return done;
  }
  const mutex = kernel.symbol('kexec_mutex').address;
  watcher?.onLock('kexec_mutex', mutex);
  const owner = mutex + BigInt(kernel.types.offsetOf('struct mutex', 'owner'));
  const holder = cpu.memory.u64(owner);
  if (holder !== 0n) {
    const cause = `kexec_mutex is held by the task at 0x${holder.toString(16)}`;
    return panicGoesOn(machine, cause, 'kexec_mutex');
  }
  cpu.write(owner, u64Bytes(cpu.task), 'kexec_mutex');
  return done;
}

function findImage(machine: Machine, state: KexecState): StageResult {
  state.image = machine.panicCpu.variable('kexec_crash_image');
  if (state.image === 0n) {
    return panicGoesOn(machine, 'no crash kernel is loaded', 'kexec_crash_image');
  }
  return naming(machine, 'kimage', () => readKimage(machine, state));
}

function readKimage(machine: Machine, state: KexecState): StageResult {
  const { kernel, panicCpu: cpu } = machine;
  state.start = Number(cpu.pointer('struct kimage', state.image, 'start'));
  const page = cpu.pointer('struct kimage', state.image, 'control_code_page');
  // page_to_pfn() is arithmetic: whatever the pointer is, it gives a number.
  const pages = kernel.symbols.inKernel('vmemmap_base');
  const vmemmap = pages === undefined ? state.layout.vmemmap : cpu.memory.u64(pages.address);
  const pfn = BigInt.asIntN(64, page - vmemmap) / BigInt(state.layout.size);
  const first = Number(pfn) * machine.memory.pageSize;
  state.control = controlPagesAt(kernel, first, (member) => {
    // __pa() is arithmetic too.
    const address = cpu.pointer('struct kimage', state.image, member);
    return Number(BigInt.asUintN(64, address - cpu.pageOffset));
  });
  return done;
}

/** __crash_kexec() returns silently and panic() goes on to its end, a loop or a timed reboot. */
function panicGoesOn(machine: Machine, why: string, object: string): StageResult {
  const cpu = machine.panicCpu;
  const timeout = cpu.memory.i32(machine.kernel.symbol('panic_timeout').address);
  const cause = `${why}: __crash_kexec() returns and panic() goes on without a dump`;
  if (timeout === 0) machine.clock.hang(`${cause}, for ever`, object);
  if (timeout > 0) machine.clock.spend(timeout * second, 'panic_timeout');
  return failed(`${cause}, then reboots`, object);
}

/** crash_save_vmcoreinfo(): the time of the crash, then the whole text as a note. */
function saveVmcoreinfo(machine: Machine): StageResult {
  const { kernel, panicCpu: cpu } = machine;
  cpu.executePath(
    { ...panicking, stage: '__crash_kexec', part: 'others' },
    'crash_save_vmcoreinfo',
    'vmcoreinfo_append_str',
  );
  const safeCopy = kernel.symbols.inKernel('vmcoreinfo_data_safecopy');
  const safe = safeCopy === undefined ? 0n : cpu.memory.u64(safeCopy.address);
  if (safe !== 0n)
    cpu.write(kernel.symbol('vmcoreinfo_data').address, u64Bytes(safe), 'vmcoreinfo_data');
  const data = cpu.variable('vmcoreinfo_data');
  const sizeAddress = kernel.symbol('vmcoreinfo_size').address;
  const size = Number(cpu.memory.u64(sizeAddress));
  if (size > vmcoreinfoBytes) {
    const cause = `vmcoreinfo_size is ${size}: the copy leaves its page`;
    throw new MachineStop('nested fault', cause, 'vmcoreinfo_size');
  }
  const line = encodeUtf8(`CRASHTIME=${secondsNow(machine)}\n`).subarray(0, vmcoreinfoBytes - size);
  cpu.write(data + BigInt(size), line, 'VMCOREINFO');
  cpu.write(sizeAddress, u64Bytes(BigInt(size + line.length)), 'vmcoreinfo_size');
  const text = cpu.memory.read(data, size + line.length).slice();
  const note = encodeNotes([{ name: 'VMCOREINFO', type: 0, desc: text }]);
  cpu.write(cpu.variable('vmcoreinfo_note'), closed(note), 'VMCOREINFO note');
  return { ...done, bytes: note.length };
}

/** ktime_get_real_seconds(): what the timekeeper has, with whatever became of it. */
function secondsNow(machine: Machine): bigint {
  const { kernel, panicCpu: cpu } = machine;
  const timekeeper = attempt(() => timekeeperAddress(kernel));
  if (timekeeper === undefined) return BigInt(machine.time);
  return BigInt.asIntN(64, cpu.pointer('struct timekeeper', timekeeper, 'xtime_sec'));
}

/** Notes end with an empty one: final_note(). */
function closed(note: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(note.length + NoteHeader.size);
  bytes.set(note);
  return bytes;
}

function stopOthers(machine: Machine): StageResult {
  const { kernel, panicCpu } = machine;
  panicCpu.executePath(
    { ...panicking, stage: 'machine_crash_shutdown' },
    'native_machine_crash_shutdown',
  );
  panicCpu.executePath({ ...panicking, stage: 'nmi_shootdown_cpus' }, 'nmi_shootdown_cpus');
  const set = (name: string, value: number): void => {
    const symbol = kernel.symbols.inKernel(name);
    if (symbol !== undefined) panicCpu.write(symbol.address, u32Bytes(value), name);
  };
  const remarks: string[] = [];
  const note = (cpu: Cpu): void => {
    if (!writeNote(machine, cpu)) remarks.push(`the registers of CPU ${cpu.number} are not known`);
  };
  const noteOwn = (): void => {
    panicCpu.executePath({ ...panicking, stage: 'lapic_shutdown' });
    panicCpu.executePath({ ...panicking, stage: 'crash_save_cpu' }, 'crash_save_cpu');
    note(panicCpu);
  };
  if (isShotDown(machine)) {
    noteOwn();
    return { ...done, remarks: [...remarks, 'crash_ipi_issued is set: no CPU is stopped'] };
  }
  set('crashing_cpu', panicCpu.number);
  set('crash_ipi_issued', 1);
  let waiting = machine.cpus.length - 1;
  set('waiting_for_crash_ipi', waiting);
  const shot = shootDown(machine, shootdownMs, (cpu) => {
    cpu.executePath(nmiPath, 'crash_nmi_callback', 'kdump_nmi_callback', 'crash_save_cpu');
    note(cpu);
    set('waiting_for_crash_ipi', --waiting);
  });
  noteOwn();
  return { ...done, remarks: [...remarks, ...shot.remarks] };
}

/** Since v5.19 (ed72736183c4) a second shoot-down is refused. */
function isShotDown({ kernel, panicCpu }: Machine): boolean {
  const issued = kernel.symbols.inKernel('crash_ipi_issued');
  return issued !== undefined && panicCpu.memory.i32(issued.address) !== 0;
}

/** crash_save_cpu(): an NT_PRSTATUS note in this CPU's copy of crash_notes. */
function writeNote(machine: Machine, cpu: Cpu): boolean {
  if (cpu.registers === undefined) return false;
  const { types } = machine.kernel;
  const pid = cpu.memory.i32(cpu.task + BigInt(types.offsetOf('struct task_struct', 'pid')));
  const address = cpu.perCpu(cpu.variable('crash_notes'), cpu.number);
  const note = closed(encodeNotes([prstatusNote(cpu.registers, pid)]));
  cpu.write(address, note, `crash_notes of CPU ${cpu.number}`);
  return true;
}
