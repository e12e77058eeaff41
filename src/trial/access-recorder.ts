/** Records what a method reads of the crashed kernel, byte by byte, and as what. */

import type { AccessWatcher } from '../dump/types.ts';
import type { TraceEvent } from '../machine/trace.ts';

/** From the least to the most delicate. */
export const accessKinds = ['data', 'page table', 'code'] as const;
export type AccessKind = (typeof accessKinds)[number];

/** A bit each, of one byte of memory. */
const bits: Readonly<Record<AccessKind, number>> = { data: 1, 'page table': 2, code: 4 };
const pageSize = 4096;

/** What was read, by page frame: a byte for each byte of the page. */
export class AccessMap {
  readonly #pages = new Map<number, Uint8Array>();

  add(pfn: number, start: number, end: number, kind: AccessKind): void {
    let page = this.#pages.get(pfn);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      this.#pages.set(pfn, page);
    }
    for (let at = start; at < end; at++) page[at]! |= bits[kind];
  }

  /** Ascending. */
  get pfns(): number[] {
    return [...this.#pages.keys()].sort((a, b) => a - b);
  }

  /** The bytes of one page that were read as each kind. */
  count(pfn: number): Record<AccessKind, number> {
    const counts = { data: 0, 'page table': 0, code: 0 };
    for (const byte of this.#pages.get(pfn) ?? []) {
      if ((byte & bits.data) !== 0) counts.data++;
      if ((byte & bits['page table']) !== 0) counts['page table']++;
      if ((byte & bits.code) !== 0) counts.code++;
    }
    return counts;
  }

  /** Was this byte read, as whatever? */
  has(physical: number): boolean {
    return (this.#pages.get(Math.floor(physical / pageSize))?.[physical % pageSize] ?? 0) !== 0;
  }
}

/** What one stage read, or all of them. */
export class Accesses {
  readonly map = new AccessMap();
  readonly functions = new Set<string>();
  /** Type and address of each object: `struct request_queue 0x...`. */
  readonly objects = new Map<string, Set<bigint>>();
  readonly variables = new Set<string>();
  readonly locks = new Map<string, bigint>();
}

/** Stage by stage, and everything together. */
export class AccessRecorder implements AccessWatcher {
  readonly whole = new Accesses();
  readonly stages: { readonly name: string; readonly accesses: Accesses }[] = [];
  /** CPUs that were sent an interrupt that cannot be masked, or one that can. */
  readonly interrupted = new Set<number>();
  #isCode = false;

  begin(stage: string): void {
    this.stages.push({ name: stage, accesses: new Accesses() });
  }

  onRead(pfn: number, start: number, end: number, as: 'page table' | 'data'): void {
    const kind = as === 'data' && this.#isCode ? 'code' : as;
    for (const { map } of this.#now()) map.add(pfn, start, end, kind);
  }

  onObject(type: string, address: bigint): void {
    for (const { objects } of this.#now()) {
      const known = objects.get(type);
      if (known === undefined) objects.set(type, new Set([address]));
      else known.add(address);
    }
  }

  onLock(name: string, address: bigint): void {
    for (const { locks } of this.#now()) locks.set(name, address);
  }

  onExecute(name: string): void {
    for (const { functions } of this.#now()) functions.add(name);
    this.#isCode = true;
  }

  onExecuted(): void {
    this.#isCode = false;
  }

  /** Of the machine's trace: variables that a CPU reads by name, and whom it interrupts. */
  readonly onEvent = ({ what, name, cpu, detail }: TraceEvent): void => {
    const isVariable = what === 'read' && !name.includes('.');
    if (isVariable) for (const { variables } of this.#now()) variables.add(name);
    if ((what === 'nmi' || what === 'interrupt') && cpu !== undefined && detail !== undefined) {
      this.interrupted.add(cpu);
    }
  };

  #now(): readonly Accesses[] {
    const stage = this.stages.at(-1);
    return stage === undefined ? [this.whole] : [this.whole, stage.accesses];
  }
}
