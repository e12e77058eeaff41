/**
 * The machine's disk: sparse content, partitions, a controller that carries out one command at a
 * time, and what is wrong with it. Time is the clock's; how long to wait and what to do about a
 * command that does not end is for the driver that asks. What is written is kept and not copied:
 * nobody may change it any more.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import { type Extent, Extents } from '../bytes/extents.ts';
import type { Clock } from './clock.ts';
import type { HardwareProfile } from './hardware.ts';
import { Trace } from './trace.ts';

export interface Partition {
  readonly name: string;
  readonly use: 'dump' | 'files';
  /** Bytes from the start of the disk, and length; multiples of 4096. */
  readonly start: number;
  readonly size: number;
}

/** What is wrong with the disk. Plain data. */
export interface DiskCondition {
  /** Commands of the crashed kernel that the controller still carries out; a reset aborts them. */
  inFlight: number;
  /** Whether commands end: always, after a reset, never again. */
  hung: 'no' | 'until reset' | 'for good';
  /** 1 is healthy; every command takes this many times as long. */
  slowdown: number;
  /** Bytes of the disk; a write that touches one fails with a medium error. */
  badSectors: { start: number; end: number }[];
}

/** What the status register says. */
export type DiskStatus = 'needs reset' | 'busy' | 'ready';

/** How a write ended, and how many bytes of it are on the disk. */
export interface WriteResult {
  readonly result: 'ok' | 'medium error' | 'no answer';
  readonly done: number;
}

export interface SavedDisk {
  readonly extents: readonly Extent[];
  readonly writes: readonly (readonly [start: number, end: number])[];
  readonly needsReset: boolean;
  readonly commands: number;
  readonly condition: DiskCondition;
}

/** Bytes of a command of the crashed kernel: what a file system usually asks for. */
const usualTransfer = 64 * 1024;

export class Disk {
  readonly partitions: readonly Partition[];
  condition: DiskCondition;
  readonly #clock: Clock;
  readonly #profile: HardwareProfile['disk'];
  readonly #trace: Trace;
  readonly #content: Extents;
  /** Merged byte ranges written since the instant, in order of writing. */
  readonly #writes: [start: number, end: number][];
  /** The crashed kernel's driver owns the controller: its queues are not ours. */
  #needsReset: boolean;
  #commands: number;

  constructor(
    clock: Clock,
    profile: HardwareProfile['disk'],
    partitions: readonly Partition[],
    saved?: SavedDisk,
    trace?: Trace,
  ) {
    this.#clock = clock;
    this.#profile = profile;
    this.#trace = trace ?? new Trace();
    this.partitions = partitions;
    this.#content = new Extents(saved?.extents);
    this.#writes = (saved?.writes ?? []).map(([start, end]) => [start, end]);
    this.#needsReset = saved?.needsReset ?? true;
    this.#commands = saved?.commands ?? 0;
    this.condition = saved === undefined ? healthy() : copyOf(saved.condition);
  }

