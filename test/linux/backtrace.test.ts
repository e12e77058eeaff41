import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { hex16 } from '../../src/bytes/text.ts';
import type { CpuState, Dump, Registers } from '../../src/dump/types.ts';
import { type Backtrace, backtrace, type Frame } from '../../src/linux/backtrace.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { readLog } from '../../src/linux/log.ts';
import { addressOf, type KernelObject } from '../../src/linux/objects.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { StackTable } from '../../src/linux/stacks.ts';
import { currentTask } from '../../src/linux/tasks.ts';
import { crashAnswer, type Image, realDumps } from '../crash/facts.ts';
import { dumpLike, dumpPath, openFile, openFixture } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';

function names({ frames }: Backtrace): (string | undefined)[] {
  return frames.map(({ symbol }) => symbol);
}

function taskOf(kernel: Kernel, pid: number): KernelObject {
  for (const task of kernel.tasks()) if (task.pid === pid) return task;
  throw new Error(`no task ${pid}`);
}

interface CrashFrame {
  readonly slot: bigint;
  readonly name: string;
  readonly address: bigint;
}

/** Frames by the address of the task, of every block where crash could unwind. */
function crashFrames(image: Image, section: string): Map<bigint, CrashFrame[]> {
  const blocks = new Map<bigint, CrashFrame[]>();
  let frames: CrashFrame[] | undefined;
  for (const line of crashAnswer(image, section)) {
    const task = /^PID: \d+ +TASK: ([0-9a-f]+)/.exec(line);
    if (task !== null) {
      frames = [];
      blocks.set(BigInt(`0x${task[1]}`), frames);
    }
    const frame = /^ *#\d+ \[([0-9a-f]+)\] (\S+) at ([0-9a-f]+)/.exec(line);
    if (frame === null) continue;
    const [, slot, name, address] = frame as unknown as [string, string, string, string];
    frames?.push({ slot: BigInt(`0x${slot}`), name, address: BigInt(`0x${address}`) });
  }
  for (const [task, found] of blocks) if (found.length === 0) blocks.delete(task);
  return blocks;
}

/** Where crash and we differ, in words. */
function differences(frames: readonly Frame[], crash: readonly CrashFrame[]): string[] {
  const found: string[] = [];
  let at = frames.findIndex(({ address }) => address === crash[0]!.address);
  for (const { slot, name, address } of crash) {
    while (at < frames.length && frames[at]!.address !== address) {
      const frame = frames[at++]!;
      // The registers above name an interrupted function; crash gives it no line of its own.
      if (frame.kind === 'interrupted') continue;
      found.push(`crash lacks ${frame.symbol}`);
    }
    const ours = frames[at++];
    if (ours === undefined) {
      found.push(`we lack ${name}`);
      continue;
    }
    if (ours.stackPointer !== slot) found.push(`crash is off by ${slot - ours.stackPointer}`);
    // crash takes names from debug symbols: a clone has that of its origin.
    const symbol = ours.symbol?.replace(/\.(part|isra)\.\d+$/, '');
    if (symbol !== name) found.push(`crash calls ${symbol} ${name}`);
  }
  found.push(...frames.slice(at).map(({ symbol }) => `crash lacks ${symbol}`));
  return found;
}

/** What crash 8.0.6 says otherwise of the panic task, each time for the reason given. */
const explained: Readonly<Record<string, readonly string[]>> = {
  // The call of panic() is the last instruction of oops_end.cold: its return address belongs to the
  // next function, whose layout crash takes. The other name: crash has no symbols of a module that
  // is being loaded.
  'null.kdump': ['crash lacks oops_end.cold', 'crash calls lab_init _MODULE_INIT_START_labcrash'],
  // crash takes the first word above the return address where the stack changes.
  'hardirq.kdump': ['crash is off by 8'],
  'stack.kdump': ['crash calls lab_init _MODULE_INIT_START_labcrash'],
};

