/**
 * Every backtrace that a stack holds, the live one and what calls before it left there: from each
 * word that looks like a return address, as far as ORC leads from it. Old traces may be mixtures
 * of several calls: they show what ran here, not in which order.
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import { backtrace, describeFrame, type Frame } from './backtrace.ts';
import type { KernelCore } from './core.ts';
import { addressOf, type KernelObject } from './objects.ts';
import { type OrcEntry, OrcLookup } from './orc.ts';
import { type Stack, StackTable } from './stacks.ts';
import { isReturnAddress } from './text.ts';
import { Unwinder } from './unwind.ts';

export interface FoundTrace {
  readonly frames: readonly Frame[];
  /** It leads to user mode or to the kernel's first frame. */
  readonly complete: boolean;
}

/** A word of the stack that is the address behind a call. */
export interface FoundAddress {
  readonly slot: bigint;
  readonly address: bigint;
}

export interface StackSearch {
  readonly stack: Stack;
  readonly addresses: readonly FoundAddress[];
  /** The live one first; none that leads to the end is a part of another. */
  readonly traces: readonly FoundTrace[];
  /** Words that the dump does not hold. */
  readonly missingWords: number;
  /** How often the tables that lead on from a frame were not in the dump. */
  readonly missingEntries: number;
  /** Addresses that may be those behind a call: the text before them is not in the dump. */
  readonly missingText: number;
  /** Why the first of them is not there. */
  readonly problem: DumpError | undefined;
}

/** Searches the stack of a task. Throws `absent` where it has none any more. */
export function searchStack(kernel: KernelCore, task: KernelObject): StackSearch {
  const virtual = addressOf(task);
  const stack = new StackTable(kernel).ofTask(virtual);
  if (stack === undefined) {
    throw new DumpError('absent', 'the task has no stack any more', { where: { virtual } });
  }
  const search = new Search(kernel, stack);
  search.add(backtrace(kernel, { task }));
  for (let slot = stack.start; slot < stack.end; slot += 8n) search.tryFrom(slot);
  return search;
}

class Search implements StackSearch {
  readonly stack: Stack;
  readonly addresses: FoundAddress[] = [];
  readonly traces: FoundTrace[] = [];
  missingWords = 0;
  missingEntries = 0;
  missingText = 0;
  problem: DumpError | undefined;
  readonly #kernel: KernelCore;
  readonly #orc: OrcLookup;
  /** Slots of return addresses that are part of a trace. */
  readonly #inComplete = new Set<bigint>();
  readonly #inBroken = new Set<bigint>();

  constructor(kernel: KernelCore, stack: Stack) {
    this.#kernel = kernel;
    this.#orc = new OrcLookup(kernel);
    this.stack = stack;
  }

  add({ frames, complete }: FoundTrace): void {
    if (frames.length === 0) return;
    const seen = complete ? this.#inComplete : this.#inBroken;
    for (const { stackPointer } of frames) seen.add(stackPointer);
    this.traces.push({ frames, complete });
  }

  tryFrom(slot: bigint): void {
    const ip = this.#wordAt(slot);
    if (ip === undefined || !isReturnAddress(this.#kernel, ip, this.#unread)) return;
    this.addresses.push({ slot, address: ip });
    if (this.#inComplete.has(slot)) return;
    // One budget for each: a stack holds so few that all together stay bounded.
    const orc = { find: (address: bigint) => this.#entryOf(address) };
    const unwinder = new Unwinder(this.#kernel, orc, [this.stack]);
    const { frames, end } = unwinder.unwind({ ip, sp: slot + 8n, signal: false, slot });
    const complete = end !== 'failed';
    // A trace that breaks off may have met it with a wrong rbp: then from here it goes on.
    if (!complete && this.#inBroken.has(slot)) return;
    const described = frames.map((frame, index) => describeFrame(this.#kernel, frame, index));
    this.add({ frames: described, complete });
  }

  readonly #unread = (problem: DumpError): void => {
    this.missingText++;
    this.problem ??= problem;
  };

  #entryOf(address: bigint): OrcEntry | undefined {
    try {
      return this.#orc.find(address);
    } catch (error) {
      if (error instanceof DumpError) {
        this.missingEntries++;
        this.problem ??= error;
      }
      throw error;
    }
  }

  #wordAt(slot: bigint): bigint | undefined {
    return attempt(
      () => this.#kernel.memory.u64(slot),
      (error) => {
        this.missingWords++;
        this.problem ??= error;
      },
    );
  }
}
