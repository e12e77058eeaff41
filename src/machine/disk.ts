/**
 * The machine's disk: sparse content, partitions, and a controller that is driven by polling. One
 * command is carried out at a time; the reset line forgets what was in flight. Time is the clock's.
 */

import { assert, DumpError } from '../bytes/errors.ts';
import type { Clock } from './clock.ts';
import type { HardwareProfile } from './hardware.ts';

export interface Partition {
  readonly name: string;
  readonly use: 'dump' | 'files';
  /** Bytes from the start of the disk, and length; multiples of 4096. */
  readonly start: number;
  readonly size: number;
}

export type DiskStatus = 'needs reset' | 'resetting' | 'busy' | 'ready';

export interface SavedDisk {
  readonly chunks: readonly (readonly [index: number, bytes: Uint8Array])[];
  readonly writes: readonly (readonly [start: number, end: number])[];
  readonly needsReset: boolean;
  readonly busyUntil: number;
  readonly commands: number;
}

const chunkSize = 64 * 1024;

export class Disk {
  readonly partitions: readonly Partition[];
  readonly #clock: Clock;
  readonly #profile: HardwareProfile['disk'];
  readonly #chunks = new Map<number, Uint8Array>();
  /** Merged byte ranges written since the instant, in order of writing. */
  #writes: [start: number, end: number][] = [];
  /** The crashed kernel's driver owns the controller: its queues are not ours. */
  #needsReset = true;
  #busyUntil = 0;
  #commands = 0;

  constructor(
    clock: Clock,
    profile: HardwareProfile['disk'],
    partitions: readonly Partition[],
    saved?: SavedDisk,
  ) {
    this.#clock = clock;
    this.#profile = profile;
    this.partitions = partitions;
    if (saved === undefined) return;
    for (const [index, bytes] of saved.chunks) this.#chunks.set(index, bytes.slice());
    this.#writes = saved.writes.map(([start, end]) => [start, end]);
    this.#needsReset = saved.needsReset;
    this.#busyUntil = saved.busyUntil;
    this.#commands = saved.commands;
  }

  /** The status register. */
  get status(): DiskStatus {
    const waiting = this.#clock.now < this.#busyUntil;
    if (this.#needsReset) return waiting ? 'resetting' : 'needs reset';
    return waiting ? 'busy' : 'ready';
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

  /** Pulls the reset line and polls until the controller takes commands. */
  reset(): void {
    this.#busyUntil = this.#clock.now + this.#profile.resetNs;
    this.#clock.spend(this.#profile.resetNs, 'disk reset');
    this.#needsReset = false;
  }

  /** Writes by as many commands as it takes, polling each to its end. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length);
    for (let done = 0; done < bytes.length; done += this.#profile.maxTransfer) {
      const part = bytes.subarray(done, done + this.#profile.maxTransfer);
      this.#command(part.length, 'disk write');
      this.#store(offset + done, part);
      this.#noteWrite(offset + done, offset + done + part.length);
    }
  }

  /** Reads without time: for the system that runs after the reboot, and for set-up. */
  peek(offset: number, length: number): Uint8Array {
    this.#check(offset, length);
    const result = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const at = offset + done;
      const start = at % chunkSize;
      const size = Math.min(chunkSize - start, length - done);
      const chunk = this.#chunks.get(Math.floor(at / chunkSize));
      if (chunk !== undefined) result.set(chunk.subarray(start, start + size), done);
      done += size;
    }
    return result;
  }

  save(): SavedDisk {
    const chunks = [...this.#chunks].map(([index, bytes]) => [index, bytes.slice()] as const);
    return {
      chunks: chunks.sort((a, b) => a[0] - b[0]),
      writes: this.#writes.map(([start, end]) => [start, end] as const),
      needsReset: this.#needsReset,
      busyUntil: this.#busyUntil,
      commands: this.#commands,
    };
  }

  #command(length: number, what: string): void {
    assert(!this.#needsReset, 'a command before the controller was reset');
    const ns = this.#profile.commandNs + (length / this.#profile.bytesPerSecond) * 1e9;
    this.#busyUntil = this.#clock.now + ns;
    this.#clock.spend(ns, what);
    this.#commands++;
  }

  #store(offset: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done;
      const index = Math.floor(at / chunkSize);
      const start = at % chunkSize;
      const size = Math.min(chunkSize - start, bytes.length - done);
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) {
        chunk = new Uint8Array(chunkSize);
        this.#chunks.set(index, chunk);
      }
      chunk.set(bytes.subarray(done, done + size), start);
      done += size;
    }
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
