import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { Prstatus, prstatusNote } from '../../src/dump/notes.ts';
import type { CpuState, Dump, Registers } from '../../src/dump/types.ts';
import { cpuContexts } from '../../src/linux/cpus.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { panicMessage, panicTask } from '../../src/linux/panic.ts';
import { StackTable } from '../../src/linux/stacks.ts';
import { currentTask } from '../../src/linux/tasks.ts';
import { realDumps } from '../crash/facts.ts';
import { dumpLike, openFile, openFixture } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';

let dump: Dump;
let kernel: Kernel;
/** What the hypervisor says of CPU 0 and 1. */
let live: readonly CpuState[];
beforeAll(async () => {
  dump = await openFixture();
  kernel = openKernel(dump);
  live = dump.cpus.filter(({ source }) => source === 'QEMU');
  expect(live).toHaveLength(2);
});
afterAll(() => dump.close());

/** The contexts where the dump has only these states. */
function contextsWith(...cpus: readonly CpuState[]) {
  return cpuContexts(openKernel(dumpLike(dump, { cpus })));
}

/** An NT_PRSTATUS note as a kernel leaves it: the GS base is that of the process. */
function noted(index: number, registers: Registers, pid = 0): CpuState {
  return { source: 'NT_PRSTATUS', index, pid, registers: { ...registers, gs_base: 0n } };
}

describe('registers of a CPU', () => {
  test('are known by the per-CPU area, whatever their order in the file', () => {
    for (const states of [live, [...live].reverse()]) {
      const contexts = contextsWith(...states);
      expect(contexts.map(({ registers }) => registers)).toEqual(
        live.map(({ registers }) => registers),
      );
      for (const { cpu, evidence, task, source } of contexts) {
        expect(source).toBe('QEMU');
        expect(evidence).toBe(`gs_base is the per-CPU area of CPU ${cpu}`);
        expect(addressOf(task!)).toBe(addressOf(currentTask(kernel, cpu)));
      }
    }
  });

  test('of user mode are known by the GS base that the kernel put aside, not by their own', () => {
    const [zero, one] = live as [CpuState, CpuState];
    const control = { ...one.control!, kernelGsBase: kernel.perCpuOffset(1) };
    const gs_base = zero.registers.gs_base;
    const registers = { ...one.registers, cs: 0x33n, rip: 0x401000n, rsp: 0x7ff000n, gs_base };
    const [first, second] = contextsWith({ ...one, control, registers });
    expect(first!.registers).toBeUndefined();
    expect(second!.evidence).toBe('gs_base is the per-CPU area of CPU 1');
  });

  test('go where the stronger evidence points, whichever stands first in the file', () => {
    const [zero, one] = live as [CpuState, CpuState];
    const { rsp } = one.registers;
    const onSameStack = { ...zero, registers: { ...zero.registers, gs_base: 0n, rsp } };
    const [first, second] = contextsWith(onSameStack, one);
    expect(second!.registers).toEqual(one.registers);
    expect(first!.evidence).toMatch(/nothing confirms it/);
  });

  test('that QEMU wrote twice are taken from the note that knows more', () => {
    expect(cpuContexts(kernel).map(({ source }) => source)).toEqual(['QEMU', 'QEMU']);
  });

  test('are known by the stack that they are on, where a missing CPU shifts the notes', () => {
    // CPU 0 did not stop: what is first in the file is CPU 1's.
    const [first, second] = contextsWith(noted(0, live[1]!.registers));
    expect(first).toMatchObject({ cpu: 0, registers: undefined, source: undefined });
    expect(second).toMatchObject({ cpu: 1, registers: { rip: live[1]!.registers.rip } });
    expect(second!.evidence).toBe('rsp is on the stack of the task that CPU 1 runs');
  });

  test('are known by the interrupt stack', () => {
    const irq = new StackTable(kernel).ofCpu(1).find(({ kind }) => kind === 'irq')!;
    const registers = { ...live[0]!.registers, rsp: irq.end - 64n };
    const [, second] = contextsWith(noted(0, registers));
    expect(second!.evidence).toBe('rsp is on the IRQ stack of CPU 1');
  });

  test('of user mode are known by what entering the kernel left, else by the process id', () => {
    const task = currentTask(kernel, 1);
    const { end } = new StackTable(kernel).ofTask(addressOf(task))!;
    const user = {
      ...live[1]!.registers,
      cs: 0x33n,
      rip: kernel.memory.u64(end - 40n),
      rsp: kernel.memory.u64(end - 16n),
    };
    const byFrame = contextsWith(noted(0, user))[1]!;
    expect(byFrame.evidence).toBe('the task that CPU 1 runs entered the kernel with these');
    const byPid = contextsWith(noted(0, { ...user, rip: 0x401000n }, task.pid))[1]!;
    expect(byPid.evidence).toMatch(/runs the process \d+ that the note names/);
    const inKernel = { ...user, cs: 0x10n, rip: live[1]!.registers.rip };
    const byNumber = contextsWith(noted(0, inKernel, task.pid))[0]!;
    expect(byNumber.evidence).toMatch(/nothing confirms it/);
  });

  test('that nothing confirms are taken in order, and that is said', () => {
    const registers = { ...live[0]!.registers, rsp: 0x3007000n };
    const [first, second] = contextsWith(noted(0, registers));
    expect(first).toMatchObject({ cpu: 0, registers: { rsp: 0x3007000n } });
    expect(first!.evidence).toMatch(/nothing confirms it/);
    expect(second!.registers).toBeUndefined();
  });

  test('of zeros are nobody’s', () => {
    const zeros = Object.fromEntries(
      Object.keys(live[0]!.registers).map((name) => [name, 0n]),
    ) as unknown as Registers;
    const [first, second] = contextsWith(noted(0, zeros), noted(1, live[1]!.registers));
    expect(first!.registers).toBeUndefined();
    expect(second!.registers).toBeDefined();
  });

  test('an LKCD slot is known by its task', () => {
    const registers = { ...live[1]!.registers, gs_base: 0n, rsp: 0n };
    const task = addressOf(currentTask(kernel, 1));
    const [first, second] = contextsWith({ source: 'LKCD', index: 0, registers, task });
    expect(first!.registers).toBeUndefined();
    expect(second).toMatchObject({
      source: 'LKCD',
      evidence: 'CPU 1 runs the task that the slot names',
    });
  });
});

