/** What the stages of lkcd-mem hand on. Plain data. */

import type { PhysicalRange } from '../../machine/ram.ts';
import type { Written } from '../_lkcd/file.ts';
import type { PackedPage } from '../_lkcd/pages.ts';
import type { LkcdState } from '../_lkcd/state.ts';

/** What is reserved when the module is loaded; physical. */
export interface Bootstrap {
  /** The same kernel, to be booted again. */
  readonly kernel: PhysicalRange;
  /** Where it is told to look: crashdump_addr. */
  readonly handover: number;
  /** The list of the pages that are filled. */
  readonly list: PhysicalRange;
  /** The first pages to fill. */
  readonly store: PhysicalRange;
}

/** Pages of memory that are filled one after the other. */
export interface Store {
  /** PFNs that may be filled, in their order. */
  readonly places: number[];
  /** Bytes that are in them. */
  bytes: number;
}

/** What was saved of a class of pages. */
export interface SavedPass {
  /** Byte of the store where its records begin. */
  readonly start: number;
  /**
   * What was put there. Memory is what counts: these serve where the pages that they fill are the
   * same arrays as then, so that nobody need take them apart.
   */
  readonly records: PackedPage[];
}

export interface LkcdMemState extends LkcdState, Written {
  readonly bootstrap: Bootstrap;
  /** What is overwritten when the same kernel boots: nothing is kept there. */
  readonly bootTouches: readonly PhysicalRange[];
  /** Bitmaps by PFN, in the order in which they are saved. */
  classes: Uint8Array[];
  readonly store: Store;
  readonly passes: SavedPass[];
  /** The arrays that fill the store's pages, in their order. */
  readonly filled: Uint8Array[];
}
