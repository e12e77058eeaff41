/**
 * Text that printk() could not put into the log at once (in NMIs, or with its own lock held), in
 * buffers of each CPU: v4.10 (42a0bb3f7138, 099f1c84c005) to v5.14 (93d102f094be "printk: remove
 * safe buffers"). Source: kernel/printk/printk_safe.c.
 */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';

export interface SafeBuffer {
  /** `nmi_print_seq` or `safe_print_seq`. */
  readonly name: string;
  readonly cpu: number;
  readonly address: bigint;
  readonly text: string;
  /** Messages that did not fit. */
  readonly lost: number;
}

const layout = 'struct printk_safe_seq_buf';
/** A buffer has a page or two; what is larger is damage. */
const maxText = 64 * 1024;
const names = ['nmi_print_seq', 'safe_print_seq'];

/** Empty for kernels that have none of them. */
export function safeBuffers(
  kernel: KernelCore,
  onProblem: (problem: DumpError) => void,
): SafeBuffer[] {
  const known = names.filter((name) => kernel.symbols.inKernel(name) !== undefined);
  if (kernel.types.find(layout) === undefined) return [];
  return known.flatMap((name) =>
    kernel.cpus.flatMap((cpu) => attempt(() => bufferOf(kernel, name, cpu), onProblem) ?? []),
  );
}

function bufferOf(kernel: KernelCore, name: string, cpu: number): SafeBuffer {
  const { memory, types } = kernel;
  const address = kernel.perCpu(name, cpu);
  const at = (member: string): bigint => address + BigInt(types.offsetOf(layout, member));
  const { size } = types.resolve(types.member(layout, 'buffer').type);
  const length = Math.min(Math.max(0, memory.i32(at('len.counter'))), size, maxText);
  return {
    ...{ name, cpu, address },
    text: length === 0 ? '' : memory.cstring(at('buffer'), length),
    lost: memory.i32(at('message_lost.counter')),
  };
}
