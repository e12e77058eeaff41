/**
 * Which modules hold on to which. Source: kernel/module/main.c, add_module_usage();
 * include/linux/module.h, struct module_use.
 */

import type { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';
import { walkList } from '../linux/lists.ts';
import { follow, hasMember, type KernelObject, memberAddress } from '../linux/objects.ts';

/** No module has so many friends. */
const maxUses = 10_000;

export interface ModuleUses {
  /** Names of the modules that need this one, and of those that it needs. */
  readonly usedBy: readonly string[];
  readonly uses: readonly string[];
}

/** Throws where a list cannot be walked to its end. */
export function moduleUses(kernel: Kernel, module: KernelObject): ModuleUses {
  return {
    usedBy: names(kernel, module, 'source_list', 'source'),
    uses: names(kernel, module, 'target_list', 'target'),
  };
}

/** Lists of struct module_use; without CONFIG_MODULE_UNLOAD there are none. */
function names(kernel: Kernel, module: KernelObject, list: string, end: string): string[] {
  if (!hasMember(module, list)) return [];
  const head = memberAddress(module, list);
  const { objects, problem } = walkList(kernel, head, 'struct module_use', list, maxUses);
  if (problem !== undefined) throw problem satisfies DumpError;
  return objects.map((use) => follow(use, end).name as string);
}