  /** The status register. */
  get status(): DiskStatus {
    if (this.condition.hung !== 'no') return 'busy';
    if (this.#needsReset) return this.condition.inFlight > 0 ? 'busy' : 'needs reset';
    return 'ready';
  }

  get commands(): number {
    return this.#commands;
  }

  /** The bytes written since the instant, as ranges of the disk. */
  get writes(): readonly (readonly [start: number, end: number])[] {
    return this.#writes;
  }

  partition(use: Partition['use']): Partition {
    const found = this.partitions.find((partition) => partition.use === use);
    assert(found !== undefined, `the disk has a partition for ${use}`);
    return found;
  }

  /**
   * Polls the status until what the crashed kernel had in flight is done, at most `limitNs`; false:
   * it is not.
   */
  drain(limitNs: number): boolean {
    const { condition } = this;
    if (condition.inFlight === 0) return true;
    const each = this.#commandNs(usualTransfer);
    const needed = condition.hung === 'no' ? each * condition.inFlight : Number.POSITIVE_INFINITY;
    const isDone = needed <= limitNs;
    this.#spend(isDone ? needed : limitNs, 'commands in flight');
    if (isDone) condition.inFlight = 0;
    else if (condition.hung === 'no') condition.inFlight -= Math.floor(limitNs / each);
    return isDone;
  }

  /**
   * The driver of the kernel that runs goes on with its own queues. What it sends waits for what is
   * in flight.
   */
  useQueues(): void {
    this.#needsReset = false;
  }

  /** Pulls the reset line; false: the controller does not come back. Aborts what is in flight. */
  reset(): boolean {
    this.#spend(this.#profile.resetNs, 'reset');
    if (this.condition.hung === 'for good') return false;
    this.condition.hung = 'no';
    this.condition.inFlight = 0;
    this.#needsReset = false;
    return true;
  }

  /**
   * Writes parts one after the other by as many commands as it takes. `limitNs`: how long the
   * driver waits for each. The parts must not change any more.
   */
  write(
    offset: number,
    content: Uint8Array | readonly Uint8Array[],
    limitNs = Number.POSITIVE_INFINITY,
  ): WriteResult {
    assert(!this.#needsReset, 'a command before the controller was reset');
    const parts = content instanceof Uint8Array ? [content] : content;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#check(offset, length);
    let done = 0;
    let result: WriteResult['result'] = 'ok';
    try {
      while (done < length && result === 'ok') {
        const size = Math.min(this.#profile.maxTransfer, length - done);
        const bad = this.#firstBad(offset + done, offset + done + size);
        result = this.#command(size, bad, limitNs);
        if (result === 'ok') done += size;
        if (result === 'medium error') done = Math.max(done, bad! - offset);
      }
    } finally {
      this.#store(offset, parts, done);
    }
    return { result, done };
  }

  /**
   * Reads without time: for the system that runs after the reboot, and for set-up. The very array
   * that was written where the request is exactly that; read-only.
   */
  peek(offset: number, length: number): Uint8Array {
    this.#check(offset, length);
    return this.#content.read(offset, length);
  }

  /** As `peek`, by the arrays that were written; offsets are from the start of the range. */
  pieces(offset: number, length: number): Iterable<Extent> {
    this.#check(offset, length);
    return this.#content.within(offset, length);
  }

  save(): SavedDisk {
    return {
      extents: [...this.#content.pieces],
      writes: this.#writes.map(([start, end]) => [start, end] as const),
      needsReset: this.#needsReset,
      commands: this.#commands,
      condition: copyOf(this.condition),
    };
  }

  #command(size: number, bad: number | undefined, limitNs: number): WriteResult['result'] {
    const { hung, slowdown } = this.condition;
    const work = bad === undefined ? 0 : this.#profile.mediumErrorNs * slowdown;
    const needed = hung === 'no' ? this.#commandNs(size) + work : Number.POSITIVE_INFINITY;
    this.#commands++;
    if (needed > limitNs) {
      this.#spend(limitNs, 'no answer');
      return 'no answer';
    }
    if (needed === Number.POSITIVE_INFINITY) {
      this.#clock.hang('the disk does not complete a command, and nobody gives up', 'disk');
    }
    this.#spend(needed, 'write');
    return bad === undefined ? 'ok' : 'medium error';
  }

  #commandNs(size: number): number {
    const { commandNs, bytesPerSecond } = this.#profile;
    return (commandNs + (size / bytesPerSecond) * 1e9) * this.condition.slowdown;
  }

  #spend(ns: number, what: string): void {
    const start = this.#clock.now;
    this.#clock.spend(ns, `disk ${what}`);
    this.#trace.span('disk', start, this.#clock.now, what);
    this.#trace.listener?.({ ns: start, what: 'disk', name: what });
  }

  /** The first bad byte from `start` to `end`, by whole sectors. */
  #firstBad(start: number, end: number): number | undefined {
    let first: number | undefined;
    for (const bad of this.condition.badSectors) {
      if (bad.start >= end || bad.end <= start) continue;
      const at = Math.max(start, bad.start);
      const sector = Math.max(start, at - (at % this.#profile.sectorSize));
      if (first === undefined || sector < first) first = sector;
    }
    return first;
  }

  /** The first `length` bytes of the parts. */
  #store(offset: number, parts: readonly Uint8Array[], length: number): void {
    if (length === 0) return;
    this.#content.write(offset, firstBytes(parts, length));
    this.#noteWrite(offset, offset + length);
  }

  #noteWrite(start: number, end: number): void {
    const last = this.#writes.at(-1);
    if (last !== undefined && last[1] === start) last[1] = end;
    else this.#writes.push([start, end]);
  }

  #check(offset: number, length: number): void {
    const last = this.partitions.at(-1)!;
    const size = last.start + last.size;
    if (offset >= 0 && offset + length <= size) return;
    throw new DumpError('io', `disk: ${length} bytes at ${offset} reach past its end, ${size}`);
  }
}

/** Partitions one after the other, from 1 MB on. */
export function partitionsOf(
  sizes: readonly { readonly use: Partition['use']; readonly size: number }[],
): Partition[] {
  let start = 1024 * 1024;
  return sizes.map(({ use, size }, index) => {
    const partition = { name: `sda${index + 1}`, use, start, size: Math.ceil(size / 4096) * 4096 };
    start += partition.size;
    return partition;
  });
}

function healthy(): DiskCondition {
  return { inFlight: 0, hung: 'no', slowdown: 1, badSectors: [] };
}

function copyOf(condition: DiskCondition): DiskCondition {
  return { ...condition, badSectors: condition.badSectors.map((range) => ({ ...range })) };
}

function firstBytes(parts: readonly Uint8Array[], length: number): Uint8Array[] {
  const kept: Uint8Array[] = [];
  let left = length;
  for (const part of parts) {
    kept.push(part.length <= left ? part : part.subarray(0, left));
    left -= kept.at(-1)!.length;
    if (left === 0) break;
  }
  return kept;
}
