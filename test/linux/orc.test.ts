import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { Btf } from '../../src/linux/btf.ts';
import { unwindOrGuess } from '../../src/linux/guess.ts';
import { AddressSpace } from '../../src/linux/memory.ts';
import { type OrcEntry, type OrcKernel, OrcLookup, OrcRegister } from '../../src/linux/orc.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import type { Stack } from '../../src/linux/stacks.ts';
import type { KernelSymbol, SymbolAt } from '../../src/linux/symbols.ts';
import type { TextKernel } from '../../src/linux/text.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { Unwinder, type UnwindStart } from '../../src/linux/unwind.ts';
import { BtfWriter } from '../support/btf.ts';
import { HandMadeMemory } from '../support/memory.ts';

const pageSize = 4096n;

/** A kernel's address space of which single pages are mapped. */
class Memory {
  readonly pages = new HandMadeMemory();
  readonly space: AddressSpace;
  readonly #root: bigint;
  #next = 0x20_0000n;

  constructor() {
    this.#root = this.pages.newTable();
    const root = { physical: this.#root, levels: 4, encryptionMask: 0n } as const;
    this.space = new AddressSpace(new PhysicalMemory(this.pages), root);
  }

  map(start: bigint, length: number): void {
    for (let at = start; at < start + BigInt(length); at += pageSize, this.#next += pageSize) {
      this.pages.map(this.#root, 4, at, this.#next);
      this.pages.write(this.#next, new Uint8Array(Number(pageSize)));
    }
  }

  write(address: bigint, bytes: Uint8Array): void {
    this.pages.write(this.space.translate(address).physical, bytes);
  }

  u64(address: bigint, value: bigint): void {
    this.pages.writeU64(this.space.translate(address).physical, value);
  }

  i32(address: bigint, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    this.write(address, bytes);
  }
}

type Generation = '6.1' | '6.3' | '6.4';

/** struct orc_entry as three generations of kernels declare it. */
function typesOf(generation: Generation): TypeTable {
  const writer = new BtfWriter();
  const s16 = writer.int('short int', 2, { signed: true });
  const u32 = writer.int('unsigned int', 4, {});
  const bits = (name: string, bitOffset: number, bitSize: number) => ({
    name,
    type: u32,
    bitOffset,
    bitSize,
  });
  const flags = {
    '6.1': [bits('type', 40, 2), bits('end', 42, 1)],
    '6.3': [bits('type', 40, 2), bits('signal', 42, 1), bits('end', 43, 1)],
    '6.4': [bits('type', 40, 3), bits('signal', 43, 1)],
  }[generation];
  writer.struct('orc_entry', 6, [
    { name: 'sp_offset', type: s16, bitOffset: 0 },
    { name: 'bp_offset', type: s16, bitOffset: 16 },
    bits('sp_reg', 32, 4),
    bits('bp_reg', 36, 4),
    ...flags,
  ]);
  return new TypeTable(new Btf('hand-made', writer.bytes()), () => []);
}

const stext = 0xffffffff81000000n;
const slots = 0xffffffff82000000n;
const entries = 0xffffffff82010000n;
const lookup = 0xffffffff82020000n;

interface Row {
  readonly offset: number;
  /** sp_offset, bp_offset, and the word of bit-fields. */
  readonly packed: readonly [number, number, number];
}

function orcKernel(generation: Generation, rows: readonly Row[], textSize = 0x1000): OrcKernel {
  const memory = new Memory();
  for (const at of [slots, entries, lookup]) memory.map(at, 0x1000);
  for (const [index, { offset, packed }] of rows.entries()) {
    const slot = slots + BigInt(index * 4);
    memory.i32(slot, Number(stext + BigInt(offset) - slot));
    const bytes = new Uint8Array(6);
    new DataView(bytes.buffer).setInt16(0, packed[0], true);
    new DataView(bytes.buffer).setInt16(2, packed[1], true);
    new DataView(bytes.buffer).setUint16(4, packed[2], true);
    memory.write(entries + BigInt(index * 6), bytes);
  }
  const blocks = textSize / 256 + 1;
  for (let block = 0; block < blocks; block++) {
    const first = rows.findLastIndex(({ offset }) => offset <= block * 256);
    memory.i32(lookup + BigInt(block * 4), Math.max(0, first));
  }
  memory.i32(lookup + 0x800n, blocks);
  const names: Readonly<Record<string, bigint>> = {
    __start_orc_unwind_ip: slots,
    __stop_orc_unwind_ip: slots + BigInt(rows.length * 4),
    __start_orc_unwind: entries,
    orc_lookup: lookup,
    lookup_num_blocks: lookup + 0x800n,
    _stext: stext,
    _etext: stext + BigInt(textSize),
  };
  return {
    memory: memory.space,
    object: () => {
      throw new Error('there are no trampolines here');
    },
    symbols: {
      at: () => undefined,
      inKernel: (name) => {
        const address = names[name];
        return address === undefined ? undefined : { name, address, type: 'T' };
      },
    },
    types: typesOf(generation),
    modules: { modules: [] },
  };
}

describe('ORC tables', () => {
  const sp = OrcRegister.sp;
  test('6.1: two bits of type and an end bit; interrupt frames are signal frames', () => {
    const orc = new OrcLookup(
      orcKernel('6.1', [
        { offset: 0, packed: [0, 0, 1 << 10] },
        { offset: 16, packed: [8, -16, sp | (1 << 4)] },
        { offset: 32, packed: [168, 0, sp | (1 << 8)] },
        { offset: 48, packed: [16, 0, sp | (2 << 8)] },
        { offset: 64, packed: [0, 0, 0] },
      ]),
    );
    expect(orc.find(stext)).toMatchObject({ type: 'end' });
    expect(orc.find(stext + 20n)).toEqual({
      type: 'call',
      spRegister: sp,
      spOffset: 8,
      bpRegister: OrcRegister.previousSp,
      bpOffset: -16,
      signal: false,
    });
    expect(orc.find(stext + 32n)).toMatchObject({ type: 'regs', spOffset: 168, signal: true });
    expect(orc.find(stext + 63n)).toMatchObject({ type: 'partial', signal: true });
    expect(orc.find(stext + 64n)).toMatchObject({ type: 'undefined' });
  });

  test('6.3: the signal bit stands between them and is believed', () => {
    const orc = new OrcLookup(
      orcKernel('6.3', [
        { offset: 0, packed: [168, 0, sp | (1 << 8)] },
        { offset: 16, packed: [8, 0, sp | (1 << 10)] },
        { offset: 32, packed: [0, 0, 1 << 11] },
      ]),
    );
    expect(orc.find(stext)).toMatchObject({ type: 'regs', signal: false });
    expect(orc.find(stext + 16n)).toMatchObject({ type: 'call', signal: true });
    expect(orc.find(stext + 32n)).toMatchObject({ type: 'end' });
  });

  test('6.4: three bits of type say themselves where a stack ends', () => {
    const types = ['undefined', 'end', 'call', 'regs', 'partial'];
    const rows = types.map((_, type) => ({
      offset: type * 16,
      packed: [8, 0, sp | (type << 8) | (type === 4 ? 1 << 11 : 0)] as const,
    }));
    const orc = new OrcLookup(orcKernel('6.4', rows));
    for (const [index, type] of types.entries()) {
      expect(orc.find(stext + BigInt(index * 16 + 7))).toMatchObject({ type, signal: index === 4 });
    }
  });

  test('an entry serves up to the next one, through every block of the lookup table', () => {
    const rows = Array.from({ length: 200 }, (_, index) => ({
      offset: index * 20,
      packed: [8 + index * 8, 0, sp] as const,
    }));
    const orc = new OrcLookup(orcKernel('6.1', rows));
    for (let offset = 0; offset < 0xf00; offset++) {
      expect(orc.find(stext + BigInt(offset))?.spOffset).toBe(8 + Math.floor(offset / 20) * 8);
    }
  });

  test('code outside kernel and modules has no entry; a kernel without tables says so', () => {
    const kernel = orcKernel('6.1', [{ offset: 0, packed: [8, 0, sp] }]);
    expect(new OrcLookup(kernel).find(stext + 0x1000n)).toBeUndefined();
    const without: OrcKernel = {
      ...kernel,
      symbols: { at: () => undefined, inKernel: () => undefined },
    };
    expect(() => new OrcLookup(without).find(stext)).toThrow(/no ORC tables/);
  });

  test('a lookup table that points nowhere is not followed', () => {
    const kernel = orcKernel('6.1', [
      { offset: 0, packed: [8, 0, sp] },
      { offset: 0x300, packed: [16, 0, sp] },
    ]);
    const { physical } = kernel.memory.translate(lookup);
    (kernel.memory.physical.image as HandMadeMemory).write(physical, new Uint8Array(64).fill(0xff));
    expect(new OrcLookup(kernel).find(stext + 0x310n)).toMatchObject({ spOffset: 16 });
  });
});

const taskStack: Stack = stackAt('task', 'task stack', 0xffffc90000000000n);
const irqStack: Stack = stackAt('irq', 'IRQ stack', 0xffffc90000010000n);
const nmiStack: Stack = stackAt('exception', 'NMI exception stack', 0xffffc90000020000n);

function stackAt(kind: Stack['kind'], name: string, start: bigint): Stack {
  return { kind, name, start, end: start + 0x1000n };
}

const functionSize = 0x100n;
const functions = ['inner', 'middle', 'outer', 'entry', 'last'];
const generated = 0xffffffffa0000000n;

function at(name: string, offset = 0x10n): bigint {
  return stext + BigInt(functions.indexOf(name)) * functionSize + offset;
}

/** Five functions, three stacks, one page of generated code. */
class Machine {
  readonly memory = new Memory();
  readonly entries = new Map<string, OrcEntry>();

  constructor() {
    this.memory.map(stext, 0x1000);
    this.memory.map(generated, 0x1000);
    for (const { start } of [taskStack, irqStack, nmiStack]) this.memory.map(start, 0x1000);
  }

  /** One layout for all of a function. */
  orc(name: string, entry: Partial<OrcEntry>): this {
    const usual: OrcEntry = {
      type: 'call',
      spRegister: OrcRegister.sp,
      spOffset: 8,
      bpRegister: OrcRegister.undefined,
      bpOffset: 0,
      signal: false,
    };
    this.entries.set(name, { ...usual, ...entry });
    return this;
  }

  /** `call` to a function, so that `address` is the return address. */
  call(address: bigint, target: bigint): this {
    this.memory.write(address - 5n, Uint8Array.of(0xe8));
    this.memory.i32(address - 4n, Number(target - address));
    return this;
  }

  words(address: bigint, ...values: readonly bigint[]): this {
    for (const [index, value] of values.entries()) {
      this.memory.u64(address + BigInt(index * 8), value);
    }
    return this;
  }

  unwinder(): Unwinder {
    const find = (address: bigint): SymbolAt | undefined => {
      const index = Number((address - stext) / functionSize);
      const name = address < stext ? undefined : functions[index];
      if (name === undefined) return undefined;
      const symbol: KernelSymbol = { name, address: at(name, 0n), type: 't' };
      return { symbol, offset: Number(address - symbol.address) };
    };
    const kernel: TextKernel = { memory: this.memory.space, symbols: { at: find } };
    const orc = { find: (address: bigint) => this.entries.get(find(address)?.symbol.name ?? '') };
    return new Unwinder(kernel, orc, [taskStack, irqStack, nmiStack]);
  }

  unwind(start: Partial<UnwindStart> = {}) {
    const from = { ip: at('inner'), sp: taskStack.start + 0x100n, signal: true, ...start };
    return unwindOrGuess(this.unwinder(), from);
  }
}

/** struct pt_regs with rip, cs, rsp and a few others. */
function savedRegisters(values: Readonly<Record<string, bigint>>): bigint[] {
  const names =
    'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss';
  return names.split(' ').map((name) => values[name] ?? (name === 'cs' ? 0x10n : 0n));
}

describe('the unwinder', () => {
  const sp = taskStack.start + 0x100n;

  test('a chain of calls ends where ORC says that it ends', () => {
    const machine = new Machine()
      .orc('inner', { spOffset: 24, bpRegister: OrcRegister.previousSp, bpOffset: -16 })
      .orc('middle', { spRegister: OrcRegister.bp, spOffset: 16 })
      .orc('last', { type: 'end' })
      // inner: one word, rbp, return address; middle: found through that rbp.
      .words(sp, 0n, sp + 0x200n, at('middle'))
      .words(sp + 0x208n, at('last'));
    expect(machine.unwind()).toMatchObject({
      end: 'kernel',
      problem: undefined,
      frames: [
        { origin: 'start', ip: at('inner'), slot: sp },
        { origin: 'call', ip: at('middle'), slot: sp + 16n, bp: sp + 0x200n },
        { origin: 'call', ip: at('last'), slot: sp + 0x208n, reliable: true },
      ],
    });
  });

  test('stacks are left through saved registers and through their first word', () => {
    const regs = nmiStack.end - 168n;
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .orc('middle', { spRegister: OrcRegister.spIndirect, spOffset: 8 })
      .orc('outer', { type: 'regs', spOffset: 0, signal: true })
      .words(regs, ...savedRegisters({ rip: at('middle'), rsp: irqStack.end - 8n }))
      .words(irqStack.end - 8n, sp)
      .words(sp, at('outer'))
      .words(sp + 8n, ...savedRegisters({ rip: 0x401000n, cs: 0x33n, rsp: 0x7ffffff000n }));
    const found = machine.unwind({ sp: regs });
    expect(found).toMatchObject({ end: 'user', problem: undefined });
    expect(found.frames.map(({ stack, origin }) => [origin, stack?.name])).toEqual([
      ['start', 'NMI exception stack'],
      ['interrupted', 'IRQ stack'],
      ['call', 'task stack'],
    ]);
    expect(found.frames[2]!.registers).toMatchObject({ userMode: true, full: true });
  });

  test('registers that a layout hangs on come from the saved ones, and only from them', () => {
    const machine = new Machine()
      .orc('inner', { spRegister: OrcRegister.r10 })
      .orc('last', { type: 'end' })
      .words(sp + 0x40n, at('last'));
    expect(machine.unwind({ values: { r10: sp + 0x48n } }).end).toBe('kernel');
    expect(machine.unwind().problem).toMatch(/inner needs r10, which is not saved/);
    const called = new Machine()
      .orc('inner', {})
      .orc('middle', { spRegister: OrcRegister.r10 })
      .words(sp, at('middle'));
    const found = called.unwind({ values: { r10: sp + 0x48n } });
    expect(found.problem).toMatch(/middle needs r10, which is not saved/);
  });

  test('an interrupt frame keeps the registers that were saved before it', () => {
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .orc('middle', { type: 'partial', spOffset: 0, signal: true })
      .orc('outer', { spRegister: OrcRegister.r10 })
      .orc('last', { type: 'end' })
      .words(sp, ...savedRegisters({ rip: at('middle'), rsp: sp + 0x100n, r10: sp + 0x200n }))
      .words(sp + 0x100n, at('outer'), 0x10n, 0n, sp + 0x180n, 0x18n)
      .words(sp + 0x1f8n, at('last'));
    expect(machine.unwind()).toMatchObject({ end: 'kernel', problem: undefined });
  });

  test('saved registers of zeros are the end: the thread never was in user mode', () => {
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .words(sp, ...savedRegisters({ cs: 0n }));
    const found = machine.unwind();
    expect(found).toMatchObject({ end: 'kernel', problem: undefined });
    expect(found.frames).toHaveLength(1);
  });

  test('a call as the last instruction of a function belongs to it, not to the next', () => {
    // What was entered by a fault is looked up itself; whoever called it, one byte before.
    const undefinedThere = new Machine()
      .orc('inner', { type: 'undefined' })
      .orc('entry', { type: 'end' })
      .call(at('last', 0n), at('inner', 0n))
      .words(sp, at('last', 0n));
    expect(undefinedThere.unwind()).toMatchObject({ end: 'kernel', problem: undefined });
    const noCode = new Machine().orc('entry', { type: 'end' }).words(sp, at('last', 0n));
    noCode.memory.write(at('last', 0n) - 2n, Uint8Array.of(0xff, 0xd0));
    expect(noCode.unwind({ ip: 0n })).toMatchObject({ end: 'kernel', problem: undefined });
  });

  test('a stack pointer that goes down is not followed', () => {
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .words(sp, ...savedRegisters({ rip: at('inner'), rsp: sp - 0x80n }));
    const found = machine.unwind();
    expect(found.problem).toMatch(/does not advance/);
    expect(found.frames).toHaveLength(2);
  });

  test.each([
    [taskStack, nmiStack],
    [irqStack, taskStack],
    [nmiStack, irqStack],
  ])('$name that was left is not entered again', (left, other) => {
    const from = left.start + 0x100n;
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .words(from, ...savedRegisters({ rip: at('inner'), rsp: other.start }))
      .words(other.start, ...savedRegisters({ rip: at('inner'), rsp: from }));
    const found = machine.unwind({ sp: from });
    expect(found.problem).toContain(`the ${left.name} is entered for the second time`);
    expect(found.frames.filter(({ reliable }) => reliable)).toHaveLength(3);
  });

  test('an overflow: the function below the stack is named, its caller is on the stack', () => {
    const regs = nmiStack.end - 168n;
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .orc('middle', { spOffset: 0x308 })
      .orc('last', { type: 'end' })
      .words(regs, ...savedRegisters({ rip: at('middle'), rsp: taskStack.start - 0x200n }))
      .words(taskStack.start + 0x100n, at('last'));
    const found = machine.unwind({ sp: regs });
    expect(found).toMatchObject({ end: 'kernel', problem: undefined });
    expect(found.frames[1]).toMatchObject({ ip: at('middle'), note: /below the task stack/ });
    machine.words(regs, ...savedRegisters({ rip: at('middle'), rsp: taskStack.start - 0x1008n }));
    expect(machine.unwind({ sp: regs }).frames[1]).toMatchObject({ stack: undefined });
  });

  test('a call through a null pointer: its caller is at the top of the stack', () => {
    const caller = at('last', 0x20n);
    const machine = new Machine().orc('last', { type: 'end' }).words(sp, caller);
    expect(machine.unwind({ ip: 0n }).problem).toMatch(/is no code, and was not called/);
    machine.memory.write(caller - 2n, Uint8Array.of(0xff, 0xd0));
    expect(machine.unwind({ ip: 0n })).toMatchObject({
      end: 'kernel',
      frames: [{ ip: 0n }, { ip: caller, reliable: true }],
    });
  });

  test('generated code is walked by its frame pointer, which is no sure thing', () => {
    const machine = new Machine()
      .orc('inner', { spOffset: 16 })
      .orc('last', { type: 'end' })
      .words(sp + 8n, generated + 0x20n)
      .words(sp + 0x80n, 0n, at('last'));
    const found = machine.unwind({ bp: sp + 0x80n });
    expect(found.end).toBe('kernel');
    expect(found.frames[1]).toMatchObject({ ip: generated + 0x20n, reliable: true });
    expect(found.frames[2]).toMatchObject({ ip: at('last'), reliable: false, note: /pointer/ });
  });

  test('where ORC is undefined, the nearest return address behind a call of the function', () => {
    const machine = new Machine()
      .orc('inner', { type: 'undefined' })
      .orc('last', { type: 'end' })
      .call(at('middle', 0x20n), at('outer', 0n))
      .call(at('last', 0x20n), at('inner', 0n))
      .words(sp, at('middle', 0x20n), at('last', 0x20n));
    expect(machine.unwind()).toMatchObject({
      end: 'kernel',
      frames: [{}, { ip: at('last', 0x20n), slot: sp + 8n, note: /by the call before it/ }],
    });
  });

  test('guesses are only what stands behind a call, until ORC gets to an end from one', () => {
    const machine = new Machine()
      .orc('inner', { type: 'undefined' })
      .orc('middle', { type: 'undefined' })
      .orc('outer', { spOffset: 16 })
      .orc('last', { type: 'end' })
      .call(at('middle', 0x20n), at('entry', 0n))
      .call(at('outer', 0x20n), at('entry', 0n))
      .words(sp, at('last'), at('middle', 0x20n), 0x1234n, at('outer', 0x20n), 0n, at('last'));
    const found = machine.unwind();
    expect(found.end).toBe('kernel');
    expect(found.frames.map(({ ip, reliable }) => [ip, reliable])).toEqual([
      [at('inner'), true],
      [at('middle', 0x20n), false],
      [at('outer', 0x20n), false],
      [at('last'), false],
    ]);
  });

  test.each([
    [irqStack, 8n],
    [nmiStack, 16n],
  ])('$name: guesses go on where it says at its top what it interrupted', (stack, fromEnd) => {
    const machine = new Machine()
      .orc('inner', { type: 'undefined' })
      .orc('last', { type: 'end' })
      .call(at('last', 0x20n), at('entry', 0n))
      .words(stack.end - fromEnd, sp)
      .words(sp, at('last', 0x20n));
    const found = machine.unwind({ sp: stack.start + 0x100n });
    expect(found.end).toBe('kernel');
    expect(found.frames[1]).toMatchObject({ ip: at('last', 0x20n), slot: sp, reliable: false });
  });

  test('a lost stack pointer: whoever called the function is looked for on the task stack', () => {
    const regs = nmiStack.end - 168n;
    const machine = new Machine()
      .orc('inner', { type: 'regs', spOffset: 0, signal: true })
      .orc('middle', { spOffset: 16 })
      .orc('outer', { spOffset: 8 })
      .orc('last', { type: 'end' })
      .call(at('last', 0x20n), at('inner', 0n))
      .call(at('outer', 0x20n), at('middle', 0n))
      .words(regs, ...savedRegisters({ rip: at('middle'), rsp: 0x1000n }))
      .words(sp, at('last', 0x20n), 0n, at('outer', 0x20n), at('last'));
    const found = machine.unwind({ sp: regs });
    expect(found.problem).toMatch(/1000 is on no stack known here; the frames after/);
    expect(found.frames.map(({ ip, reliable }) => [ip, reliable])).toEqual([
      [at('inner'), true],
      [at('middle'), true],
      [at('outer', 0x20n), false],
      [at('last'), false],
    ]);
  });

  test('any layouts over any stacks end, in few steps', () => {
    const interesting = fc.oneof(
      ...functions.map((name) => fc.constant(at(name))),
      ...[taskStack, irqStack, nmiStack].map(({ start }) =>
        fc.nat(0x1000).map((offset) => start + BigInt(offset)),
      ),
      fc.bigInt(0n, (1n << 64n) - 1n),
      fc.constantFrom(0n, 0x10n, 0x33n),
    );
    const layout = fc.record({
      type: fc.constantFrom('call', 'regs', 'partial', 'undefined'),
      spRegister: fc.nat(15),
      spOffset: fc.integer({ min: -0x200, max: 0x400 }),
      bpRegister: fc.nat(15),
      bpOffset: fc.integer({ min: -0x200, max: 0x200 }),
      signal: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(layout, { minLength: functions.length, maxLength: functions.length }),
        fc.array(interesting, { minLength: 24, maxLength: 24 }),
        (layouts, words) => {
          const machine = new Machine();
          for (const [index, name] of functions.entries()) {
            machine.orc(name, layouts[index] as OrcEntry);
          }
          for (const { start } of [taskStack, irqStack, nmiStack]) {
            for (let slot = 0; slot < 512; slot++) {
              machine.memory.u64(start + BigInt(slot * 8), words[slot % words.length]!);
            }
          }
          try {
            const found = machine.unwind({ bp: words[0], signal: false });
            expect(found.frames.length).toBeGreaterThan(0);
            expect(found.frames.length).toBeLessThan(20_000);
          } catch (error) {
            expect(error).toBeInstanceOf(DumpError);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
