/** What the stages of lkcd-disk hand on. Plain data. */

import type { DumpState } from '../_lkcd/dump-stages.ts';

/** What is known of a driver's part of a hardware queue, as the boot found it. */
export interface DriverFacts {
  /** Of the hardware queue. */
  readonly number: number;
  /** Number of the interrupt that its ring raises; undefined where it is not known. */
  readonly irq: number | undefined;
  /** Of its ring. */
  readonly lock: { readonly name: string; readonly address: bigint } | undefined;
}

export interface LkcdDiskState extends DumpState {
  readonly isScsi: boolean;
  readonly drivers: readonly DriverFacts[];
  /** CPUs that were let go run on in the kernel until then; undefined: none does. */
  runningUntil: number | undefined;
}
