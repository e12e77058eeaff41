/** What the stages of diskdump hand on. Plain data. */

import type { PageLayout } from '../../linux/page-layout.ts';
import type { CaptureOptions } from '../method.ts';
import type { NetdumpState } from '../netdump/state.ts';
import type { Resident } from './resident.ts';
import type { Registered } from './scsi.ts';

/** Bitmaps, least significant bit first. */
export interface PagesToWrite {
  readonly endPfn: number;
  /** By PFN. */
  readonly ram: Uint8Array;
  readonly ramPages: number;
  /** By PFN. */
  readonly stored: Uint8Array;
  readonly pages: number;
}

export interface DiskdumpState {
  readonly options: CaptureOptions;
  /** Of struct page: compiled into the filter. */
  readonly layout: PageLayout;
  readonly resident: Resident;
  /** In the order in which they are tried. */
  readonly registered: readonly Registered[];
  /** What it falls back on. */
  readonly netdump: NetdumpState;
  /** Why no partition takes the dump. */
  fallback: string | undefined;
  /** Why no disk could be registered. */
  readonly refusal: string | undefined;
  /** Which registered partition it is at, and the next step to be done on it. */
  partition: number;
  step: number;
  /**
   * `risks`: no disk was beyond doubt, and those that may work are tried; `over`: a partition was
   * chosen, and did not take the dump.
   */
  pass: 'strict' | 'risks' | 'over';
  /** Disks whose adapter was reset, and what became of it: once for all their partitions. */
  readonly resets: { readonly disk: number; readonly problem: string | undefined }[];
  selected: PagesToWrite | undefined;
  /** Seconds since 1970, of the header. */
  time: number;
  pagesWritten: number;
  /** Of the partition that it is at: where the next block goes. */
  nextBlock: number;
}
