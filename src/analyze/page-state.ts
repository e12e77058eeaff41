/** Whether the dump has the page at a physical address, in words for people. */

import type { PageState } from '../dump/types.ts';
import type { Kernel } from '../linux/kernel.ts';

/** From the dump's index alone; what is no RAM at all is `missing`. */
export function pageStateAt(kernel: Kernel, physical: bigint): PageState {
  const pfn = Number(physical / BigInt(kernel.dump.pageSize));
  return pfn < kernel.dump.endPfn ? kernel.dump.state(pfn) : 'missing';
}

/** Nothing for a page that can be read: crash prints nothing either. */
export function absenceOf(state: PageState): string | undefined {
  switch (state) {
    case 'stored':
    case 'zero':
      return undefined;
    case 'excluded':
      return 'excluded by the filter that wrote the dump';
    case 'missing':
      return 'not in the dump';
    case 'damaged':
      return 'damaged in the dump';
  }
}
