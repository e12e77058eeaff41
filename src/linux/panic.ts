/** Which task panicked on which CPU, and what the kernel said about it. */

import { attempt } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';
import type { ObjectOf } from './kernel-types.ts';
import { readLog } from './log.ts';
import type { LogRecord } from './log-record.ts';
import { addressOf } from './objects.ts';
import { currentTask } from './tasks.ts';

export interface PanicContext {
  readonly task: ObjectOf<'struct task_struct'>;
  readonly cpu: number | undefined;
  /** `panic_cpu is 1`. */
  readonly evidence: string;
}

/**
 * The task that panicked, by panic_cpu, crashing_cpu, the dump's header, the log, in this order.
 * Undefined where none of them names one.
 */
export function panicTask(kernel: KernelCore): PanicContext | undefined {
  return (
    byVariable(kernel, 'panic_cpu') ??
    byVariable(kernel, 'crashing_cpu') ??
    attempt(() => byHeader(kernel)) ??
    attempt(() => byLog(kernel))
  );
}

/**
 * `Kernel panic - not syncing: ...`, else the first line of the last oops, from the log or the
 * dump's header. Undefined where the kernel said nothing of the kind.
 */
export function panicMessage(kernel: KernelCore): string | undefined {
  const lines = attempt(() => newestFirst(kernel)) ?? [];
  const panic = lines.find(({ text }) => text.startsWith('Kernel panic - not syncing'));
  const oops = lines.find(({ text }) => /^(BUG: |kernel BUG at |Oops: )/.test(text));
  const header = kernel.dump.panic?.message;
  return panic?.text ?? (header === '' ? undefined : header) ?? oops?.text;
}

/** Both variables are -1 until a CPU writes its number. */
function byVariable(kernel: KernelCore, name: string): PanicContext | undefined {
  const cpu = attempt(() => kernel.memory.i32(kernel.symbol(name).address));
  return cpu === undefined ? undefined : onCpu(kernel, cpu, `${name} is ${cpu}`);
}

function byHeader(kernel: KernelCore): PanicContext | undefined {
  const address = kernel.dump.panic?.task;
  if (address === undefined || address === 0n) return undefined;
  const cpu = kernel.cpus.find((number) => {
    const current = attempt(() => currentTask(kernel, number));
    return current !== undefined && addressOf(current) === address;
  });
  const task = kernel.object('struct task_struct', address);
  return { task, cpu, evidence: "the dump's header names the task" };
}

/** dump_stack() says for every oops and panic which CPU and process it is about. */
function byLog(kernel: KernelCore): PanicContext | undefined {
  const lines = newestFirst(kernel);
  const end = lines.findIndex(({ text }) => /^(Kernel panic|Oops: |BUG: |kernel BUG)/.test(text));
  if (end < 0) return undefined;
  for (const { text } of [...lines.slice(0, end).reverse(), ...lines.slice(end)]) {
    const match = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: /.exec(text);
    if (match === null) continue;
    const found = onCpu(kernel, Number(match[1]), `the log says "${text.slice(0, 60).trim()}"`);
    return found !== undefined && found.task.pid === Number(match[2]) ? found : undefined;
  }
  return undefined;
}

function onCpu(kernel: KernelCore, cpu: number, evidence: string): PanicContext | undefined {
  if (!attempt(() => kernel.cpus)?.includes(cpu)) return undefined;
  const task = attempt(() => currentTask(kernel, cpu));
  return task === undefined ? undefined : { task, cpu, evidence };
}

function newestFirst(kernel: KernelCore): LogRecord[] {
  return [...readLog(kernel).records].reverse();
}