describe("the kernel's own notes", () => {
  /** As crash_save_cpu() leaves them: crash_notes points to a per-CPU buffer. */
  function withNotes(cpus: readonly CpuState[], ...notes: readonly Registers[]): Kernel {
    const patched = new PatchedDump(dump, { cpus });
    const buffer = kernel.symbol('printk_context').address & ~0x3ffn;
    patched.writeU64(kernel.symbol('crash_notes').address, buffer);
    for (const [cpu, registers] of notes.entries()) {
      const at = BigInt.asUintN(64, buffer + kernel.perCpuOffset(cpu));
      const note = new Uint8Array(20 + Prstatus.size);
      const view = new DataView(note.buffer);
      view.setUint32(0, 5, true);
      view.setUint32(4, Prstatus.size, true);
      view.setUint32(8, 1, true);
      note.set([0x43, 0x4f, 0x52, 0x45], 12);
      note.set(prstatusNote(registers, 7).desc, 20);
      const inPage = 4096 - Number(at & 0xfffn);
      patched.write(at, note.subarray(0, inPage));
      if (note.length > inPage) patched.write(at + BigInt(inPage), note.subarray(inPage));
    }
    return openKernel(patched.dump);
  }

  test('stand in where the dump has none', () => {
    const contexts = cpuContexts(withNotes([], ...live.map(({ registers }) => registers)));
    for (const { cpu, source, registers } of contexts) {
      expect(source).toBe('crash_notes');
      expect(registers).toEqual(live[cpu]!.registers);
    }
  });

  test('tell which note of the file is whose', () => {
    const [zero, one] = live.map(({ registers }) => registers) as [Registers, Registers];
    const states = [one, zero].map((registers, index): CpuState => {
      return { source: 'NT_PRSTATUS', index, pid: 0, registers };
    });
    const contexts = cpuContexts(withNotes(states, zero, one));
    for (const { cpu, evidence, registers } of contexts) {
      expect(evidence).toBe(`crash_notes of CPU ${cpu} holds the same registers`);
      expect(registers).toEqual(live[cpu]!.registers);
    }
  });

  test('win over registers of a crash kernel that runs already', () => {
    const registers = { ...live[0]!.registers, gs_base: 0n, rip: 0x3200008n, rsp: 0x3007000n };
    const states: CpuState[] = [{ ...live[0]!, registers }];
    const [first] = cpuContexts(withNotes(states, live[0]!.registers));
    expect(first).toMatchObject({ source: 'crash_notes', registers: live[0]!.registers });
  });
});

