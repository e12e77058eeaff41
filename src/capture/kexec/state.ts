/** What the stages of kexec hand on. Plain data. */

import type { ElfNote } from '../../dump/types.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import type { ControlPages } from '../../machine/crash-image.ts';
import type { CrashKernel } from '../../machine/crash-kernel.ts';
import type { PhysicalRange } from '../../machine/ram.ts';
import type { CaptureOptions } from '../method.ts';

export interface KexecState {
  readonly options: CaptureOptions;
  readonly layout: PageLayout;
  /** What was loaded, as it was loaded. */
  readonly crash: CrashKernel;
  /** Where purgatory begins, as it was loaded. Physical. */
  readonly entry: number;
  /** The names by which purgatory's code is executed. */
  readonly purgatory: readonly string[];
  /** From the crashed kernel's memory: the kimage, its entry, its control pages (physical). */
  image: bigint;
  start: number;
  control: ControlPages;
  /** From elfcorehdr: what /proc/vmcore shows. */
  notes: readonly ElfNote[];
  ram: readonly PhysicalRange[];
}

export const incompleteName = 'vmcore-incomplete';
export const finalName = 'vmcore';