describe('real dumps', () => {
  for (const image of realDumps) {
    describe.skipIf(!image.isHere)(image.file, () => {
      let kernel: Kernel;
      beforeAll(async () => {
        kernel = openKernel(await openFile(image.path));
      });
      afterAll(() => kernel.dump.close());

      test('every task unwinds to its end, and every return address stands where we say', () => {
        let tasks = 0;
        for (const task of kernel.tasks()) {
          const { frames, complete, problems } = backtrace(kernel, { task });
          expect({ comm: task.comm, complete, problems }).toMatchObject({ complete: true });
          for (const { kind, address, stackPointer } of frames) {
            if (kind === 'start' || kind === 'interrupted') continue;
            expect(hex16(kernel.memory.u64(stackPointer))).toBe(hex16(address));
          }
          tasks++;
        }
        expect(tasks).toBeGreaterThan(60);
      });

      test('frames, names and stack addresses are those of crash, or explained', () => {
        const panicked = addressOf(panicTask(kernel)!.task);
        let compared = 0;
        for (const section of ['bt', 'bt-a', 'foreach-bt']) {
          for (const [address, crash] of crashFrames(image, section)) {
            const task = kernel.object('struct task_struct', address);
            const { frames } = backtrace(kernel, { task });
            const allowed = address === panicked ? (explained[image.file] ?? []) : [];
            expect(differences(frames, crash)).toEqual(allowed);
            compared++;
          }
        }
        expect(compared).toBeGreaterThan(60);
      });

      test("the kernel's own call trace of the crash is part of ours, offset by offset", () => {
        const { frames } = backtrace(kernel, { task: panicTask(kernel)!.task });
        const ours = frames.map(
          ({ symbol, offset }) => `${symbol}+0x${(offset ?? 0).toString(16)}`,
        );
        const printed = lastCallTrace(kernel);
        expect(printed.length).toBeGreaterThan(5);
        const [first] = printed;
        const from = ours.indexOf(first!);
        expect(ours.slice(from).filter((name) => printed.includes(name))).toEqual(printed);
      });

      test('every CPU unwinds, also where crash fails', () => {
        for (const cpu of kernel.cpus) {
          expect(backtrace(kernel, { cpu })).toMatchObject({ cpu, complete: true, problems: [] });
        }
      });
    });
  }
});

/** Reliable entries of the last call trace in the log, `function+0xoffset`, innermost first. */
function lastCallTrace(kernel: Kernel): string[] {
  const lines = readLog(kernel).records.map(({ text }) => text);
  const start = lines.lastIndexOf('Call Trace:');
  const entries: string[] = [];
  for (const line of lines.slice(start + 1)) {
    const entry = /^ ([\w.]+\+0x[0-9a-f]+)\/0x[0-9a-f]+( \[\w+\])?$/.exec(line);
    if (entry !== null) entries.push(entry[1]!);
    if (line === ' </TASK>') break;
  }
  // The functions that print the trace and die are over by now.
  return entries.filter(
    (entry) => !/^(dump_stack|panic|die|__die|oops_|page_fault_oops)/.test(entry),
  );
}

describe('where a walk starts and what it is worth', () => {
  let dump: Dump;
  let kernel: Kernel;
  beforeAll(async () => {
    dump = await openFixture();
    kernel = openKernel(dump);
  });
  afterAll(() => dump.close());

  /** The registers that CPU 1 was interrupted with, as crash_save_cpu() would have noted them. */
  function interrupted(cpu: number): Registers {
    const { frames } = backtrace(kernel, { cpu });
    const saved = frames.findLast(({ registers }) => registers !== undefined)!.registers!;
    const live = dump.cpus.find(({ source }) => source === 'QEMU')!.registers;
    const zeros = Object.fromEntries(Object.keys(live).map((name) => [name, 0n]));
    return { ...(zeros as unknown as Registers), ...saved.values };
  }

  test('the panic task starts at its CPU and ends in user mode', () => {
    const trace = backtrace(kernel, { task: panicTask(kernel)!.task });
    expect(trace).toMatchObject({ cpu: 0, complete: true });
    expect(trace.start).toMatch(/gs_base/);
    expect(trace.frames[0]).toMatchObject({ kind: 'start', index: 0 });
    expect(trace.frames.at(-1)).toMatchObject({
      kind: 'syscall',
      symbol: 'entry_SYSCALL_64_after_hwframe',
      registers: { full: true, userMode: true },
    });
  });

  test('a CPU and the task that it runs have the same backtrace', () => {
    const byCpu = backtrace(kernel, { cpu: 1 });
    const byTask = backtrace(kernel, { task: currentTask(kernel, 1) });
    expect(byTask.frames).toEqual(byCpu.frames);
    expect(names(byCpu)).toEqual([
      'stop_this_cpu',
      '__sysvec_reboot',
      'sysvec_reboot',
      'asm_sysvec_reboot',
    ]);
    expect(byCpu.frames.at(-1)).toMatchObject({ kind: 'interrupt', registers: { userMode: true } });
  });

  test('registers noted before the kernel stopped: the walk starts where it stopped', () => {
    const registers = interrupted(1);
    const pid = currentTask(kernel, 1).pid as number;
    const noted: CpuState = { source: 'NT_PRSTATUS', index: 0, pid, registers };
    const trace = backtrace(openKernel(dumpLike(dump, { cpus: [noted] })), { cpu: 1 });
    expect(trace.complete).toBe(true);
    expect(trace.start).toMatch(/^return address into stop_this_cpu at .* passes through/);
    expect(names(trace)).toEqual(names(backtrace(kernel, { cpu: 1 })));
  });

  test('without registers the same walk is found, and is called a guess', () => {
    const blind = openKernel(dumpLike(dump, { cpus: [] }));
    for (const cpu of kernel.cpus) {
      const trace = backtrace(blind, { cpu });
      expect(trace.complete).toBe(false);
      expect(trace.frames.every(({ reliable }) => !reliable)).toBe(true);
      const known = names(backtrace(kernel, { cpu }));
      expect(names(trace)).toEqual(
        known.slice(known.indexOf(cpu === 0 ? 'panic' : 'stop_this_cpu')),
      );
    }
  });

  test('a task that was in user mode has registers and no frames', () => {
    const registers = interrupted(1);
    const pid = currentTask(kernel, 1).pid as number;
    const patched = new PatchedDump(dump, {
      cpus: [{ source: 'NT_PRSTATUS', index: 0, pid, registers }],
    });
    // Nothing on the stack tells of the handler that stopped it.
    const { start, end } = new StackTable(kernel).ofTask(addressOf(currentTask(kernel, 1)))!;
    for (let at = start; at < end - 40n; at += 8n) patched.writeU64(at, 0n);
    const trace = backtrace(openKernel(patched.dump), { cpu: 1 });
    expect(trace).toMatchObject({
      frames: [],
      complete: true,
      userRegisters: { rip: registers.rip },
    });
  });

  test('frames that are left out are counted', () => {
    const task = panicTask(kernel)!.task;
    const all = backtrace(kernel, { task }).frames.length;
    const trace = backtrace(kernel, { task }, { maxFrames: 3 });
    expect(trace.frames).toHaveLength(3);
    expect(trace.complete).toBe(false);
    expect(trace.problems).toEqual([`only the innermost 3 of ${all} frames are shown`]);
  });

  test('a CPU that the kernel does not have is a usage error', () => {
    expect(() => backtrace(kernel, { cpu: 77 })).toThrow(DumpError);
  });
});

