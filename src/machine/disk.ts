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
import { type Holding, standing } from './holding.ts';
import { Trace } from './trace.ts';
import { type CachedWrite, WriteCache } from './write-cache.ts';

export interface Partition {
  /** `sda1`. */
  readonly name: string;
  readonly use: 'dump' | 'files';
  /** What stands on it when the machine is made. */
  readonly holds: Holding;
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
  /** On: a write is done when it is in the disk's own memory, which needs power. */
  writeCache: 'off' | 'on';
}

/** What the status register says. */
export type DiskStatus = 'needs reset' | 'busy' | 'ready';

/** How a write ended, and how many bytes of it are on the disk. */
export interface WriteResult {
  readonly result: 'ok' | 'medium error' | 'no answer';
  readonly done: number;
}

export interface ReadResult {
  readonly result: 'ok' | 'no answer';
  /** Empty without an answer; read-only. */
  readonly bytes: Uint8Array;
}

/** A disk as the system finds it that runs after the reboot. */
export interface DiskContent {
  readonly partitions: readonly Partition[];
  /** The first one of this use. */
  partition(use: Partition['use']): Partition;
  peek(offset: number, length: number): Uint8Array;
  pieces(offset: number, length: number): Iterable<Extent>;
  format(partition: Partition, holding: Holding): void;
}

export interface SavedDisk {
  /** On the medium. */
  readonly extents: readonly Extent[];
  readonly cache: readonly CachedWrite[];
  readonly lostBytes: number;
  /** What stood on the partitions, in their order. */
  readonly holdings: readonly Holding[];
  readonly writes: readonly (readonly [start: number, end: number])[];
  readonly needsReset: boolean;
  readonly commands: number;
  readonly condition: DiskCondition;
}

/** Bytes of a command of the crashed kernel: what a file system usually asks for. */
const usualTransfer = 64 * 1024;

