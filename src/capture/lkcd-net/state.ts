/** What the stages of lkcd-net hand on. Plain data. */

import type { DumpState } from '../_lkcd/dump-stages.ts';
import type { KnownServer } from '../_net/link.ts';
import type { Netpoll } from '../_net/netpoll.ts';

export interface LkcdNetState extends DumpState {
  readonly netpoll: Netpoll;
  readonly server: KnownServer;
  /** Drawn when the dump was configured. */
  readonly magic: bigint;
  readonly pageOffset: bigint;
  /** Number of the last block that was pushed. */
  block: number;
}