describe('after the jump into a crash kernel', () => {
  const path = dumpPath('linux-6.1-crash-kernel.kdump');
  let dump: Dump;
  let kernel: Kernel;
  /** The same without the hypervisor's registers: what /proc/vmcore has is in crash_notes. */
  let noted: Kernel;
  beforeAll(async () => {
    dump = await openFile(path);
    kernel = openKernel(dump);
    noted = openKernel(dumpLike(dump, { cpus: [] }));
  });
  afterAll(() => dump.close());

  test('the panic CPU goes from the jump through its interrupt to user mode', () => {
    for (const either of [kernel, noted]) {
      const trace = backtrace(either, { task: panicTask(either)!.task });
      expect(trace).toMatchObject({ cpu: 1, complete: true });
      expect(trace.start).toMatch(/^return address into machine_kexec .* passes through/);
      expect(names(trace).slice(0, 5)).toEqual([
        'machine_kexec',
        '__crash_kexec',
        'crash_kexec',
        'oops_end',
        'page_fault_oops',
      ]);
      const stacks = [...new Set(trace.frames.map(({ stack }) => stack?.name))];
      expect(stacks).toEqual(['IRQ stack', 'task stack']);
      expect(trace.frames.at(-1)!.registers).toMatchObject({ userMode: true });
    }
  });

  test("its frames are those of the kernel's own call trace", () => {
    const { frames } = backtrace(kernel, { cpu: 1 });
    const ours = frames.map(({ symbol, offset }) => `${symbol}+0x${(offset ?? 0).toString(16)}`);
    const printed = lastCallTrace(kernel);
    expect(printed.length).toBeGreaterThan(15);
    expect(ours.slice(ours.indexOf(printed[0]!)).filter((name) => printed.includes(name))).toEqual(
      printed,
    );
  });

  test('CPUs stopped by NMI in kernel code: through the NMI stack to what they did', () => {
    for (const [cpu, did] of [
      [0, 'vsnprintf'],
      [2, 'clear_user_erms'],
    ] as const) {
      const trace = backtrace(noted, { cpu });
      expect(trace.complete).toBe(true);
      expect(trace.start).toMatch(/^return address into crash_nmi_callback .* passes through/);
      const entry = trace.frames.findIndex(({ kind }) => kind === 'exception');
      expect(trace.frames[entry]!.stack?.name).toBe('NMI exception stack');
      expect(trace.frames[entry + 1]).toMatchObject({ kind: 'interrupted', symbol: did });
      expect(names(trace).at(-1)).toBe('entry_SYSCALL_64_after_hwframe');
      // The hypervisor saw the same CPU where it halts, one function further in.
      const live = backtrace(kernel, { cpu });
      expect(names(live)).toEqual(['native_halt', ...names(trace)]);
    }
  });
});

