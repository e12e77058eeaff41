/** What the stages of kexec hand on. Plain data. */

import type { ElfNote } from '../../dump/types.ts';
import type { PageLayout } from '../../linux/page-layout.ts';
import type { ControlPages } from '../../machine/crash-image.ts';
import type { CrashKernel } from '../../machine/crash-kernel.ts';
import type { OldRam } from '../../machine/elfcore.ts';
import type { CaptureOptions } from '../method.ts';
import type { Backup } from './backup.ts';

export interface KexecState {
  readonly options: CaptureOptions;
  readonly layout: PageLayout;
  /** What was loaded, as it was loaded. */
  readonly crash: CrashKernel;
  /** Where purgatory begins, as it was loaded. Physical. */
  readonly entry: number;
  /** Of the first 640 KB; undefined: the second kernel does not need them. */
  readonly backup: Backup | undefined;
  /** The names by which purgatory's code is executed. */
  readonly purgatory: readonly string[];
  /** From the crashed kernel's memory: the kimage, its entry, its control pages (physical). */
  image: bigint;
  start: number;
  control: ControlPages;
  /** From elfcorehdr: what /proc/vmcore shows. */
  notes: readonly ElfNote[];
  ram: readonly OldRam[];
}

export const incompleteName = 'vmcore-incomplete';
export const finalName = 'vmcore';
