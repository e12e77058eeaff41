/** A kernel as the rooms above see it. */

import { DumpError } from '../bytes/errors.ts';
import type { Dump } from '../dump/types.ts';
import { KernelCore } from './core.ts';
import type { KernelTables } from './tables.ts';
import { TaskList } from './tasks.ts';
import type { Timed } from './timed.ts';

export class Kernel extends KernelCore {
  /** Every task; ask `.complete` and `.problems` after the loop. */
  tasks(): TaskList {
    return new TaskList(this);
  }
}

/**
 * The kernel whose memory a dump holds. Touches only what finding its page tables needs; symbols,
 * types and objects are read when something asks for them. `known`: tables that the caller has made
 * sure to be in this memory as well. `timed`: by whom the reading is to be measured. `unsupported`
 * for a kernel that is not of x86_64.
 */
export function openKernel(dump: Dump, known?: KernelTables, timed?: Timed): Kernel {
  if (dump.architecture !== 'x86_64') {
    throw new DumpError('unsupported', `the kernel is of ${dump.architecture}`, {
      where: { file: dump.name },
      hint: 'only kernels of x86_64 are analysed; the pages of this dump can be read and converted',
    });
  }
  return new Kernel(dump, known, timed);
}
