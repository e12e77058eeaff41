/**
 * Walking one stack after another by ORC, as the kernel does it for itself. Bounded on any input:
 * in a stack only upwards, no stack is entered twice, one budget of steps for all attempts.
 * Source: arch/x86/kernel/unwind_orc.c, unwind_next_frame().
 */

import { DumpError } from '../bytes/errors.ts';
import { hex16 } from '../bytes/text.ts';
import type { RegisterName } from '../dump/types.ts';
import { type OrcEntry, type OrcLookup, OrcRegister } from './orc.ts';
import { readSavedRegisters, type SavedRegisters } from './saved-registers.ts';
import { isOn, overflows, type Stack } from './stacks.ts';
import { calledBefore, isCode, isReturnAddress, type TextKernel } from './text.ts';

/** One function on a stack, innermost first. */
export interface UnwoundFrame {
  /** `call`: `ip` was read as a return address; `interrupted`: from saved registers. */
  readonly origin: 'start' | 'call' | 'interrupted';
  readonly ip: bigint;
  /** Where `ip` was read: the return address's slot. Otherwise the stack pointer. */
  readonly slot: bigint;
  readonly bp: bigint | undefined;
  readonly stack: Stack | undefined;
  /** Entry code only: the registers that it saved. */
  registers?: SavedRegisters;
  readonly reliable: boolean;
  readonly note?: string;
}

/** Where to begin. */
export interface UnwindStart {
  readonly ip: bigint;
  readonly sp: bigint;
  readonly bp?: bigint | undefined;
  /** `ip` is that of an instruction, not one behind a call. */
  readonly signal: boolean;
  /** Where `ip` was read, if it was read from a stack. */
  readonly slot?: bigint;
  readonly values?: SavedRegisters['values'];
}

export interface Unwound {
  readonly frames: UnwoundFrame[];
  /** `user`: the registers of user mode were reached; `kernel`: ORC says that the stack ends. */
  readonly end: 'user' | 'kernel' | 'failed';
  /** Why it ended before its end. */
  readonly problem: string | undefined;
}

/** Steps of all attempts for one backtrace together. */
const stepBudget = 20_000;

interface State {
  ip: bigint;
  sp: bigint;
  bp: bigint | undefined;
  signal: boolean;
  /** The registers that the code at `ip` had; known only where they were just saved. */
  values: SavedRegisters['values'] | undefined;
  stack: Stack | undefined;
}

class Stop extends Error {
  readonly end: 'user' | 'kernel' | 'failed';
  constructor(end: 'user' | 'kernel' | 'failed', message = '') {
    super(message);
    this.end = end;
  }
}

/** Unwinds by ORC on a fixed set of stacks: those of one task, and of the CPU it runs on. */
export class Unwinder {
  readonly kernel: TextKernel;
  readonly stacks: readonly Stack[];
  readonly #orc: Pick<OrcLookup, 'find'>;
  #budget = stepBudget;

  constructor(kernel: TextKernel, orc: Pick<OrcLookup, 'find'>, stacks: readonly Stack[]) {
    this.kernel = kernel;
    this.#orc = orc;
    this.stacks = stacks;
  }

  unwind(start: UnwindStart): Unwound {
    return new Walk(this.kernel, this.#orc, this.stacks, () => this.spend()).run(start);
  }

  /** One more step of work; false when there has been enough. */
  spend(): boolean {
    return --this.#budget > 0;
  }
}

/** One attempt. */
class Walk {
  readonly #kernel: TextKernel;
  readonly #orc: Pick<OrcLookup, 'find'>;
  readonly #stacks: readonly Stack[];
  readonly #left = new Set<Stack>();
  readonly #frames: UnwoundFrame[] = [];
  /** False when the budget is used up. */
  readonly #spend: () => boolean;

  constructor(
    kernel: TextKernel,
    orc: Pick<OrcLookup, 'find'>,
    stacks: readonly Stack[],
    spend: () => boolean,
  ) {
    this.#kernel = kernel;
    this.#orc = orc;
    this.#stacks = stacks;
    this.#spend = spend;
  }

