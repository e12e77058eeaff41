/** `ps -r`: resource limits of a process. */

import { DumpError } from '../bytes/errors.ts';
import type { KernelObject } from '../linux/objects.ts';
import { centered } from './columns.ts';
import type { Json } from './command.ts';
import { type TaskEntry, taskHeader } from './tasks.ts';

/** By number: include/uapi/asm-generic/resource.h. */
const names = [
  'CPU', 'FSIZE', 'DATA', 'STACK', 'CORE', 'RSS', 'NPROC', 'NOFILE', 'MEMLOCK', 'AS', 'LOCKS',
  'SIGPENDING', 'MSGQUEUE', 'NICE', 'RTPRIO', 'RTTIME',
]; // biome-ignore format: one list

const infinity = 2n ** 64n - 1n;

export interface Limit {
  readonly name: string;
  readonly current: bigint;
  readonly maximum: bigint;
}

/** Throws DumpErrors. */
export function limitsOf({ view }: TaskEntry): Limit[] {
  const signal = view.signal as KernelObject | null;
  if (signal === null) throw new DumpError('absent', 'a task that has exited has no limits');
  return names.map((name, index) => {
    const { rlim_cur: current, rlim_max: maximum } = signal.rlim[index];
    return { name, current, maximum };
  });
}

export function limitLines(entry: TaskEntry, limits: readonly Limit[]): string[] {
  const column = (value: bigint): string =>
    centered(value === infinity ? '(unlimited)' : String(value), 11);
  const row = (name: string, current: string, maximum: string): string =>
    `${name.padStart(12)}   ${current}   ${maximum}`;
  return [
    taskHeader(entry),
    row('RLIMIT', centered('CURRENT', 11), centered('MAXIMUM', 11)),
    ...limits.map(({ name, current, maximum }) => row(name, column(current), column(maximum))),
    '',
  ];
}

/** null: unlimited. */
export function limitsJson(limits: readonly Limit[]): Json {
  const value = (limit: bigint): string | null => (limit === infinity ? null : String(limit));
  return Object.fromEntries(
    limits.map(({ name, current, maximum }) => [
      name,
      { current: value(current), maximum: value(maximum) },
    ]),
  );
}
