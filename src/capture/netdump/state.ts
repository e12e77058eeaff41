/** What the stages of netdump hand on. Plain data. */

import type { PageLayout } from '../../linux/page-layout.ts';
import type { KnownServer } from '../_net/link.ts';
import type { Netpoll } from '../_net/netpoll.ts';
import type { Greeting } from '../_net/protocol.ts';
import type { NetResident } from '../_net/resident.ts';

export interface NetdumpState {
  readonly layout: PageLayout;
  /** Undefined: the machine has no network card. */
  readonly loaded: Loaded | undefined;
  readonly server: KnownServer;
}

export interface Loaded {
  readonly netpoll: Netpoll;
  readonly resident: NetResident;
  /** Its magic was drawn when the module was loaded. */
  readonly greeting: Omit<Greeting, 'task'>;
}