  run(start: UnwindStart): Unwound {
    const { ip, sp, bp, signal, values } = start;
    const stack = this.#stackOf(sp) ?? this.#stackOf(sp - 8n);
    const state: State = { ip, sp, bp, signal, values, stack };
    const slot = start.slot ?? sp;
    const origin = start.slot === undefined ? 'start' : 'call';
    this.#frames.push({ origin, ip, slot, bp, stack, reliable: true });
    try {
      while (this.#spend()) this.#step(state);
      throw new Stop('failed', 'given up after too many steps');
    } catch (error) {
      if (error instanceof Stop) {
        const problem = error.end === 'failed' ? error.message : undefined;
        return { frames: this.#frames, end: error.end, problem };
      }
      if (!(error instanceof DumpError)) throw error;
      return { frames: this.#frames, end: 'failed', problem: error.message };
    }
  }

  /** From one function to its caller. */
  #step(state: State): void {
    const entry = this.#orc.find(state.signal ? state.ip : state.ip - 1n);
    if (entry === undefined) {
      this.#stepWithoutOrc(state);
      return;
    }
    if (entry.type === 'end') throw new Stop('kernel');
    if (entry.type === 'undefined' || (usesFramePointer(entry) && state.bp === undefined)) {
      this.#stepByCallInstruction(state, entry);
      return;
    }
    const cfa = this.#callerStack(state, entry);
    const bp = this.#callerFrame(state, entry, cfa);
    if (entry.type === 'call') this.#toCaller(state, cfa, bp);
    else this.#toInterrupted(state, cfa, bp, entry.type === 'regs' ? 'full' : 'interrupt');
    state.signal = entry.signal;
  }

  /**
   * Where the layout of a function is not known: objtool was told to leave it alone
   * (STACK_FRAME_NON_STANDARD, __crash_kexec is one), or it hangs on a frame pointer that is not
   * known. The nearest return address behind a call of this very function is the caller.
   */
  #stepByCallInstruction(state: State, entry: OrcEntry): void {
    const start = this.#kernel.symbols.at(state.signal ? state.ip : state.ip - 1n)?.symbol.address;
    const end = state.stack?.end ?? 0n;
    for (let slot = (state.sp + 7n) & ~7n; slot < end && start !== undefined; slot += 8n) {
      if (!this.#spend()) break;
      if (calledBefore(this.#kernel, this.#word(slot)) !== start) continue;
      const cfa = slot + 8n;
      const bp = entry.type === 'undefined' ? state.bp : this.#callerFrame(state, entry, cfa);
      this.#toCaller(state, cfa, bp, { note: 'found by the call before it, not by ORC' });
      state.signal = false;
      return;
    }
    throw new Stop('failed', `ORC does not say where the caller of ${this.#name(state)} is`);
  }

  /** Generated code, and jumps to where no code is. */
  #stepWithoutOrc(state: State): void {
    const here = this.#frames.at(-1)!;
    if (here.origin !== 'call' && !isCode(this.#kernel, state.ip)) {
      // A call through a bad pointer has pushed its return address and nothing else.
      if (!isReturnAddress(this.#kernel, this.#word(state.sp))) {
        throw new Stop('failed', `${hex16(state.ip)} is no code, and was not called`);
      }
      this.#toCaller(state, state.sp + 8n, state.bp);
    } else {
      if (state.bp === undefined) throw new Stop('failed', `no ORC data for ${this.#name(state)}`);
      const bp = this.#word(state.bp);
      const note = 'no ORC data: found by the frame pointer';
      this.#toCaller(state, state.bp + 16n, bp, { note, reliable: false });
    }
    state.signal = false;
  }

  /** The stack pointer that the caller had before its call, or where the saved registers are. */
  #callerStack(state: State, entry: OrcEntry): bigint {
    const { spOffset } = entry;
    const offset = BigInt(spOffset);
    const known = (name: RegisterName): bigint => {
      const value = state.values?.[name];
      if (value === undefined) {
        throw new Stop('failed', `${this.#name(state)} needs ${name}, which is not saved`);
      }
      return value;
    };
    switch (entry.spRegister) {
      case OrcRegister.sp:
        return state.sp + offset;
      case OrcRegister.bp:
        return this.#framePointer(state) + offset;
      case OrcRegister.spIndirect:
        return this.#word(state.sp) + offset;
      case OrcRegister.bpIndirect:
        return this.#word(this.#framePointer(state) + offset);
      case OrcRegister.r10:
        return known('r10');
      case OrcRegister.r13:
        return known('r13');
      case OrcRegister.di:
        return known('rdi');
      case OrcRegister.dx:
        return known('rdx');
      default:
        throw new Stop('failed', `ORC of ${this.#name(state)} uses register ${entry.spRegister}`);
    }
  }

  #callerFrame(state: State, entry: OrcEntry, cfa: bigint): bigint | undefined {
    switch (entry.bpRegister) {
      case OrcRegister.undefined:
        return state.values?.rbp ?? state.bp;
      case OrcRegister.previousSp:
        return this.#word(cfa + BigInt(entry.bpOffset));
      case OrcRegister.bp:
        return this.#word(this.#framePointer(state) + BigInt(entry.bpOffset));
      default:
        throw new Stop('failed', `ORC of ${this.#name(state)} has a frame register unknown here`);
    }
  }

  #toCaller(
    state: State,
    cfa: bigint,
    bp: bigint | undefined,
    how: { note?: string; reliable?: boolean } = {},
  ): void {
    const slot = BigInt.asUintN(64, cfa - 8n);
    const ip = this.#word(slot);
    if (!isCode(this.#kernel, ip)) {
      throw new Stop('failed', `${hex16(ip)}, returned to at ${hex16(slot)}, is no code`);
    }
    this.#moveTo(state, slot, slot + 8n);
    Object.assign(state, { ip, bp, values: undefined });
    const { stack } = state;
    this.#frames.push({ origin: 'call', ip, slot, bp, stack, reliable: true, ...how });
  }

  #toInterrupted(
    state: State,
    at: bigint,
    bp: bigint | undefined,
    extent: 'full' | 'interrupt',
  ): void {
    this.#moveTo(state, at, at);
    const saved = readSavedRegisters(this.#kernel.memory, at, extent);
    this.#frames.at(-1)!.registers = saved;
    if (saved.userMode) throw new Stop('user');
    const { rip = 0n, cs = 0n, rsp = 0n } = saved.values;
    // A kernel thread that never was in user mode has registers of zeros.
    if (rip === 0n && cs === 0n) throw new Stop('kernel');
    const on = this.#stackOf(rsp) ?? this.#stackOf(rsp - 8n);
    const overflowed = on ? undefined : this.#stacks.find((stack) => overflows(stack, rsp));
    // An interrupt frame keeps what the registers before it had (state->prev_regs).
    const values = saved.full ? saved.values : { ...state.values, ...saved.values };
    Object.assign(state, { ip: rip, bp: saved.full ? saved.values.rbp : bp, values });
    this.#frames.push({
      origin: 'interrupted',
      ip: rip,
      slot: rsp,
      bp: state.bp,
      stack: on ?? overflowed,
      reliable: true,
      ...(overflowed && { note: `the stack pointer is below the ${overflowed.name}` }),
    });
    if (overflowed === undefined) this.#moveTo(state, rsp, rsp);
    else this.#enter(state, overflowed, rsp);
  }

  /**
   * Goes on at `sp` after reading at `at`: only upwards in a stack, and never back to a stack that
   * was left.
   */
  #moveTo(state: State, at: bigint, sp: bigint): void {
    const stack = this.#stackOf(at) ?? this.#stackOf(at - 8n);
    if (stack === undefined) throw new Stop('failed', `${hex16(at)} is on no stack known here`);
    if (stack === state.stack && at < state.sp) {
      throw new Stop('failed', `the stack pointer does not advance at ${hex16(state.sp)}`);
    }
    this.#enter(state, stack, sp);
  }

