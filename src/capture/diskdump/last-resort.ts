/**
 * What diskdump turns to when no partition took the dump: netdump, where that is configured
 * (fallback_on_err=1).
 */

import { failed, type StageFailed } from '../method.ts';

/** `why`: what became of the last partition. */
export function lastResort(why: string): StageFailed {
  return failed(`${why}; no netdump is configured to fall back on`, 'dump partitions');
}