describe('damaged memory', () => {
  let dump: Dump;
  let patched: PatchedDump;
  let kernel: Kernel;
  beforeAll(async () => {
    dump = await openFixture();
    patched = new PatchedDump(dump);
    kernel = openKernel(patched.dump);
  });
  afterAll(() => dump.close());

  function stackOf(task: KernelObject): { start: bigint; end: bigint } {
    return new StackTable(kernel).ofTask(addressOf(task))!;
  }

  test('a sleeping task whose stack is not in the dump has no frames, and why', () => {
    const task = taskOf(kernel, 2);
    const { start, end } = stackOf(task);
    patched.remove(start, Number(end - start));
    const trace = backtrace(kernel, { task });
    patched.restore();
    expect(trace).toMatchObject({ frames: [], complete: false });
    expect(trace.problems[0]).toMatch(/left out by the filter/);
  });

  test('an overwritten return address: sure frames before it, guesses to the end after it', () => {
    const task = taskOf(kernel, 2);
    const whole = backtrace(kernel, { task }).frames;
    expect(whole.length).toBeGreaterThan(3);
    patched.writeU64(whole[1]!.stackPointer, 0x1234n);
    const trace = backtrace(kernel, { task });
    patched.restore();
    expect(trace.complete).toBe(false);
    expect(trace.problems[0]).toMatch(/is no code; the frames after that are guesses/);
    expect(trace.frames[0]).toMatchObject({ address: whole[0]!.address, reliable: true });
    expect(trace.frames.slice(1).every(({ reliable }) => !reliable)).toBe(true);
    expect(trace.frames.map(({ address }) => address)).toEqual(
      expect.arrayContaining(whole.slice(2).map(({ address }) => address)),
    );
  });

  test('a saved stack pointer that is elsewhere is not followed', () => {
    const task = taskOf(kernel, 2);
    const { types } = kernel;
    const sp = addressOf(task) + BigInt(types.offsetOf('struct task_struct', 'thread.sp'));
    patched.writeU64(sp, 0xffffffff81000000n);
    const trace = backtrace(kernel, { task });
    patched.restore();
    expect(trace.frames).toEqual([]);
    expect(trace.problems[0]).toMatch(/is not on its stack/);
  });

  test('without ORC tables there are guesses, and the true frames are among them', () => {
    const task = taskOf(kernel, 2);
    const whole = backtrace(kernel, { task }).frames;
    const from = kernel.symbol('__start_orc_unwind_ip').address;
    const to = kernel.symbol('__stop_orc_unwind').address;
    patched.remove(from, Number(to - from));
    const trace = backtrace(openKernel(patched.dump), { task });
    patched.restore();
    expect(trace.complete).toBe(false);
    expect(trace.frames[0]!.reliable).toBe(true);
    expect(trace.frames.slice(1).every(({ reliable }) => !reliable)).toBe(true);
    expect(trace.frames.map(({ address }) => address)).toEqual(
      expect.arrayContaining(whole.map(({ address }) => address)),
    );
  });

  test('any words on a stack end in frames on known stacks', () => {
    const tasks = [taskOf(kernel, 1), taskOf(kernel, 2), currentTask(kernel, 1)];
    const text = kernel.symbol('__schedule').address;
    const word = fc.record({
      task: fc.nat(tasks.length - 1),
      /** Words from the top: where the frames are. */
      at: fc.integer({ min: 1, max: 200 }),
      value: fc.oneof(
        fc.bigInt(0n, (1n << 64n) - 1n),
        fc.nat(400).map((offset) => ({ own: offset })),
        fc.nat(0xffff).map((offset) => text + BigInt(offset)),
      ),
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), (words) => {
        for (const { task, at, value } of words) {
          const { end } = stackOf(tasks[task]!);
          const address = end - BigInt(at * 8);
          const own = typeof value === 'bigint' ? value : end - BigInt(value.own * 8);
          patched.writeU64(address, own);
        }
        for (const task of tasks) {
          const { frames } = backtrace(kernel, { task });
          expect(frames.length).toBeLessThan(4096);
          for (const frame of frames) expect(frame.address).toBeTypeOf('bigint');
        }
        patched.restore();
      }),
      { numRuns: 60 },
    );
  });
});