  #enter(state: State, stack: Stack, sp: bigint): void {
    if (stack !== state.stack) {
      if (this.#left.has(stack)) {
        throw new Stop('failed', `the ${stack.name} is entered for the second time`);
      }
      if (state.stack !== undefined) this.#left.add(state.stack);
    }
    state.stack = stack;
    state.sp = sp;
  }

  #stackOf(address: bigint): Stack | undefined {
    return this.#stacks.find((stack) => isOn(stack, address));
  }

  #framePointer(state: State): bigint {
    const bp = state.bp;
    if (bp === undefined) {
      throw new Stop('failed', `${this.#name(state)} needs rbp, which is not known`);
    }
    return bp;
  }

  /** A word of a stack; the kernel refuses to follow pointers to anywhere else, so do we. */
  #word(address: bigint): bigint {
    const at = BigInt.asUintN(64, address);
    if (this.#stackOf(at) === undefined) {
      throw new Stop('failed', `${hex16(at)} is on no stack known here`);
    }
    return this.#kernel.memory.u64(at);
  }

  #name(state: State): string {
    const found = this.#kernel.symbols.at(state.signal ? state.ip : state.ip - 1n);
    return found === undefined ? hex16(state.ip) : found.symbol.name;
  }
}

function usesFramePointer({ spRegister }: OrcEntry): boolean {
  return spRegister === OrcRegister.bp || spRegister === OrcRegister.bpIndirect;
}
