/** What the stages of mkdump hand on. Plain data. */

import type { PageLayout } from '../../linux/page-layout.ts';
import type { CaptureOptions } from '../method.ts';
import type { Resident } from './resident.ts';

/** Bitmaps by PFN, least significant bit first. */
export interface PagesToWrite {
  readonly endPfn: number;
  readonly ram: Uint8Array;
  readonly stored: Uint8Array;
  readonly zero: Uint8Array;
  /** How many bits `stored` has. */
  readonly pages: number;
}

export interface MkdumpState {
  readonly options: CaptureOptions;
  /** Of struct page: compiled into the mini kernel's filter. */
  readonly layout: PageLayout;
  readonly resident: Resident;
  /** From the control structure in the crashed kernel's memory. */
  entry: number;
  pageTables: number;
  registers: bigint;
  message: bigint;
  selected: PagesToWrite | undefined;
  /** Of the header as it was written first. */
  time: number;
  pagesWritten: number;
}
