/** The kernel's image, its well-known variables and its per-CPU areas. */

import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { basePageSize } from '../linux/paging.ts';
import type { Reasons } from './reasons.ts';

interface Pages {
  readonly readable: number;
  readonly lost: number;
}

interface Part extends Pages {
  readonly remark: string | undefined;
}

/** No section of a kernel or module is larger; a larger one is damage. */
const maxArea = 256n * 1024n * 1024n;

/** Page by page, from `start` to below `end`. */
export function areaPages(
  memory: AddressSpace,
  start: bigint,
  end: bigint,
  reasons: Reasons,
): Pages {
  let readable = 0;
  let lost = 0;
  const size = BigInt(basePageSize);
  const last = end - start > maxArea ? start + maxArea : end;
  for (let at = start; at < last; at = (at / size + 1n) * size) {
    const next = (at / size + 1n) * size;
    const length = Number((next < last ? next : last) - at);
    if (reasons.attempt(() => memory.read(at, length)) === undefined) lost++;
    else readable++;
  }
  return { readable, lost };
}

/** Without these an analysis cannot begin, or misses whole subjects. */
const wellKnown = [
  'init_task', 'init_mm', 'init_pid_ns', 'init_uts_ns', 'init_top_pgt', 'idt_table',
  'sys_call_table', 'linux_banner', 'saved_command_line', 'prb', 'printk_rb_static', 'log_buf',
  'modules', 'mod_tree', 'vmap_area_list', 'vmap_area_root', 'mem_section', 'node_data',
  'contig_page_data', 'iomem_resource', 'tk_core', 'jiffies_64', 'slab_caches', 'super_blocks',
  'net_namespace_list', 'init_net', 'irq_desc_tree', 'sparse_irqs', 'panic_cpu', 'crashing_cpu',
  '__cpu_possible_mask', '__cpu_online_mask', '__per_cpu_offset', 'tainted_mask',
]; // biome-ignore format: one table

/** Bytes of a variable that are looked at: the symbol behind it may be far. */
const maxVariable = 64 * 1024;

/** Variables of the kernel's image that everybody looks for. */
export function imagePart(kernel: Kernel, reasons: Reasons): Part {
  let readable = 0;
  const lost: string[] = [];
  for (const name of wellKnown) {
    const symbol = kernel.symbols.inKernel(name);
    if (symbol === undefined) continue;
    const size = Math.min(maxVariable, Math.max(1, kernel.symbols.sizeOf(symbol)));
    const bytes = reasons.attempt(() => kernel.memory.read(symbol.address, size));
    if (bytes === undefined) lost.push(name);
    else readable++;
  }
  const remark = lost.length > 0 ? `lost: ${lost.join(', ')}` : undefined;
  return { readable, lost: lost.length, remark };
}

/** The static part of each CPU's area: what per-CPU symbols name. */
export function perCpuPart(kernel: Kernel, reasons: Reasons): Part {
  const start = kernel.symbols.inKernel('__per_cpu_start')?.address ?? 0n;
  const end = kernel.symbols.inKernel('__per_cpu_end')?.address ?? start;
  let readable = 0;
  const lost: number[] = [];
  for (const cpu of kernel.cpus) {
    const pages = reasons.attempt(() => {
      const offset = kernel.perCpuOffset(cpu);
      const at = (address: bigint): bigint => BigInt.asUintN(64, address + offset);
      return areaPages(kernel.memory, at(start), at(end), reasons);
    });
    if (pages?.lost === 0) readable++;
    else lost.push(cpu);
  }
  const remark = lost.length > 0 ? `not whole: of CPU ${lost.join(', ')}` : undefined;
  return { readable, lost: lost.length, remark };
}
