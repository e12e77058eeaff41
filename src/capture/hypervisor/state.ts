/** What the stages of the hypervisor's dump hand on. Plain data. */

import type { Utsname } from '../../dump/types.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import type { CaptureOptions } from '../method.ts';

export interface HypervisorState {
  readonly options: CaptureOptions;
  /** Where the guest told its host that its VMCOREINFO note is; undefined: it has none. */
  readonly note: PhysicalRange | undefined;
  readonly uts: Utsname;
  readonly physBase: bigint;
}

export const incompleteName = 'guest.kdump.incomplete';
export const finalName = 'guest.kdump';
