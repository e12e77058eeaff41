/** The system as a whole: who it is, how big, how long it ran, how busy it was. */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { Utsname } from '../dump/types.ts';
import { NewUtsname } from '../dump/utsname.ts';
import type { KernelCore } from './core.ts';
import { utsnameOffsets } from './vmcoreinfo.ts';

export interface SystemInfo {
  readonly uts: Utsname;
  readonly cpusPossible: number;
  readonly cpusPresent: number;
  readonly cpusOnline: number;
  /** Seconds since 1970 when the dump was taken, by the kernel's own clock. */
  readonly time: number | undefined;
  /** Seconds since boot. */
  readonly uptime: number | undefined;
  /** Over one, five and fifteen minutes. */
  readonly loadAverage: readonly [number, number, number] | undefined;
  readonly cpuMegahertz: number | undefined;
  /** Bytes of RAM that the kernel manages. */
  readonly memoryBytes: number | undefined;
  readonly tainted: bigint | undefined;
  /** What could not be read. */
  readonly problems: readonly DumpError[];
}

/** FSHIFT, include/linux/sched/loadavg.h: fixed point with 11 fractional bits. */
const loadScale = 2048;

export function systemInfo(kernel: KernelCore): SystemInfo {
  const problems: DumpError[] = [];
  const part = <T>(read: () => T): T | undefined =>
    attempt(read, (problem) => problems.push(problem));
  const clock = part(() => timekeeper(kernel));
  return {
    uts: utsname(kernel),
    cpusPossible: kernel.cpus.length,
    cpusPresent: part(() => kernel.cpuMask('__cpu_present_mask').length) ?? 0,
    cpusOnline: part(() => kernel.cpuMask('__cpu_online_mask').length) ?? 0,
    time: clock?.time,
    uptime: clock?.uptime,
    loadAverage: part(() => loadAverage(kernel)),
    cpuMegahertz: part(() => Math.trunc(kernel.variable('cpu_khz') / 1000)),
    memoryBytes: part(() => presentPages(kernel) * kernel.dump.pageSize),
    tainted: part(() => kernel.variable('tainted_mask') as bigint),
    problems,
  };
}

/** From VMCOREINFO's own addresses: needs neither symbols nor types. */
export function utsname(kernel: KernelCore): Utsname {
  const start = kernel.symbolAddress('init_uts_ns');
  if (start === undefined) throw new DumpError('absent', 'the kernel has no symbol "init_uts_ns"');
  const told = kernel.vmcoreinfo.offset('uts_namespace.name');
  const places = told === undefined ? utsnameOffsets : [told];
  const found = places.map((at) =>
    NewUtsname.read(kernel.memory.read(start + BigInt(at), NewUtsname.size)),
  );
  return found.find(({ sysname }) => sysname === 'Linux') ?? found[0]!;
}

function timekeeper(kernel: KernelCore): { time: number; uptime: number } {
  const clock = kernel.object('struct timekeeper', timekeeperAddress(kernel));
  return { time: Number(clock.xtime_sec), uptime: Number(clock.ktime_sec) };
}

/** Where the kernel's struct timekeeper stands. `absent` without its symbol or type. */
export function timekeeperAddress(kernel: KernelCore): bigint {
  // `tk_core` is a sequence counter and a struct timekeeper; the struct around them has had a name
  // in BTF since v6.13 (struct tk_data). Before that the counter takes 8 bytes with its padding.
  const within = kernel.types.isInKernel('struct tk_data')
    ? kernel.types.offsetOf('struct tk_data', 'timekeeper')
    : 8;
  return kernel.symbol('tk_core').address + BigInt(within);
}

function loadAverage(kernel: KernelCore): [number, number, number] {
  const view = kernel.memory.view(kernel.symbol('avenrun').address, 24);
  const average = (index: number): number => Number(view.getBigUint64(index * 8, true)) / loadScale;
  return [average(0), average(1), average(2)];
}

/** Pages of all zones of all memory nodes. */
export function presentPages(kernel: KernelCore): number {
  let pages = 0;
  for (const node of memoryNodes(kernel)) {
    const data = kernel.object('struct pglist_data', node);
    pages += Number(data.node_present_pages);
  }
  return pages;
}

/** Addresses of each memory node's struct pglist_data. */
export function memoryNodes(kernel: KernelCore): bigint[] {
  // Without CONFIG_NUMA there is one, a variable by itself.
  const single = kernel.symbols.inKernel('contig_page_data');
  if (single !== undefined) return [single.address];
  const table = kernel.symbol('node_data').address;
  const count = kernel.vmcoreinfo.length('node_data') ?? 1;
  const nodes: bigint[] = [];
  for (let node = 0; node < Math.min(count, 1024); node++) {
    const address = kernel.memory.u64(table + BigInt(node) * 8n);
    if (address !== 0n) nodes.push(address);
  }
  return nodes;
}
