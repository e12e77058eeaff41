/** crash's CPU specifications behind a colon: `:a`, `:1`, `:0,2-3`. */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Context } from './command.ts';
import { contextCpu } from './context.ts';

export interface WithCpus {
  readonly text: string;
  /** Undefined: no CPU was named. */
  readonly cpus: readonly number[] | undefined;
}

/**
 * `runqueues:a` taken apart; a colon alone is the CPU of the task in question. The colons of
 * `a ? b : c` and of other expressions stay. Throws `usage`, and `absent` for a CPU that the kernel
 * does not have.
 */
export function takeCpus(kernel: Kernel, context: Context, text: string): WithCpus {
  const match = /^([^?]*\w):(a(?:ll)?|[\d,-]*)$/.exec(text.trim());
  if (match === null) return { text, cpus: undefined };
  return { text: match[1]!, cpus: cpusOf(kernel, context, match[2]!) };
}

function cpusOf(kernel: Kernel, context: Context, list: string): readonly number[] {
  return list === '' ? [contextCpu(kernel, context)] : cpusNamed(kernel, list);
}

/** `a`, `1`, `0,2-3`. Throws `usage`, and `absent` for a CPU that the kernel does not have. */
export function cpusNamed(kernel: Kernel, list: string): readonly number[] {
  if (/^a(ll)?$/.test(list)) return kernel.cpus;
  const wanted = new Set<number>();
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === undefined) throw new DumpError('usage', `"${list}" is no list of CPUs`);
    for (let cpu = Number(first); cpu <= Number(last); cpu++) {
      if (!kernel.cpus.includes(cpu)) throw new DumpError('absent', `there is no CPU ${cpu}`);
      wanted.add(cpu);
    }
  }
  return [...wanted];
}
