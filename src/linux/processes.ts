/** A process's memory: how much it has, and the arguments that lie at the top of its stack. */

import { DumpError } from '../bytes/errors.ts';
import { cstring } from '../bytes/text.ts';
import type { AddressSpace } from './memory.ts';
import { hasMember, type KernelObject, memberAddress, type ObjectMemory } from './objects.ts';
import { basePageSize } from './paging.ts';

/** What these functions need of the kernel; `KernelCore` is one. */
export interface ProcessKernel extends ObjectMemory {
  readonly cpus: readonly number[];
  addressSpace(pgd: bigint): AddressSpace;
  perCpuOffset(cpu: number): bigint;
}

export interface MemoryUse {
  /** Bytes of all its mappings. */
  readonly virtualBytes: number;
  /** Bytes of its pages in memory: file, anonymous and shared ones. */
  readonly residentBytes: number;
}

/** MAX_ARG_STRINGS and more: an argument area is a part of the stack. */
const maxArgumentBytes = 8 * 1024 * 1024;

/** Undefined for a kernel thread: it has no memory of its own. */
export function memoryUse(
  kernel: ProcessKernel,
  task: KernelObject,
  threads: readonly KernelObject[],
): MemoryUse | undefined {
  const { mm } = task;
  return mm === null ? undefined : spaceUse(kernel, mm, threads);
}

/** The same of an mm_struct, with what `threads` have not added to it yet. */
export function spaceUse(
  kernel: ProcessKernel,
  mm: KernelObject,
  threads: readonly KernelObject[],
): MemoryUse {
  let pages = 0n;
  for (const index of residentCounters) {
    let count = mmCounter(kernel, mm, index);
    // Up to v6.2 each thread keeps what it has not added to the mm yet (SPLIT_RSS_COUNTING,
    // removed by f1a7941243c1 "mm: convert mm's rss stats into percpu_counter").
    for (const thread of threads) {
      if (hasMember(thread, 'rss_stat')) count += BigInt(thread.rss_stat.count[index]);
    }
    if (count > 0n) pages += count;
  }
  return {
    virtualBytes: Number(mm.total_vm) * basePageSize,
    residentBytes: Number(pages) * basePageSize,
  };
}

/**
 * MM_FILEPAGES, MM_ANONPAGES and MM_SHMEMPAGES; 2 counts swap entries. The enum is anonymous; its
 * values are these since v4.5 (eca56ff906bd "mm, shmem: add internal shmem resident memory
 * accounting").
 */
const residentCounters = [0, 1, 3];

function mmCounter(kernel: ProcessKernel, mm: KernelObject, index: number): bigint {
  const stat = mm.rss_stat;
  if (!hasMember(mm, 'rss_stat.count')) {
    // Since v6.2 an array of struct percpu_counter.
    const counter = stat[index];
    let sum = BigInt(counter.count);
    const perCpu = kernel.memory.u64(memberAddress(counter, 'counters'));
    for (const cpu of kernel.cpus) {
      sum += BigInt(kernel.memory.i32(BigInt.asUintN(64, perCpu + kernel.perCpuOffset(cpu))));
    }
    return sum;
  }
  return BigInt(stat.count[index].counter);
}

/** The memory that a process sees; undefined for a kernel thread, which has none of its own. */
export function userMemory(kernel: ProcessKernel, task: KernelObject): AddressSpace | undefined {
  const { mm } = task;
  if (mm === null) return undefined;
  return kernel.addressSpace(kernel.memory.u64(memberAddress(mm, 'pgd')));
}

export interface ProcessArguments {
  readonly args: readonly string[];
  readonly environment: readonly string[];
}

/**
 * The command line and environment of a process, from its own memory. Throws `excluded` where a
 * filter left user pages out, `absent` where they were swapped out; undefined for kernel threads.
 */
export function processArguments(
  kernel: ProcessKernel,
  task: KernelObject,
): ProcessArguments | undefined {
  const memory = userMemory(kernel, task);
  if (memory === undefined) return undefined;
  const { mm } = task;
  return {
    args: strings(memory, mm.arg_start, mm.arg_end),
    environment: strings(memory, mm.env_start, mm.env_end),
  };
}

function strings(memory: AddressSpace, start: bigint, end: bigint): string[] {
  const length = Number(end - start);
  // A process in the middle of execve() has its start but not its end yet; the kernel's own
  // /proc/PID/cmdline is empty then.
  if (length <= 0) return [];
  if (length > maxArgumentBytes) {
    throw new DumpError('corrupt', `an argument area of ${length} bytes`, {
      where: { virtual: start },
    });
  }
  const bytes = memory.read(start, length);
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    const stop = end < 0 ? bytes.length : end;
    found.push(cstring(bytes.subarray(at, stop)));
    at = stop + 1;
  }
  return found;
}