describe('the panic', () => {
  function withVariables(
    panicCpu: number,
    crashingCpu: number,
    changes: Partial<Dump> = {},
  ): Kernel {
    const patched = new PatchedDump(dump, changes);
    const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
    patched.write(kernel.symbol('panic_cpu').address, u32(panicCpu >>> 0));
    patched.write(kernel.symbol('crashing_cpu').address, u32(crashingCpu >>> 0));
    return openKernel(patched.dump);
  }

  test('is on the CPU that panic_cpu names, else crashing_cpu', () => {
    expect(panicTask(kernel)).toMatchObject({ cpu: 0, evidence: 'panic_cpu is 0' });
    expect(panicTask(withVariables(-1, 1))).toMatchObject({
      cpu: 1,
      evidence: 'crashing_cpu is 1',
    });
    expect(panicTask(withVariables(99, 1))!.cpu).toBe(1);
  });

  test('is what the header names where memory names none', () => {
    const task = addressOf(currentTask(kernel, 1));
    const found = panicTask(withVariables(-1, -1, { panic: { message: 'Oops', task } }));
    expect(found).toMatchObject({ cpu: 1, evidence: "the dump's header names the task" });
    expect(addressOf(found!.task)).toBe(task);
  });

  test('is what the log names where nothing else does', () => {
    const found = panicTask(withVariables(-1, -1));
    expect(found!.cpu).toBe(0);
    expect(found!.task.pid).toBe(1);
    expect(found!.evidence).toMatch(/^the log says "CPU: 0 PID: 1 Comm: init/);
  });

  test('is told by the line that the kernel printed', () => {
    expect(panicMessage(kernel)).toBe('Kernel panic - not syncing: sysrq triggered crash');
  });
});

describe('stacks', () => {
  test('of one CPU do not overlap those of the other, and have the sizes of x86-64', () => {
    const table = new StackTable(kernel);
    expect(table.taskStackSize).toBe(16384n);
    const all = kernel.cpus.flatMap((cpu) => [...table.ofCpu(cpu)]);
    const sorted = all.sort((a, b) => (a.start < b.start ? -1 : 1));
    for (const [index, { end }] of sorted.slice(0, -1).entries()) {
      expect(end <= sorted[index + 1]!.start).toBe(true);
    }
    for (const { end } of all) expect(end % 4096n).toBe(0n);
    const sizes = table.ofCpu(0).map(({ name, start, end }) => [name, Number(end - start)]);
    expect(Object.fromEntries(sizes)).toMatchObject({
      'IRQ stack': 16384,
      'DOUBLEFAULT exception stack': 8192,
      'NMI exception stack': 8192,
      'DEBUG exception stack': 8192,
      'MCE exception stack': 8192,
      'ENTRY stack': 4096,
    });
  });

  test('of exceptions begin right above a page that is not mapped, and are mapped to their end', () => {
    const table = new StackTable(kernel);
    const stacks = kernel.cpus.flatMap((cpu) => [...table.ofCpu(cpu)]);
    // Those for #VC are mapped under SEV-ES only.
    const exceptions = stacks.filter(
      ({ kind, name }) => kind === 'exception' && !name.startsWith('VC'),
    );
    expect(exceptions).toHaveLength(4 * kernel.cpus.length);
    for (const { start, end } of exceptions) {
      expect(() => kernel.memory.translate(start - 1n)).toThrow(DumpError);
      for (let at = start; at < end; at += 4096n) kernel.memory.translate(at);
      expect(() => kernel.memory.translate(end)).toThrow(DumpError);
    }
  });
});

describe('real dumps', () => {
  for (const image of realDumps) {
    test.skipIf(!image.isHere)(`${image.file}: every CPU has registers by evidence`, async () => {
      const real = openKernel(await openFile(image.path));
      for (const { registers, evidence } of cpuContexts(real)) {
        expect(registers).toBeDefined();
        expect(evidence).toMatch(/^(gs_base is|crash_notes of)/);
      }
      expect(panicTask(real)!.evidence).toMatch(/^panic_cpu is/);
      real.dump.close();
    });
  }
});