export class Disk implements DiskContent {
  readonly partitions: readonly Partition[];
  condition: DiskCondition;
  readonly #holdings: Holding[];
  readonly #clock: Clock;
  readonly #profile: HardwareProfile['disk'];
  readonly #trace: Trace;
  /** What pictures call it. */
  readonly #lane: string;
  /** What no loss of power takes away. */
  #medium: Extents;
  readonly #cache: WriteCache;
  #lostBytes: number;
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
    lane?: string,
  ) {
    this.#clock = clock;
    this.#profile = profile;
    this.#trace = trace ?? new Trace();
    this.#lane = lane ?? 'disk';
    this.partitions = partitions;
    this.#holdings = [...(saved?.holdings ?? partitions.map((partition) => partition.holds))];
    this.#medium = new Extents(saved?.extents);
    this.#cache = new WriteCache(profile, saved?.cache);
    this.#lostBytes = saved?.lostBytes ?? 0;
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

  /** The first one of this use. */
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
        result = this.#writeCommand(size, bad, limitNs);
        if (result === 'ok') done += size;
        if (result === 'medium error') done = Math.max(done, bad! - offset);
      }
    } finally {
      this.#store(offset, parts, done);
    }
    return { result, done };
  }

  /** Reads by as many commands as it takes. */
  read(offset: number, length: number, limitNs = Number.POSITIVE_INFINITY): ReadResult {
    const result = this.skim(length, limitNs);
    return { result, bytes: result === 'ok' ? this.peek(offset, length) : new Uint8Array(0) };
  }

  /** The commands of a read, for who knows what it would give. */
  skim(length: number, limitNs = Number.POSITIVE_INFINITY): ReadResult['result'] {
    assert(!this.#needsReset, 'a command before the controller was reset');
    for (let done = 0; done < length; done += this.#profile.maxTransfer) {
      const size = Math.min(this.#profile.maxTransfer, length - done);
      const result = this.#command('read', this.#commandNs(size), limitNs);
      if (result !== 'ok') return result;
    }
    return 'ok';
  }

  /**
   * SYNCHRONIZE CACHE: what is in the cache goes to the medium. A disk without one is not asked.
   */
  synchronize(limitNs = Number.POSITIVE_INFINITY): 'ok' | 'no answer' {
    if (this.condition.writeCache === 'off') return 'ok';
    const result = this.#command('synchronize', this.#commandNs(this.#cache.bytes), limitNs);
    if (result === 'ok') this.settle();
    return result;
  }

  /** A disk that keeps its power brings its cache to the medium by itself, sooner or later. */
  settle(): void {
    this.#cache.drain(this.#medium);
  }

  /** The power is gone: what was in the cache is lost. */
  losePower(): void {
    this.#cache.age(this.#medium, this.#clock.now);
    this.#lostBytes += this.#cache.bytes;
    this.#cache.clear();
  }

  /** Bytes that were written, and were in the cache when the power failed. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /**
   * Reads without time: for the system that runs after the reboot, and for set-up. The very array
   * that was written where the request is exactly that; read-only.
   */
  peek(offset: number, length: number): Uint8Array {
    this.#check(offset, length);
    const written = this.#cache.over(this.#medium);
    const exact = written.exactly(offset, length);
    if (exact !== undefined) return exact;
    const bytes = this.#stood(offset, length);
    for (const [at, piece] of written.within(offset, length)) bytes.set(piece, at);
    return bytes;
  }

  /** As `peek`, by the arrays that were written; offsets are from the start of the range. */
  pieces(offset: number, length: number): Iterable<Extent> {
    this.#check(offset, length);
    return this.#cache.over(this.#medium).within(offset, length);
  }

  /** What stands on a partition where nothing was written. */
  holding(partition: Partition): Holding {
    return this.#holdings[this.partitions.indexOf(partition)]!;
  }

  /** What stands in a range of one partition that nobody wrote to, and from where on. */
  untouched(
    offset: number,
    length: number,
  ): { readonly holding: Holding; readonly start: number } | undefined {
    const isAround = ({ start, size }: Partition): boolean =>
      offset >= start && offset + length <= start + size;
    const partition = this.partitions.find(isAround);
    if (partition === undefined) return undefined;
    for (const _ of this.pieces(offset, length)) return undefined;
    return { holding: this.holding(partition), start: partition.start };
  }

  /** Whatever was on a partition is gone: for set-up, and for the system after the reboot. */
  format(partition: Partition, holding: Holding): void {
    const { start, size } = partition;
    const isOutside = ([at]: Extent): boolean => at < start || at >= start + size;
    this.settle();
    this.#medium = new Extents(this.#medium.pieces.filter(isOutside));
    this.#holdings[this.partitions.indexOf(partition)] = holding;
  }

  save(): SavedDisk {
    return {
      extents: [...this.#medium.pieces],
      cache: this.#cache.save(),
      holdings: [...this.#holdings],
      lostBytes: this.#lostBytes,
      writes: this.#writes.map(([start, end]) => [start, end] as const),
      needsReset: this.#needsReset,
      commands: this.#commands,
      condition: copyOf(this.condition),
    };
  }

  #writeCommand(size: number, bad: number | undefined, limitNs: number): WriteResult['result'] {
    const work = bad === undefined ? 0 : this.#profile.mediumErrorNs * this.condition.slowdown;
    const result = this.#command('write', this.#commandNs(size) + work, limitNs);
    return result === 'ok' && bad !== undefined ? 'medium error' : result;
  }

  /** `workNs`: what it takes where the disk answers at all. */
  #command(what: string, workNs: number, limitNs: number): 'ok' | 'no answer' {
    const needed = this.condition.hung === 'no' ? workNs : Number.POSITIVE_INFINITY;
    this.#commands++;
    if (needed > limitNs) {
      this.#spend(limitNs, 'no answer');
      return 'no answer';
    }
    if (needed === Number.POSITIVE_INFINITY) {
      this.#clock.hang('the disk does not complete a command, and nobody gives up', 'disk');
    }
    this.#spend(needed, what);
    return 'ok';
  }

  #commandNs(size: number): number {
    const { commandNs, bytesPerSecond } = this.#profile;
    return (commandNs + (size / bytesPerSecond) * 1e9) * this.condition.slowdown;
  }

  #spend(ns: number, what: string): void {
    const start = this.#clock.now;
    this.#clock.spend(ns, `${this.#lane} ${what}`);
    this.#trace.span(this.#lane, start, this.#clock.now, what);
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
    const kept = firstBytes(parts, length);
    if (this.condition.writeCache === 'off') this.#medium.write(offset, kept);
    else
      this.#cache.add(this.#medium, { atNs: this.#clock.now, offset, bytes: length, parts: kept });
    this.#noteWrite(offset, offset + length);
  }

  /** What stood in a range before anything was written there: a new array. */
  #stood(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (const [index, { start, size }] of this.partitions.entries()) {
      const from = Math.max(offset, start);
      const end = Math.min(offset + length, start + size);
      const holding = this.#holdings[index]!;
      if (from >= end || holding === 'nothing') continue;
      bytes.set(standing(holding, from - start, end - from), from - offset);
    }
    return bytes;
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

/** Partitions one after the other, from 1 MB on. `disk`: `sda`. */
export function partitionsOf(
  disk: string,
  wanted: readonly Pick<Partition, 'use' | 'size' | 'holds'>[],
): Partition[] {
  let start = 1024 * 1024;
  return wanted.map(({ use, size, holds }, index) => {
    const name = `${disk}${index + 1}`;
    const partition = { name, use, holds, start, size: Math.ceil(size / 4096) * 4096 };
    start += partition.size;
    return partition;
  });
}

function healthy(): DiskCondition {
  return { inFlight: 0, hung: 'no', slowdown: 1, badSectors: [], writeCache: 'off' };
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
