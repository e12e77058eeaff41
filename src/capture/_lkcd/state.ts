/** What the stages of LKCD's methods hand on. */

import type { PageLayout } from '../../linux/page-layout.ts';
import type { CpuRunState } from '../../machine/cpu.ts';
import type { Machine } from '../../machine/machine.ts';
import type { CaptureOptions } from '../method.ts';
import type { Resident } from './resident.ts';

/** Of every method of LKCD. Plain data. */
export interface LkcdState {
  readonly options: CaptureOptions;
  /** Of struct page: compiled into the module's filter. */
  readonly layout: PageLayout;
  readonly resident: Resident;
  /** What stands for the System.map beside an LKCD dump. */
  readonly vmcoreinfo: string;
  readonly physBase: bigint;
  /** From the configuration in the crashed kernel's memory. */
  device: bigint;
  slots: bigint;
  buffer: bigint;
  /** What the other CPUs were at when the NMI reached them. */
  before: { readonly cpu: number; readonly state: CpuRunState }[];
  /** Of the header as it was written first. */
  time: number;
}

/** At set-up. */
export function initialState(
  { kernel }: Machine,
  options: CaptureOptions,
  layout: PageLayout,
  resident: Resident,
): LkcdState {
  return {
    options,
    layout,
    resident,
    vmcoreinfo: kernel.vmcoreinfo.source,
    physBase: kernel.vmcoreinfo.physBase ?? 0n,
    device: 0n,
    slots: 0n,
    buffer: 0n,
    before: [],
    time: 0,
  };
}
