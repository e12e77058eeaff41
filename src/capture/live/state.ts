/** What the stages of a live dump hand on. Plain data. */

import type { Utsname } from '../../dump/types.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import type { CpuRunState } from '../../machine/cpu.ts';
import type { CaptureOptions } from '../method.ts';

export interface LiveState {
  readonly options: CaptureOptions;
  readonly layout: PageLayout;
  readonly uts: Utsname;
  readonly physBase: bigint;
  readonly vmcoreinfo: string;
  /** By index of the CPU: what each did before it was stopped. */
  before: readonly CpuRunState[];
}

export const incompleteName = 'live.kdump.incomplete';
export const finalName = 'live.kdump';
